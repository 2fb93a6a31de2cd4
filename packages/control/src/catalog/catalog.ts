/**
 * The catalog: what control knows. SQLite (one file) or PostgreSQL, the same tables on both
 * (schema.ts), through Kysely. docs/internals/catalog.md.
 *
 * One writer at a time, on both dialects: `transaction` begins with the only write lock there
 * is (SQLite: `begin immediate`; PostgreSQL: an advisory lock, then READ COMMITTED). So what a
 * transaction reads stays true until it commits, on both; sequences ascend in commit order.
 * Nothing waits for the outside world within a transaction.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { CamelCasePlugin, Kysely, sql } from 'kysely'
import type { KyselyPlugin, Transaction } from 'kysely'
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { migrate } from './migrate.ts'
import type { CatalogDialect } from './migrations/migration.ts'
import { makePostgresDialect, openPostgres } from './postgres.ts'
import type { CatalogTables } from './schema.ts'
import { openSqlite, openSqliteReader } from './sqlite.ts'

export type { CatalogDialect } from './migrations/migration.ts'

export interface CatalogOptions {
  /** `sqlite:/path/catalog.db`, `sqlite::memory:` or `postgres://user@host/database`. */
  readonly url: string
  readonly clock: Clock
}

/** Deadlock and lost races are tried again this often; then something else is wrong. */
const ATTEMPT_MAX = 5
/** Any number that no other program of that database uses for its advisory locks. */
const WRITER_LOCK = 0x6d61_6173
/** PostgreSQL: serialization_failure, deadlock_detected. */
const RETRIED_STATES = new Set(['40001', '40P01'])

function isRetried(error: unknown): boolean {
  return error instanceof Error && 'code' in error && RETRIED_STATES.has(String(error.code))
}

interface Running {
  active: boolean
}

interface Connected {
  readonly base: Kysely<CatalogTables>
  readonly dialect: CatalogDialect
  /** SQLite in a file: another connection, which sees one state while the first goes on. */
  readonly makeReader?: () => Kysely<CatalogTables>
}

export class Catalog implements AsyncDisposable {
  /** For single statements, mostly reads. Not within `transaction`: it would wait for itself. */
  readonly db: Kysely<CatalogTables>
  readonly dialect: CatalogDialect
  readonly clock: Clock
  readonly #base: Kysely<CatalogTables>
  readonly #makeReader: (() => Kysely<CatalogTables>) | undefined
  readonly #listeners = new Set<() => void>()
  readonly #running = new AsyncLocalStorage<Running>()

  constructor({ base, dialect, makeReader }: Connected, clock: Clock) {
    this.#base = base
    this.#makeReader = makeReader
    this.dialect = dialect
    this.clock = clock
    this.db = base.withPlugin(this.#guard())
  }

  /**
   * All of it or nothing. The body may run more than once (PostgreSQL, after a deadlock), so it
   * changes nothing but the catalog.
   */
  async transaction<T>(body: (trx: Transaction<CatalogTables>) => Promise<T>): Promise<T> {
    assert(this.#running.getStore()?.active !== true, 'a transaction is not begun within another')
    for (let attempt = 1; ; attempt += 1) {
      try {
        const result = await this.#attempt(body)
        this.#running.exit(() => this.#announce())
        return result
      } catch (error) {
        if (attempt >= ATTEMPT_MAX || !isRetried(error)) throw error
      }
    }
  }

  /**
   * Reads for as long as it takes, and sees the catalog as it was at the beginning. Others go on
   * writing, except on `:memory:`, where there is no second connection to be had.
   */
  async snapshot<T>(body: (db: Transaction<CatalogTables>) => Promise<T>): Promise<T> {
    if (this.dialect === 'postgres') {
      const settings = this.#base.transaction().setIsolationLevel('repeatable read')
      return settings.setAccessMode('read only').execute(body)
    }
    if (this.#makeReader === undefined) return this.#base.transaction().execute(body)
    const reader = this.#makeReader()
    try {
      return await reader.transaction().execute(body)
    } finally {
      await reader.destroy()
    }
  }

  /** Called after every commit of this process, soon and without waiting. @returns the way out */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
    await this.#base.destroy()
  }

  #attempt<T>(body: (trx: Transaction<CatalogTables>) => Promise<T>): Promise<T> {
    const running: Running = { active: true }
    return this.#running.run(running, async () => {
      try {
        return await this.#base.transaction().execute(async (trx) => {
          if (this.dialect === 'postgres') {
            await sql`select pg_advisory_xact_lock(${WRITER_LOCK})`.execute(trx)
          }
          return body(trx)
        })
      } finally {
        // Timers that the body began carry this store on; for them the transaction is over.
        running.active = false
      }
    })
  }

  /** Apart from the caller: what it committed stays committed, whatever a listener does. */
  #announce(): void {
    for (const listener of this.#listeners) queueMicrotask(listener)
  }

  #guard(): KyselyPlugin {
    return {
      transformQuery: ({ node }) => {
        const inside = this.#running.getStore()?.active === true
        assert(!inside, 'within a transaction every query goes through the transaction')
        return node
      },
      transformResult: ({ result }) => Promise.resolve(result),
    }
  }
}

async function connect(url: string): Promise<Connected> {
  const plugins = [new CamelCasePlugin({ maintainNestedObjectKeys: true })]
  if (url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length)
    const base = new Kysely<CatalogTables>({ dialect: openSqlite(path), plugins })
    if (path === ':memory:') return { base, dialect: 'sqlite' }
    const makeReader = (): Kysely<CatalogTables> =>
      new Kysely<CatalogTables>({ dialect: openSqliteReader(path), plugins })
    return { base, dialect: 'sqlite', makeReader }
  }
  if (!/^postgres(?:ql)?:\/\//.test(url)) {
    const message = 'the catalog is named by sqlite:<path> or postgres://…'
    throw new MaasError('CONFIG_INVALID', message, { name: 'catalog' })
  }
  const dialect = makePostgresDialect(await openPostgres(url))
  return { base: new Kysely<CatalogTables>({ dialect, plugins }), dialect: 'postgres' }
}

/**
 * Opens it, makes it where there is none, and brings its schema up to date.
 *
 * @throws MaasError CATALOG_UNAVAILABLE, CATALOG_CORRUPT, CATALOG_NEWER, CONFIG_INVALID
 */
export async function openCatalog(options: CatalogOptions): Promise<Catalog> {
  const connected = await connect(options.url)
  const catalog = new Catalog(connected, options.clock)
  try {
    await migrate((body) => catalog.transaction(body), connected.dialect)
  } catch (error) {
    await catalog[Symbol.asyncDispose]()
    throw error
  }
  return catalog
}
