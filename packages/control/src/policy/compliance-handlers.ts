/** Compliance over the API: which promises are kept, and why the others are not. */
import { showReason } from '@openmaas/api/policy-text'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { objectNotFound } from '../http/handler.ts'
import { timeOf, timeOrNull } from '../http/columns.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import { readPage, whereVisible } from '../http/list-query.ts'
import { COMPLIANCE_BATCH_MAX, loadCompliance } from './compliance-repository.ts'
import type { SourceCompliance } from './compliance-repository.ts'
import { loadPolicies } from './resolve.ts'

/** Looked through for states that are rare, in one request: 10,000 sources. */
const BATCHES_MAX = 20

export function makeComplianceHandlers(context: HandlerContext) {
  return {
    getCompliance: (request) => report(context, request),
    getSourceCompliance: async ({ params, language }) => {
      const { db } = context.catalog
      const policies = await loadPolicies(db)
      const now = context.clock.wallMs()
      const [found] = await loadCompliance(db, [params.sourceId], { policies, now })
      if (found === undefined) throw objectNotFound('source', params.sourceId)
      return { body: show(found, language) }
    },
  } satisfies Handlers
}

function show(found: SourceCompliance, language: 'en' | 'zh') {
  const { sourceId, state, policyId, rpoMs, ageMs, nextRunAt, reasons } = found
  return {
    sourceId,
    state,
    policyId,
    rpoMs,
    ageMs,
    nextRunAt: timeOrNull(nextRunAt),
    reasons: reasons.map((reason) => showReason(reason, language)),
  }
}

async function report(context: HandlerContext, request: HandlerRequest<'getCompliance'>) {
  const { db } = context.catalog
  const { query, principal, language } = request
  const now = context.clock.wallMs()
  const policies = await loadPolicies(db)
  const state = query['filter[state]']
  const ids = query['filter[sourceId]']?.split(',')
  const limit = Math.min(query.limit, COMPLIANCE_BATCH_MAX)
  const sort = query.sort.replace('sourceId', 'id')
  const items: ReturnType<typeof show>[] = []
  const readSources = (cursor: string | undefined, count: number) => {
    let rows = whereVisible(db.selectFrom('source').selectAll(), 'source', context.catalog, {
      principal,
    })
    if (ids !== undefined) rows = rows.where('id', 'in', ids)
    return readPage(rows, { sort, cursor, limit: count }, { table: 'source' })
  }
  let cursor = query.cursor
  let next: string | null = null
  for (let batches = 0; batches < BATCHES_MAX; batches += 1) {
    // A state may be rare: many are looked at at once.
    const page = await readSources(cursor, state === undefined ? limit : COMPLIANCE_BATCH_MAX)
    const places = new Map(page.rows.map((row, index) => [row.id, index]))
    const found = await loadCompliance(db, [...places.keys()], { policies, now })
    const wanted = found.filter((each) => state === undefined || each.state === state)
    const taken = wanted.slice(0, limit - items.length)
    items.push(...taken.map((each) => show(each, language)))
    next = page.next
    if (taken.length < wanted.length) {
      // The cursor stands behind the last that is shown.
      const last = places.get(taken.at(-1)!.sourceId)!
      next = (await readSources(cursor, last + 1)).next
    }
    if (next === null || items.length >= limit) break
    cursor = next
  }
  return { body: { at: timeOf(now), items, next } }
}
