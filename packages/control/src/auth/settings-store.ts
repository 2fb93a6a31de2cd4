/**
 * Settings of the whole installation, in `meta` under `settings`. Client secrets of identity
 * providers are sealed, and never leave again.
 */
import { z } from 'zod'
import type { Kysely } from 'kysely'
import { settings as settingsShown } from '@openmaas/api/resources/setting'
import type { Settings, settingsChange } from '@openmaas/api/resources/setting'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { ServerKey } from './server-key.ts'

const KEY = 'settings'
/** Another control server may have changed them; within this time everybody knows. */
const CACHE_MS = 5000
/** Half an hour, as OWASP says for what is of high value. */
const SESSION_IDLE_MINUTES = 30

const provider = settingsShown.shape.oidc.element.extend({
  clientSecretSealed: z.string().nullable(),
})
export type OidcProvider = z.infer<typeof provider>
const stored = settingsShown.extend({ oidc: z.array(provider) })
export type StoredSettings = z.infer<typeof stored>
export type SettingsChange = z.output<typeof settingsChange>

const FIRST: StoredSettings = {
  fourEyes: false,
  sessionIdleMinutes: SESSION_IDLE_MINUTES,
  oidc: [],
  auditSyslog: null,
  publicUrl: null,
  version: 1,
}

export class SettingsStore {
  readonly #catalog: Catalog
  readonly #clock: Clock
  readonly #serverKey: ServerKey
  #cached: { readonly value: StoredSettings; readonly untilMs: number } | undefined

  constructor(catalog: Catalog, clock: Clock, serverKey: ServerKey) {
    this.#catalog = catalog
    this.#clock = clock
    this.#serverKey = serverKey
  }

  /** At most some seconds old. */
  async load(): Promise<StoredSettings> {
    const now = this.#clock.monotonicMs()
    if (this.#cached !== undefined && now < this.#cached.untilMs) return this.#cached.value
    const value = await loadSettings(this.#catalog.db)
    this.#cached = { value, untilMs: now + CACHE_MS }
    return value
  }

  /** Those of this moment; from now on `load` knows them too. */
  async reload(): Promise<StoredSettings> {
    this.#cached = undefined
    return this.load()
  }

  /**
   * Within its transaction; after it, `reload`.
   *
   * @returns before and after
   * @throws MaasError REQUEST_INVALID: a provider twice
   */
  async change(
    trx: Kysely<CatalogTables>,
    change: SettingsChange,
  ): Promise<{ before: StoredSettings; after: StoredSettings }> {
    const before = await loadSettings(trx)
    const { oidc, ...rest } = change
    const given = Object.fromEntries(
      Object.entries(rest).filter(([, value]) => value !== undefined),
    )
    const after = stored.parse({
      ...before,
      ...given,
      ...(oidc === undefined ? {} : { oidc: this.#sealProviders(oidc, before) }),
      version: before.version + 1,
    })
    const value = JSON.stringify(after)
    await trx
      .insertInto('meta')
      .values({ key: KEY, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute()
    return { before, after }
  }

  openClientSecret(of: OidcProvider): string | undefined {
    if (of.clientSecretSealed === null) return undefined
    return this.#serverKey.open(
      'setting',
      `oidc ${of.issuer} ${of.clientId}`,
      of.clientSecretSealed,
    )
  }

  /** A provider that comes without a secret keeps the one it had. */
  #sealProviders(
    given: NonNullable<SettingsChange['oidc']>,
    before: StoredSettings,
  ): OidcProvider[] {
    if (new Set(given.map((one) => one.name)).size !== given.length) {
      const pointer = '/oidc'
      throw new MaasError('REQUEST_INVALID', 'two identity providers have one name', { pointer })
    }
    return given.map(({ clientSecret, ...one }) => {
      checkIssuer(one.issuer)
      const context = `oidc ${one.issuer} ${one.clientId}`
      const known = before.oidc.find(
        (other) => other.issuer === one.issuer && other.clientId === one.clientId,
      )
      const clientSecretSealed =
        clientSecret === undefined
          ? (known?.clientSecretSealed ?? null)
          : this.#serverKey.seal('setting', context, clientSecret)
      return { ...one, clientSecretSealed }
    })
  }
}

/** Without TLS anybody on the way could say who logs in: on loopback only. */
function checkIssuer(issuer: string): void {
  const { protocol, hostname } = new URL(issuer)
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  if (protocol === 'https:' || (protocol === 'http:' && local)) return
  const message = 'an identity provider is reached by HTTPS'
  throw new MaasError('REQUEST_INVALID', message, { pointer: '/oidc', issuer })
}

async function loadSettings(db: Kysely<CatalogTables>): Promise<StoredSettings> {
  const row = await db.selectFrom('meta').select('value').where('key', '=', KEY).executeTakeFirst()
  return row === undefined ? FIRST : stored.parse({ ...FIRST, ...JSON.parse(row.value) })
}

/** Without what is secret. */
export function showSettings(value: StoredSettings): Settings {
  const oidc = value.oidc.map(({ clientSecretSealed: _, ...shown }) => shown)
  return { ...value, oidc }
}
