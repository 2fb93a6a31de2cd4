/** What a list keeps in its address. Anything wrong in an address is left out, never an error. */
import { z } from 'zod'

/** Of the API: PAGE_LIMIT_MAX is 1000, which no page shows smoothly. */
export const PAGE_SIZES = [20, 50, 100, 200] as const
export const PAGE_SIZE_DEFAULT = 50
const CURSOR_LENGTH_MAX = 1000
const COLUMNS_LENGTH_MAX = 500

/** `validateSearch: listSearch({ sorts: […], filters: { state: … } })` of a list's route. */
export function listSearch<
  const Sorts extends readonly [string, ...string[]],
  const Filters extends Readonly<Record<string, z.ZodType>>,
>({ sorts, filters }: { readonly sorts: Sorts; readonly filters: Filters }) {
  const both = sorts.flatMap((name) => [name, `-${name}`])
  const tolerant = Object.fromEntries(
    Object.entries(filters).map(([name, schema]) => [name, schema.optional().catch(undefined)]),
  ) as unknown as { [K in keyof Filters]: z.ZodOptional<Filters[K]> }
  return z.object({
    ...tolerant,
    sort: z
      .enum(both as [Sort<Sorts>, ...Sort<Sorts>[]])
      .optional()
      .catch(undefined),
    cursor: z.string().min(1).max(CURSOR_LENGTH_MAX).optional().catch(undefined),
    /** 1-based; says where the cursor is, and leads nowhere by itself. */
    page: z.number().int().min(1).optional().catch(undefined),
    limit: z.literal(PAGE_SIZES).optional().catch(undefined),
    /** Columns that are shown, when not those of the default: `state,kind`. */
    columns: z.string().max(COLUMNS_LENGTH_MAX).optional().catch(undefined),
  })
}
type Sort<Sorts extends readonly string[]> = Sorts[number] | `-${Sorts[number]}`

export interface ListSearch {
  readonly sort?: string | undefined
  readonly cursor?: string | undefined
  readonly page?: number | undefined
  readonly limit?: (typeof PAGE_SIZES)[number] | undefined
  readonly columns?: string | undefined
}

/** What is not a filter. */
const OF_THE_LIST = new Set(['sort', 'cursor', 'page', 'limit', 'columns'])

/** `{ state: 'failed', sort: '-endedAt', limit: 20 }` → the query of a list route. */
export function toListQuery(search: object): Record<string, string | number> {
  const query: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(search)) {
    if (value === undefined || name === 'page' || name === 'columns') continue
    if (typeof value !== 'string' && typeof value !== 'number') continue
    query[OF_THE_LIST.has(name) ? name : `filter[${name}]`] = value
  }
  return { limit: PAGE_SIZE_DEFAULT, ...query }
}

export function hasFilters(search: object): boolean {
  return Object.entries(search).some(([name, value]) => {
    return !OF_THE_LIST.has(name) && value !== undefined
  })
}

/** As the footer shows it: `GET /api/v1/jobs?filter[state]=failed`. */
export function apiLine(method: string, path: string, query: object = {}): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return parts.length === 0 ? `${method} ${path}` : `${method} ${path}?${parts.join('&')}`
}
