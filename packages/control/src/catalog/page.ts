/**
 * Pages of lists by keyset: a cursor says after which (sort column, id) the next page begins, so
 * the millionth row costs as little as the first, and rows that come or go shift nothing.
 */
import { sql } from 'kysely'
import type { RawBuilder, SelectQueryBuilder } from 'kysely'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { CatalogTables } from './schema.ts'

export interface PageRequest<T extends keyof CatalogTables> {
  readonly table: T
  readonly sort: keyof CatalogTables[T] & string
  readonly descending: boolean
  /** Unique among rows of an equal sort column: `id`, or `seq`. Default `id`. */
  readonly tie?: keyof CatalogTables[T] & string
  /** The sort column may be null: null counts as less than everything. */
  readonly nullable?: boolean
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface Page<Row> {
  readonly rows: Row[]
  /** For the next page; null on the last one. */
  readonly next: string | null
}

const value = z.union([z.string(), z.number()])
/** Sort column with "-" when descending, its value, and the tie's. */
const cursorParts = z.tuple([z.string(), value.nullable(), value])
type Cursor = z.infer<typeof cursorParts>

function encode(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

function decode(text: string, order: string): Cursor {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    parsed = undefined
  }
  const cursor = cursorParts.safeParse(parsed)
  if (!cursor.success || cursor.data[0] !== order) {
    throw new MaasError('REQUEST_INVALID', 'the cursor is of another list or order', {
      pointer: '/query/cursor',
    })
  }
  return cursor.data
}

/** What comes after the cursor, in the order of the list. */
function after(options: {
  readonly column: RawBuilder<unknown>
  readonly tie: RawBuilder<unknown>
  readonly cursor: Cursor
  readonly descending: boolean
  readonly nullable: boolean
}): RawBuilder<boolean> {
  const { column, tie, descending } = options
  const [, last, lastTie] = options.cursor
  const beyond = descending ? sql`<` : sql`>`
  if (last === null) {
    const rest = descending ? sql`false` : sql`${column} is not null`
    return sql`((${column} is null and ${tie} ${beyond} ${lastTie}) or ${rest})`
  }
  const row = sql<boolean>`(${column}, ${tie}) ${beyond} (${last}, ${lastTie})`
  return options.nullable && descending ? sql`(${row} or ${column} is null)` : row
}

/**
 * @param query with its filters, without order; its rows have the sort column and the tie
 * @throws MaasError REQUEST_INVALID: the cursor is none of this list in this order
 */
export async function loadPage<T extends keyof CatalogTables, Row extends object>(
  query: SelectQueryBuilder<CatalogTables, T, Row>,
  request: PageRequest<T>,
): Promise<Page<Row>> {
  const { table, sort, descending, nullable = false, limit } = request
  const tie = request.tie ?? 'id'
  const order = `${table}:${descending ? '-' : ''}${sort}`
  const columns = { column: sql.ref(`${table}.${sort}`), tie: sql.ref(`${table}.${tie}`) }
  let page = query
  if (request.cursor !== undefined) {
    const cursor = decode(request.cursor, order)
    page = page.where(after({ ...columns, cursor, descending, nullable }))
  }
  const direction = descending ? sql`desc` : sql`asc`
  // SQLite's order, said aloud for PostgreSQL, whose own is the other way round.
  const nulls = nullable ? (descending ? sql`nulls last` : sql`nulls first`) : sql``
  const rows = await page
    .orderBy(sql`${columns.column} ${direction} ${nulls}`)
    .orderBy(sql`${columns.tie} ${direction}`)
    // One more than asked tells whether there is a next page.
    .limit(limit + 1)
    .execute()
  if (rows.length <= limit) return { rows, next: null }
  rows.length = limit
  const last = rows.at(-1) as Readonly<Record<string, Cursor[1]>> | undefined
  return { rows, next: encode([order, last?.[sort] ?? null, last?.[tie] ?? '']) }
}
