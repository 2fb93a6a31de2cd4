/**
 * What a route is. The list of them (routes.ts) is the contract: the server is built from it, and
 * so are the OpenAPI document, the typed client and the tests of the permission matrix.
 */
import { z } from 'zod'
import type { Permission } from '../permissions.ts'
import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from '../resources/common.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** Objects with labels, which a principal's scope hides or shows. */
export type ScopedNoun =
  | 'source'
  | 'host'
  | 'pool'
  | 'point'
  | 'job'
  | 'medium'
  | 'virtualDatabase'
  | 'consistencyGroup'
  | 'alert'

/** Where a request names an object, and of what kind it is. */
export interface ObjectReference {
  readonly in: 'params' | 'query' | 'body'
  readonly field: string
  readonly noun: ScopedNoun
  /**
   * What the caller needs about that object; that of the route when absent. Written where a
   * request touches something else than its own noun.
   */
  readonly permission?: Permission
}

/** One answer: a schema, null for no body, or the media types of what is no JSON. */
export type Answer = z.ZodType | null | { readonly raw: readonly string[] }

type Shape = z.ZodObject | z.ZodType<Record<string, unknown>>

export interface Route {
  readonly method: Method
  readonly path: string
  /** `public`: anybody; `self`: anybody who is logged in, about themselves. */
  readonly permission: Permission | 'public' | 'self'
  readonly tag: string
  readonly summary: { readonly en: string; readonly zh: string }
  readonly params?: z.ZodObject
  readonly query?: Shape
  readonly body?: z.ZodType
  readonly response: Readonly<Record<number, Answer>>
  /** Checked against the caller's scope before the handler runs: outside is 404. */
  readonly objects?: readonly ObjectReference[]
  /** Needs the typed name and a reason; four eyes where they are switched on. */
  readonly dangerous?: true
  /** `?dryRun=true` answers with the plan and changes nothing. */
  readonly dryRun?: true
  /** `?wait=30s` holds the answer until the job has ended. */
  readonly wait?: true
  /** Needs If-Match with the ETag of what was read. */
  readonly precondition?: true
  /** Server-sent events. */
  readonly stream?: true
  /** The answer holds something that is shown once, and is kept nowhere. */
  readonly secret?: true
  /** Counted by the stricter limit of its own. */
  readonly rate?: 'login' | 'expensive'
  /** Largest body in bytes; 1 MiB when absent. */
  readonly bodyBytesMax?: number
  /** A page of items, which can also come as NDJSON, and of which fields can be picked. */
  readonly list?: true
  readonly deprecated?: { readonly since: string; readonly sunset?: string }
}

/** Keeps the exact types of the schemas, which is what handlers and the client are typed by. */
export function defineRoute<const R extends Route>(route: R): R {
  return route
}

/** Fields asked for by `?fields=a,b`; longer lists are no shorter than all of it. */
const FIELDS_LENGTH_MAX = 1000
const CURSOR_LENGTH_MAX = 1000

/** `?limit&cursor&sort&fields` and a `filter[…]` for each filter. */
export function listQuery<
  const Sorts extends readonly [string, ...string[]],
  const Filters extends Readonly<Record<string, z.ZodType>>,
>(options: { sorts: Sorts; defaultSort?: SortText<Sorts[number]>; filters?: Filters }) {
  type Sort = SortText<Sorts[number]>
  const sorts = options.sorts.flatMap((name) => [name, `-${name}`])
  const sort = z.enum(sorts).default(options.defaultSort ?? sorts[0]!)
  const filters = Object.fromEntries(
    Object.entries(options.filters ?? {}).map(([name, schema]) => [
      `filter[${name}]`,
      schema.optional(),
    ]),
  ) as { [K in keyof Filters & string as `filter[${K}]`]: z.ZodOptional<Filters[K]> }
  return z.strictObject({
    limit: z.coerce
      .number<number | string>()
      .int()
      .min(1)
      .max(PAGE_LIMIT_MAX)
      .default(PAGE_LIMIT_DEFAULT),
    cursor: z.string().min(1).max(CURSOR_LENGTH_MAX).optional(),
    sort: sort as unknown as z.ZodDefault<z.ZodEnum<{ [K in Sort]: K }>>,
    fields: z
      .string()
      .max(FIELDS_LENGTH_MAX)
      .regex(/^[A-Za-z0-9]+(?:,[A-Za-z0-9]+)*$/)
      .optional(),
    ...filters,
  })
}
/** A column; with a minus the other way round. */
export type SortText<Name extends string> = Name | `-${Name}`

/** `filter[labels]=env=prod,team=shop`: all of them. */
export const labelFilter = z
  .string()
  .max(2000)
  .regex(/^[^=,]+=[^,]*(?:,[^=,]+=[^,]*)*$/)
  .meta({ examples: ['env=prod,team=shop'] })

export const flag = z.enum(['true', 'false'])

/** Several values of one kind, separated by commas. */
export const oneOfList = <const T extends readonly string[]>(values: T) =>
  z
    .string()
    .max(1000)
    .regex(new RegExp(`^(?:${values.join('|')})(?:,(?:${values.join('|')}))*$`))

/** `30s`, `2m`: how long `?wait` holds the answer. Proxies cut connections soon after. */
export const WAIT_MAX_SECONDS = 120
export const waitText = z.string().regex(/^(?:\d{1,3}s|[12]m)$/)
