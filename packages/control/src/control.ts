/**
 * The control plane, put together: catalog, authority, hosts, jobs, schedule, API. Everything it
 * does beyond its own tables goes through orders. `openmaas serve` and `openmaas control` start
 * it; what they embed (a node, an agent) they give it as roles.
 *
 * Start: catalog → keys and authority → embedded roles → channel → jobs → schedule → API, so that
 * nobody is served before what serves them is there. Stop goes the other way.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { makeLog } from '@openmaas/kernel/log'
import { makeFirstAdmin } from './auth/first-admin.ts'
import type { MadeAdmin } from './auth/first-admin.ts'
import { openSecret } from './auth/secret-repository.ts'
import type { Catalog } from './catalog/catalog.ts'
import { exportCatalog } from './catalog/export.ts'
import { openApi } from './control-api.ts'
import { watchDatabases } from './database/database-watch.ts'
import { ChannelServer } from './host/channel-server.ts'
import { placeOfEmbedded } from './host/embedded-place.ts'
import { embedRole } from './host/embedded.ts'
import type { Orders } from './host/orders.ts'
import { JobEngine } from './job/engine.ts'
import { makeJobKinds } from './job/kinds/kinds.ts'
import { TicketTargets } from './job/kinds/ticket-targets.ts'
import type { NodePlace } from './job/kinds/ticket-targets.ts'
import { makeFirstPolicies } from './policy/first-policies.ts'
import { watchPools } from './pools/pool-watch.ts'
import { Scheduler } from './schedule/scheduler.ts'
import { openParts } from './control-parts.ts'
import type { ControlOptions, EmbeddedPart, Parts } from './control-parts.ts'

const log = makeLog('openmaas:control')

export class Control implements AsyncDisposable {
  /** Of the API: `https://127.0.0.1:8730`. */
  readonly url: string
  /** Of the server's certificate: what hosts and people pin. */
  readonly fingerprint: string
  readonly channelPort: number
  /** At the very first start: to be shown once. */
  readonly firstAdmin: MadeAdmin | undefined
  /** Host ids of the embedded roles, in the order given. */
  readonly embedded: readonly string[]
  readonly catalog: Catalog
  readonly orders: Orders
  readonly #stack: AsyncDisposableStack

  private constructor(
    from: Pick<
      Control,
      'url' | 'fingerprint' | 'channelPort' | 'firstAdmin' | 'embedded' | 'catalog' | 'orders'
    > & { readonly stack: AsyncDisposableStack },
  ) {
    this.url = from.url
    this.fingerprint = from.fingerprint
    this.channelPort = from.channelPort
    this.firstAdmin = from.firstAdmin
    this.embedded = from.embedded
    this.catalog = from.catalog
    this.orders = from.orders
    this.#stack = from.stack
  }

  /** @throws MaasError CATALOG_*, CA_INVALID, SERVER_KEY_INVALID, FS_* */
  static async start(options: ControlOptions): Promise<Control> {
    await using stack = new AsyncDisposableStack()
    const parts = await openParts(options, stack)
    const { ca, orders, catalog } = parts
    const embedded = await embedAll(options, parts)
    const channel = stack.use(
      await ChannelServer.listen({
        ...parts,
        ...options.channel,
        onEvent: ({ hostId, event, data }) => log.info('host says', { hostId, event, ...data }),
      }),
    )
    for (const { id } of embedded) parts.registry.embed(id)
    const engine = await startJobs(options, parts, embedded, stack)
    const isEmbedded = (hostId: string, nodeId: string): boolean =>
      areEmbedded(embedded, hostId, nodeId)
    const http = await openApi(options, { ...parts, engine, isEmbedded, channel }, stack)
    const url = await http.listen(options.api)
    const { fingerprint } = await ca.serverCredentials()
    await makeFirstPolicies(parts)
    const firstAdmin = await makeFirstAdmin(parts.auth)
    const ids = embedded.map(({ id }) => id)
    const seen = { url, fingerprint, channelPort: channel.port, firstAdmin, embedded: ids }
    return new Control({ ...seen, catalog, orders, stack: stack.move() })
  }

  /**
   * Whether the catalog answers: what systemd's watchdog asks. Not whether it takes writes: to
   * kill a server for a full disk would only take away what says so.
   */
  async isAlive(): Promise<boolean> {
    await this.catalog.db.selectFrom('meta').select('key').limit(1).execute()
    return true
  }

  /** Answers what is under way, then ends; jobs are taken up again at the next start. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

interface Embedded extends EmbeddedPart {
  readonly id: string
  /** Of the certificate that its ports show now. */
  fingerprint: string
}

/** Made anew at every start, and never shown to control: nothing has to renew it. */
const EMBEDDED_LIFETIME_MS = 400 * 24 * 3600_000

async function embedAll(options: ControlOptions, parts: Parts): Promise<Embedded[]> {
  const { ca } = parts
  const credentials = await ca.serverCredentials()
  const issueHost = async (csr: string, hostId: string): Promise<string> => {
    const wanted = { csr, hostId, kind: 'agent', lifetimeMs: EMBEDDED_LIFETIME_MS } as const
    return (await ca.issueHost(wanted)).pem
  }
  const security = { credentials, rootPem: ca.rootPem, ticketKeys: ca.ticketKeys, issueHost }
  const embedded: Embedded[] = []
  for (const part of await options.embed(security)) {
    const id = await embedRole(parts, part)
    await part.known?.(id)
    embedded.push({ ...part, id, fingerprint: credentials.fingerprint })
  }
  return embedded
}

async function startJobs(
  options: ControlOptions,
  parts: Parts,
  embedded: readonly Embedded[],
  stack: AsyncDisposableStack,
): Promise<JobEngine> {
  const { catalog, orders, clock, random, onError, ca } = parts
  const exports = join(options.directory, 'exports')
  makeDirectories(exports, 0o700)
  const exportPath = (jobId: string): string => join(exports, `${jobId}.catalog`)
  const targets = new TicketTargets({
    clock,
    isEmbedded: (hostId, nodeId) => areEmbedded(embedded, hostId, nodeId),
    placeOf: (nodeId) => placeOf(parts, embedded, nodeId),
    signer: ca.ticketSigner,
  })
  const definitions = makeJobKinds({
    random,
    targets,
    enqueue: (trx, request) => engine.enqueue(trx, request),
    openSecret: (secretId) => openSecret(catalog.db, secretId, parts.vault.opener),
    exportCatalog: async (jobId) => {
      const path = exportPath(jobId)
      await rm(path, { force: true })
      await exportCatalog(catalog, path)
      return path
    },
    removeExport: (jobId) => rm(exportPath(jobId), { force: true }),
    // Pools are made by the API at once, which answers with the passphrase.
  })
  const engine: JobEngine = new JobEngine({
    catalog,
    orders,
    clock,
    random,
    definitions,
    onError,
  })
  await engine.start()
  stack.defer(() => engine.stop())
  const scheduler = new Scheduler({
    catalog,
    random,
    onError,
    enqueue: (trx, request) => engine.enqueue(trx, request),
    backupPool: async () => {
      const pools = catalog.db.selectFrom('pool').select(['id', 'nodeId'])
      const online = pools.where('state', '=', 'online').orderBy('createdAt')
      return (await online.limit(1).executeTakeFirst()) ?? null
    },
  })
  const databases = stack.use(
    watchDatabases({
      catalog,
      clock,
      orders,
      onError,
      openSecret: (id) => openSecret(catalog.db, id, parts.vault.opener),
    }),
  )
  databases.start()
  const pools = stack.use(watchPools({ catalog, clock, orders, onError }))
  await pools.now().catch(onError)
  pools.start()
  scheduler.start()
  stack.defer(() => scheduler.stop())
  return engine
}

function areEmbedded(embedded: readonly Embedded[], hostId: string, nodeId: string): boolean {
  return [hostId, nodeId].every((wanted) => embedded.some(({ id }) => id === wanted))
}

async function placeOf(
  parts: Parts,
  embedded: readonly Embedded[],
  nodeId: string,
): Promise<NodePlace> {
  const own = embedded.find(({ id }) => id === nodeId)
  if (own !== undefined) return placeOfEmbedded(parts.ca, own)
  return parts.registry.placeOf(nodeId)
}
