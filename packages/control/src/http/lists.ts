/** Two ways of showing a list that handlers know nothing of: some fields only, and as lines. */
import type { Route } from '@openmaas/api/routes/define-route'
import { isSchema } from '@openmaas/api/routes/routes'
import { z } from 'zod'
import { requestInvalid } from './handler.ts'

export interface PageBody {
  readonly items: readonly Readonly<Record<string, unknown>>[]
  readonly next: string | null
}

export const LINES_TYPE = 'application/x-ndjson'

/** True when the client would rather have lines; JSON is for everybody else. */
export function wantsLines(route: Route, accept: string | undefined): boolean {
  return route.list === true && (accept ?? '').toLowerCase().includes(LINES_TYPE)
}

/** @throws MaasError REQUEST_INVALID for a field that the items do not have */
export function readFields(route: Route, query: unknown): ReadonlySet<string> | undefined {
  const text = (query as { readonly fields?: unknown } | undefined)?.fields
  if (typeof text !== 'string') return undefined
  const fields = new Set(text.split(','))
  const known = itemFields(route)
  for (const field of fields) {
    if (known.has(field)) continue
    throw requestInvalid('/query/fields', `there is no field ${field}`)
  }
  return fields
}

function itemFields(route: Route): ReadonlySet<string> {
  const page = route.response[200]
  if (!isSchema(page) || !(page instanceof z.ZodObject)) return new Set()
  const items: unknown = page.shape['items']
  if (!(items instanceof z.ZodArray) || !(items.element instanceof z.ZodObject)) return new Set()
  return new Set(Object.keys(items.element.shape))
}

export function pickFields(page: PageBody, fields: ReadonlySet<string> | undefined): PageBody {
  if (fields === undefined) return page
  const pick = (item: PageBody['items'][number]) =>
    Object.fromEntries(Object.entries(item).filter(([name]) => fields.has(name)))
  return { ...page, items: page.items.map((item) => pick(item)) }
}

/** All pages from there on; the next one is read when the client has taken the last. */
export async function* readLines(
  first: PageBody,
  nextPage: (cursor: string) => Promise<PageBody>,
): AsyncGenerator<string> {
  let page = first
  for (;;) {
    if (page.items.length > 0) yield page.items.map((item) => `${JSON.stringify(item)}\n`).join('')
    if (page.next === null) return
    page = await nextPage(page.next)
  }
}
