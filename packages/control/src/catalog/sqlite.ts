/**
 * Kysely on node:sqlite. One connection; Kysely's own mutex gives it to one query, or one
 * transaction, at a time. Statements run synchronously, so they stay small.
 */
import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { CompiledQuery, SqliteDialect, SqliteDriver } from 'kysely'
import type { DatabaseConnection, Driver, SqliteDatabase, SqliteStatement } from 'kysely'
import { MaasError } from '@openmaas/kernel/errors'

/** Prepared statements kept: more than the product's queries; lists with filters vary. */
const STATEMENT_MAX = 500
/** Only another process (a backup tool, sqlite3) can hold it: it has this long. */
const BUSY_TIMEOUT_MS = 10_000

const SETTINGS = [
  'pragma journal_mode = wal',
  // A commit is on the disk before anybody hears of it.
  'pragma synchronous = full',
  'pragma foreign_keys = on',
  `pragma busy_timeout = ${BUSY_TIMEOUT_MS}`,
  // KiB, negative by convention: the upper levels of the indexes of a million points.
  'pragma cache_size = -65536',
  'pragma temp_store = memory',
]

function isOutOfRange(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_OUT_OF_RANGE'
}

/** SQLITE_FULL. */
const FULL = 13

/** @returns the error as the product reports it, where it is the world's and not a query's */
function translate(error: unknown): unknown {
  if ((error as { errcode?: number }).errcode !== FULL) return error
  const message = 'no space left for the catalog'
  return new MaasError('FS_NO_SPACE', message, {}, { cause: error })
}

function roundBigInts(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? Number(value) : (value as unknown),
    ]),
  )
}

/** As Kysely wants a statement; prepared once and kept. */
class CachedStatement implements SqliteStatement {
  readonly reader: boolean
  readonly #statement: StatementSync
  readonly #isSelect: boolean

  constructor(statement: StatementSync) {
    this.#statement = statement
    this.#isSelect = /^\s*select\b/i.test(statement.sourceSQL)
    this.reader = statement.columns().length > 0
  }

  /**
   * A sum over many rows may be larger than a number holds exactly: it is then rounded, as it is
   * on PostgreSQL, and not an error.
   */
  all(parameters: readonly unknown[]): unknown[] {
    const values = parameters as readonly SQLInputValue[]
    try {
      return this.#statement.all(...values)
    } catch (error) {
      // Whatever is no pure read is never run twice.
      if (!isOutOfRange(error) || !this.#isSelect) throw translate(error)
    }
    this.#statement.setReadBigInts(true)
    try {
      return this.#statement.all(...values).map((row) => roundBigInts(row))
    } finally {
      this.#statement.setReadBigInts(false)
    }
  }

  run(parameters: readonly unknown[]): {
    changes: number | bigint
    lastInsertRowid: number | bigint
  } {
    try {
      return this.#statement.run(...(parameters as readonly SQLInputValue[]))
    } catch (error) {
      throw translate(error)
    }
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...(parameters as readonly SQLInputValue[]))
  }
}

class StatementCache implements SqliteDatabase {
  readonly #database: DatabaseSync
  /** Oldest use first. */
  readonly #statements = new Map<string, CachedStatement>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  prepare(text: string): CachedStatement {
    const kept = this.#statements.get(text)
    const statement = kept ?? new CachedStatement(this.#database.prepare(text))
    this.#statements.delete(text)
    this.#statements.set(text, statement)
    if (this.#statements.size > STATEMENT_MAX) {
      const [oldest] = this.#statements.keys()
      if (oldest !== undefined) this.#statements.delete(oldest)
    }
    return statement
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }
}

class TransactionDriver extends SqliteDriver {
  readonly #begin: string
  readonly #database: StatementCache

  constructor(database: StatementCache, begin: string) {
    super({ database })
    this.#database = database
    this.#begin = begin
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(this.#begin))
  }

  /** On a full disk SQLite has rolled back itself: a second time fails and hides the cause. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isInTransaction) await super.rollbackTransaction(connection)
  }
}

class NodeSqliteDialect extends SqliteDialect {
  readonly #database: StatementCache
  readonly #begin: string

  constructor(database: DatabaseSync, begin: string) {
    const cache = new StatementCache(database)
    super({ database: cache })
    this.#database = cache
    this.#begin = begin
  }

  override createDriver(): Driver {
    return new TransactionDriver(this.#database, this.#begin)
  }
}

/**
 * @param path of the file, or ':memory:'
 * @throws MaasError CATALOG_UNAVAILABLE, CATALOG_CORRUPT
 */
export function openSqlite(path: string): SqliteDialect {
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path)
  } catch (cause) {
    throw new MaasError('CATALOG_UNAVAILABLE', 'cannot open the catalog', { path }, { cause })
  }
  try {
    // Before there is anything in it: what SQLite puts beside it has the same mode.
    if (path !== ':memory:') chmodSync(path, 0o600)
    for (const setting of SETTINGS) database.exec(setting)
  } catch (cause) {
    database.close()
    throw new MaasError('CATALOG_CORRUPT', 'the catalog is not readable', { path }, { cause })
  }
  // A transaction that begins as a reader could not become a writer once another has written.
  return new NodeSqliteDialect(database, 'begin immediate')
}

/** A second connection to the same file, which only reads: one state for each transaction. */
export function openSqliteReader(path: string): SqliteDialect {
  try {
    return new NodeSqliteDialect(new DatabaseSync(path, { readOnly: true }), 'begin')
  } catch (cause) {
    throw new MaasError('CATALOG_UNAVAILABLE', 'cannot open the catalog', { path }, { cause })
  }
}
