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

/** Pages looked through for states that are rare, in one request. */
const PAGES_MAX = 20

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
  const limit = Math.min(query.limit, COMPLIANCE_BATCH_MAX)
  const sort = query.sort.replace('sourceId', 'id')
  const items: ReturnType<typeof show>[] = []
  let cursor = query.cursor
  let next: string | null = null
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const rows = whereVisible(db.selectFrom('source').selectAll(), 'source', context.catalog, {
      principal,
    })
    // No more than what is still wanted, so that the cursor stands behind what was shown.
    const page = await readPage(
      rows,
      { sort, cursor, limit: limit - items.length },
      { table: 'source' },
    )
    const ids = page.rows.map((row) => row.id)
    const found = await loadCompliance(db, ids, { policies, now })
    const wanted = found.filter((each) => state === undefined || each.state === state)
    items.push(...wanted.map((each) => show(each, language)))
    next = page.next
    if (next === null || items.length >= limit) break
    cursor = next
  }
  return { body: { at: timeOf(now), items, next } }
}
