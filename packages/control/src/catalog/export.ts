/**
 * A consistent copy of the catalog as one file of JSON lines, the same for both dialects: either
 * restores into the other. docs/internals/catalog.md has the format.
 *
 * Not compressed, and in the order of the keys: the pool that keeps it does both better, and
 * stores of each later export only what is new.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { setImmediate as yieldTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { toMaasError } from '@openmaas/kernel/error-message'
import type { Catalog } from './catalog.ts'
import { SCHEMA_VERSION, VERSION_KEY } from './migrate.ts'
import type { CatalogTables } from './schema.ts'
import { EXPORTED_TABLE_NAMES, EXPORTED_TABLES } from './tables.ts'
import type { ExportedTable } from './tables.ts'

export const EXPORT_FORMAT = 1
/** Rows in memory at a time; between pages everybody else has a turn. */
const PAGE_ROWS = 500

export interface ExportResult {
  readonly rows: number
  readonly bytes: number
}

class LineWriter {
  readonly #file: FileHandle
  readonly #hash: Hash = createHash('sha256')
  bytes = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  async write(lines: readonly unknown[]): Promise<void> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    this.#hash.update(text)
    const buffer = Buffer.from(text)
    this.bytes += buffer.length
    await this.#file.writeFile(buffer)
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}

type Row = Readonly<Record<string, unknown>>

/** All rows of a table in the order of its key, page by page. */
async function* readRows(db: Kysely<CatalogTables>, table: ExportedTable): AsyncGenerator<Row[]> {
  const keys: readonly string[] = EXPORTED_TABLES[table]
  const columns = sql.join(keys.map((key) => sql.ref(key)))
  let last: Row | undefined
  for (;;) {
    const beyond =
      last === undefined
        ? sql``
        : sql`where (${columns}) > (${sql.join(keys.map((key) => last?.[key]))})`
    const query = sql<Row>`select * from ${sql.table(table)} ${beyond}
      order by ${columns} limit ${PAGE_ROWS}`
    const { rows } = await query.execute(db)
    if (rows.length > 0) yield rows
    if (rows.length < PAGE_ROWS) return
    last = rows.at(-1)
    await yieldTurn()
  }
}

async function writeExport(
  catalog: Catalog,
  file: FileHandle,
  signal: AbortSignal | undefined,
): Promise<ExportResult> {
  return catalog.snapshot(async (db) => {
    const writer = new LineWriter(file)
    const exportedAt = catalog.clock.wallMs()
    const header = { openmaas: 'catalog', format: EXPORT_FORMAT, schema: SCHEMA_VERSION }
    await writer.write([{ ...header, exportedAt }])
    let rows = 0
    for (const table of EXPORTED_TABLE_NAMES) {
      for await (const all of readRows(db, table)) {
        const page = table === 'meta' ? all.filter((row) => row['key'] !== VERSION_KEY) : all
        signal?.throwIfAborted()
        rows += page.length
        await writer.write(page.map((row) => [table, row]))
      }
    }
    await writer.write([{ end: true, rows, sha256: writer.digest() }])
    await file.sync()
    return { rows, bytes: writer.bytes }
  })
}

/**
 * Writes the copy to a new file that only its owner may read: it has everything but the key that
 * secrets are sealed with. Durable when it returns; nothing is left of one that failed.
 *
 * @throws MaasError FS_…
 */
export async function exportCatalog(
  catalog: Catalog,
  path: string,
  signal?: AbortSignal,
): Promise<ExportResult> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw toMaasError(error)
  })
  try {
    return await writeExport(catalog, file, signal)
  } catch (error) {
    await rm(path, { force: true })
    throw signal?.aborted === true ? error : toMaasError(error)
  } finally {
    await file.close()
  }
}
