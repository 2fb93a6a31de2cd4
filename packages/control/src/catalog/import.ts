/**
 * Reads what export.ts wrote, into a catalog of either dialect: all of it or nothing. Nothing is
 * believed before the last line has proved the file whole.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { Catalog } from './catalog.ts'
import { EXPORT_FORMAT } from './export.ts'
import { SCHEMA_VERSION, VERSION_KEY } from './migrate.ts'
import type { CatalogTables } from './schema.ts'
import { EXPORTED_TABLE_NAMES } from './tables.ts'
import type { ExportedTable } from './tables.ts'

/** The longest row is a job with its parameters and results: below 8 MiB by the API's limits. */
const LINE_LENGTH_MAX = 16 * 1024 * 1024
/** SQLite takes 32,766 parameters in one statement. */
const PARAMETER_MAX = 30_000
const BATCH_ROWS = 500
/** What a machine says about itself now is newer than any export. */
const KEPT: ReadonlySet<ExportedTable> = new Set(['host', 'certificate'])

const headerLine = z.object({
  openmaas: z.literal('catalog'),
  format: z.literal(EXPORT_FORMAT),
  schema: z.number().int().min(1),
  exportedAt: z.number(),
})
const rowLine = z.tuple([
  z.enum(EXPORTED_TABLE_NAMES as readonly [ExportedTable, ...ExportedTable[]]),
  z.record(z.string().regex(/^[a-zA-Z0-9]+$/), z.union([z.string(), z.number(), z.null()])),
])
type RowLine = z.infer<typeof rowLine>
const endLine = z.object({ end: z.literal(true), rows: z.number().int(), sha256: z.string() })

function invalid(path: string, why: string, line: number): MaasError {
  return new MaasError('CATALOG_EXPORT_INVALID', `the export of the catalog ${why}`, { path, line })
}

async function* readLines(path: string): AsyncGenerator<string> {
  let rest = ''
  const stream = createReadStream(path, { encoding: 'utf8' })
  try {
    for await (const piece of stream as AsyncIterable<string>) {
      const lines = (rest + piece).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > LINE_LENGTH_MAX) throw invalid(path, 'has a line that is too long', 0)
      yield* lines
    }
  } catch (error) {
    throw toMaasError(error)
  }
  if (rest !== '') yield rest
}

function parseLine<T extends z.ZodType>(text: string, schema: T): z.output<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** The rows, checked one by one; ends only when the last line matches all before it. */
async function* readExport(path: string): AsyncGenerator<RowLine> {
  const hash = createHash('sha256')
  let number = 0
  let end: z.infer<typeof endLine> | undefined
  for await (const text of readLines(path)) {
    number += 1
    if (end !== undefined) throw invalid(path, 'goes on after its end', number)
    if (number === 1) {
      const header = parseLine(text, headerLine)
      if (header === undefined) throw invalid(path, 'does not begin as one', number)
      if (header.schema > SCHEMA_VERSION) {
        const message = 'the export was written by a newer version of OpenMaaS'
        throw new MaasError('CATALOG_NEWER', message, { path, version: header.schema })
      }
    } else {
      const row = parseLine(text, rowLine)
      if (row === undefined) end = parseLine(text, endLine)
      if (row === undefined && end === undefined) throw invalid(path, 'has a bad line', number)
      if (row !== undefined) yield row
    }
    if (end === undefined) hash.update(`${text}\n`)
  }
  if (end === undefined) throw invalid(path, 'is cut off', number)
  if (end.sha256 !== hash.digest('hex') || end.rows !== number - 2) {
    throw invalid(path, 'is damaged', number)
  }
}

/** Rows of one table, inserted together. */
class Batch {
  readonly #db: Kysely<CatalogTables>
  #table: ExportedTable | undefined
  #rows: RowLine[1][] = []
  rows = 0

  constructor(db: Kysely<CatalogTables>) {
    this.#db = db
  }

  async add([table, row]: RowLine): Promise<void> {
    const columns = Object.keys(row).length
    const full = (this.#rows.length + 1) * columns > PARAMETER_MAX
    if (this.#table !== table || this.#rows.length >= BATCH_ROWS || full) await this.flush()
    this.#table = table
    this.#rows.push(row)
    this.rows += 1
  }

  async flush(): Promise<void> {
    const [table, rows] = [this.#table, this.#rows]
    this.#rows = []
    const first = rows[0]
    if (table === undefined || first === undefined) return
    const columns = Object.keys(first)
    const names = sql.join(columns.map((column) => sql.ref(column)))
    const values = sql.join(
      rows.map((row) => sql`(${sql.join(columns.map((column) => row[column] ?? null))})`),
    )
    const conflict = KEPT.has(table) ? sql`on conflict do nothing` : sql``
    const query = sql`insert into ${sql.table(table)} (${names}) values ${values} ${conflict}`
    await query.execute(this.#db)
  }
}

/** Nothing is protected yet, whatever else a server has written since it began. */
export async function isUnused(db: Kysely<CatalogTables>): Promise<boolean> {
  for (const table of ['source', 'point'] as const) {
    const row = await sql`select 1 as found from ${sql.table(table)} limit 1`.execute(db)
    if (row.rows.length > 0) return false
  }
  return true
}

/** Numbers go on after the highest that was imported; SQLite sees to that by itself. */
async function advanceSequences(db: Kysely<CatalogTables>): Promise<void> {
  for (const table of ['event', 'job_log']) {
    await sql`select setval(pg_get_serial_sequence(${table}, 'seq'),
      (select coalesce(max(seq), 0) + 1 from ${sql.table(table)}), false)`.execute(db)
  }
}

/** Hosts that live in the server's own process (host/embedded.ts), as this catalog knows them. */
async function listEmbedded(db: Kysely<CatalogTables>): Promise<string[]> {
  const query = db.selectFrom('meta').select('value').where('key', 'like', 'embedded.%')
  return (await query.execute()).map((row) => row.value)
}

async function clear(db: Kysely<CatalogTables>): Promise<void> {
  for (const table of EXPORTED_TABLE_NAMES.toReversed()) {
    if (KEPT.has(table)) continue
    if (table === 'meta') await db.deleteFrom(table).where('key', '!=', VERSION_KEY).execute()
    else await db.deleteFrom(table).execute()
  }
}

/**
 * Everything that a fresh catalog holds (its first user, its own event) gives way; only hosts and
 * certificates that it knows already stay, since those machines speak now. For a server that is
 * not running: who its embedded hosts are is what the export says.
 *
 * @param options.onlyInUse refuses an export in which nothing is protected
 * @returns the rows read
 * @throws MaasError CATALOG_NOT_EMPTY, CATALOG_EXPORT_INVALID, CATALOG_NEWER, FS_…
 */
export async function importCatalog(
  catalog: Catalog,
  path: string,
  options: { readonly onlyInUse?: boolean } = {},
): Promise<number> {
  return catalog.transaction(async (trx) => {
    if (!(await isUnused(trx))) {
      throw new MaasError('CATALOG_NOT_EMPTY', 'the catalog holds sources or points already')
    }
    const before = await listEmbedded(trx)
    await clear(trx)
    const batch = new Batch(trx)
    for await (const row of readExport(path)) await batch.add(row)
    await batch.flush()
    if (options.onlyInUse === true && (await isUnused(trx))) {
      throw new MaasError('CATALOG_NOT_EMPTY', 'the export protects nothing', { path })
    }
    const now = await listEmbedded(trx)
    const gone = before.filter((id) => !now.includes(id))
    if (gone.length > 0 && now.length > 0) {
      await trx.deleteFrom('host').where('id', 'in', gone).execute()
    }
    if (catalog.dialect === 'postgres') await advanceSequences(trx)
    return batch.rows
  })
}
