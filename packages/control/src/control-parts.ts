/**
 * What control is told, and what every part of it is made with: catalog, keys, authority, hosts,
 * orders. Opened in this order, closed in reverse.
 */
import { join } from 'node:path'
import type { Clock } from '@openmaas/kernel/clock'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { makeLog } from '@openmaas/kernel/log'
import type { Random } from '@openmaas/kernel/random'
import type { TicketKey } from '@openmaas/protocols/channel/ticket'
import type { AuthContext } from './auth/auth-context.ts'
import { PasswordHasher } from './auth/password.ts'
import { loadServerKey } from './auth/server-key.ts'
import { loadSecretVault } from './auth/secret-vault.ts'
import { SettingsStore } from './auth/settings-store.ts'
import { openCatalog } from './catalog/catalog.ts'
import { EventFeed } from './catalog/events.ts'
import { CertificateAuthority } from './host/ca.ts'
import type { ServerCredentials } from './host/ca.ts'
import type { EmbeddedRole } from './host/embedded.ts'
import { Enrolment } from './host/enrolment.ts'
import { HostRegistry } from './host/host-registry.ts'
import { Orders } from './host/orders.ts'
import type { SupportSources } from './support/support-bundle.ts'

const log = makeLog('openmaas:control')

export interface Listen {
  readonly host: string
  /** 0 chooses one. */
  readonly port: number
}

export interface ControlOptions {
  /** Keys, authority and exports; made when it is missing. */
  readonly directory: string
  /** `sqlite:/path/catalog.db` or `postgres://…` */
  readonly catalogUrl: string
  readonly clock: Clock
  readonly random: Random
  readonly version: string
  /** Names and addresses by which people and hosts reach this server. */
  readonly names: readonly string[]
  readonly api: Listen
  /** Plain HTTP, for loopback or behind a proxy that speaks TLS. */
  readonly plain: boolean
  readonly channel: Listen
  /** Given what the listeners of a role need, since the authority is opened here. */
  readonly embed: (security: EmbeddedSecurity) => Promise<readonly EmbeddedPart[]>
  readonly consoleRoot?: string
  /** For `openmaas support bundle`. */
  readonly support: SupportSources
  readonly metricsPublic?: boolean
}

/** What an embedded node's own ports are secured with. */
export interface EmbeddedSecurity {
  /** For an embedded agent, to be known by nodes on other machines. @returns PEM */
  issueHost(csr: string, hostId: string): Promise<string>
  readonly credentials: ServerCredentials
  readonly rootPem: string
  readonly ticketKeys: readonly TicketKey[]
}

export interface EmbeddedPart extends EmbeddedRole {
  /** Told which host of the catalog it is, before it gets an order. */
  known?(hostId: string): Promise<void>
  /** For a node. */
  readonly nbdAddress: string | null
  /** For a node: the server's certificate is a new one, which its ports show from now on. */
  renew?(credentials: ServerCredentials): void
}

/** What every other part of control is made with. */
export type Parts = Awaited<ReturnType<typeof openParts>>

export async function openParts(options: ControlOptions, stack: AsyncDisposableStack) {
  const { directory, clock, random, names } = options
  makeDirectories(directory, 0o700)
  const catalog = stack.use(await openCatalog({ url: options.catalogUrl, clock }))
  const serverKey = loadServerKey(join(directory, 'server.key'), random)
  const vault = loadSecretVault(join(directory, 'vault.key'))
  const ca = await CertificateAuthority.open({ directory: join(directory, 'ca'), clock, names })
  const settings = new SettingsStore(catalog, clock, serverKey)
  const hasher = new PasswordHasher(random)
  const auth: AuthContext = {
    catalog,
    clock,
    random,
    serverKey,
    hasher,
    settings,
    secure: !options.plain,
  }
  const onError = (error: unknown): void => log.error('failed', { error })
  const events = stack.use(new EventFeed(catalog, { onError }))
  const registry = new HostRegistry({ catalog, clock })
  const enrolment = new Enrolment({ catalog, ca, clock, random })
  const orders = stack.use(new Orders({ clock }))
  return {
    catalog,
    serverKey,
    vault,
    ca,
    settings,
    auth,
    events,
    registry,
    enrolment,
    orders,
    clock,
    random,
    onError,
  }
}
