/** What the lists of all nouns have in common: sort, scope, filter by labels, page. */
import type { SelectQueryBuilder } from 'kysely'
import type { LabelSelector, Principal } from '@openmaas/api/permissions'
import { labelsWhere } from '../auth/labels-where.ts'
import type { CatalogDialect } from '../catalog/catalog.ts'
import { type Page, loadPage } from '../catalog/page.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { requestInvalid } from './handler.ts'

/** Tables whose rows are seen by their labels. */
type Labelled =
  | 'source'
  | 'host'
  | 'pool'
  | 'point'
  | 'job'
  | 'medium'
  | 'virtualDatabase'
  | 'consistencyGroup'
  | 'alert'

export interface ListQuery {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly sort: string
}

export interface SortedBy {
  readonly column: string
  readonly descending: boolean
}

export function readSort(sort: string): SortedBy {
  const descending = sort.startsWith('-')
  return { column: descending ? sort.slice(1) : sort, descending }
}

/** `env=prod,team=shop` → a selector. */
export function readLabelFilter(text: string | undefined): LabelSelector | null {
  if (text === undefined) return null
  const pairs = text.split(',').map((pair) => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)] as const
  })
  if (new Set(pairs.map(([key]) => key)).size < pairs.length) {
    throw requestInvalid('/query/filter[labels]', 'a label is named twice')
  }
  return Object.fromEntries(pairs)
}

/** `filter[from]` and `filter[until]`: from included, until not. */
export function readTime(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

/** Narrows a list to what the principal may see, and to the labels asked for. */
export function whereVisible<T extends Labelled, Row>(
  query: SelectQueryBuilder<CatalogTables, T, Row>,
  table: T,
  catalog: { readonly dialect: CatalogDialect },
  request: {
    readonly principal: Principal
    readonly query?: { readonly 'filter[labels]'?: string | undefined }
  },
): SelectQueryBuilder<CatalogTables, T, Row> {
  const column = `${table}.labelsJson`
  const { scope } = request.principal
  const selector = readLabelFilter(request.query?.['filter[labels]'])
  let narrowed = query
  if (scope !== null) narrowed = narrowed.where(labelsWhere(column, scope, catalog.dialect))
  return selector === null
    ? narrowed
    : narrowed.where(labelsWhere(column, selector, catalog.dialect))
}

/**
 * @param options.nullable the sort columns that may be null
 * @throws MaasError REQUEST_INVALID: the cursor is none of this list
 */
export async function readPage<T extends keyof CatalogTables, Row extends object>(
  query: SelectQueryBuilder<CatalogTables, T, Row>,
  list: ListQuery,
  options: {
    readonly table: T
    readonly tie?: keyof CatalogTables[T] & string
    readonly nullable?: readonly string[]
  },
): Promise<Page<Row>> {
  const { column, descending } = readSort(list.sort)
  try {
    return await loadPage(query, {
      ...options,
      sort: column as keyof CatalogTables[T] & string,
      descending,
      nullable: options.nullable?.includes(column) ?? false,
      limit: list.limit,
      cursor: list.cursor,
    })
  } catch (error) {
    // A cursor that somebody made up may hold a text where a number belongs.
    if (list.cursor === undefined || !isDataException(error)) throw error
    throw requestInvalid('/query/cursor', 'the cursor is of another list or order')
  }
}

/** PostgreSQL's class 22, such as 22P02: a value is none of its type. */
function isDataException(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^22[0-9A-Z]{3}$/.test(String(error.code))
}
