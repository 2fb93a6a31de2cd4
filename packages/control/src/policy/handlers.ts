/** Policies over the API: promising, changing a promise, taking it back. */
import type { Selectable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import type { PolicySpec } from '@openmaas/api/policy'
import type { Policy as ShownPolicy } from '@openmaas/api/resources/policy'
import { MaasError } from '@openmaas/kernel/errors'
import { consentTo } from '../auth/consent.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import {
  type HandlerRequest,
  type Handlers,
  objectNotFound,
  planned,
  requireVersion,
} from '../http/handler.ts'
import { timeOf } from '../http/columns.ts'
import { recordChange } from '../http/handler-context.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { readPage } from '../http/list-query.ts'
import { requireNameFree } from '../http/names.ts'
import { loadPolicies, parsePolicy } from './resolve.ts'
import type { Policy } from './resolve.ts'
import { Runs } from './runs.ts'

type PolicyRow = Selectable<CatalogTables['policy']>

export function makePolicyHandlers(context: HandlerContext) {
  return {
    listPolicies: (request) => listPolicies(context, request),
    createPolicy: (request) => createPolicy(context, request),
    getPolicy: async ({ params }) => {
      const row = await loadPolicy(context.catalog.db, params.policyId)
      const counts = await countSources(context.catalog.db)
      return { body: showPolicy(row, counts), etag: row.version }
    },
    changePolicy: (request) => changePolicy(context, request),
    deletePolicy: (request) => deletePolicy(context, request),
  } satisfies Handlers
}

export async function loadPolicy(db: Db, id: string): Promise<PolicyRow> {
  const row = await db.selectFrom('policy').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('policy', id)
  return row
}

function showPolicy(row: PolicyRow, counts: ReadonlyMap<string, number>): ShownPolicy {
  const { id, name, selector, priority, enabled, version, spec } = parsePolicy(row)
  return {
    id,
    name,
    priority,
    enabled,
    version,
    spec,
    selector: selector as ShownPolicy['selector'],
    sourceCount: counts.get(id) ?? 0,
    createdAt: timeOf(row.createdAt),
  }
}

/** Sources under each policy; paused ones too. */
async function countSources(db: Db): Promise<Map<string, number>> {
  const policies = await loadPolicies(db)
  const rows = await db.selectFrom('source').select(['policyId', 'labelsJson']).execute()
  const counts = new Map<string, number>()
  for (const { policyId, labelsJson } of rows) {
    const labels = JSON.parse(labelsJson) as Record<string, string>
    const policy = policies.resolve({ policyId, labels })
    if (policy !== null) counts.set(policy.id, (counts.get(policy.id) ?? 0) + 1)
  }
  return counts
}

async function listPolicies(context: HandlerContext, request: HandlerRequest<'listPolicies'>) {
  const { db } = context.catalog
  const { query } = request
  let rows = db.selectFrom('policy').selectAll()
  const name = query['filter[name]']
  const enabled = query['filter[enabled]']
  if (name !== undefined) rows = rows.where('name', '=', name)
  if (enabled !== undefined) rows = rows.where('enabled', '=', enabled === 'true' ? 1 : 0)
  const page = await readPage(rows, query, { table: 'policy' })
  const counts = await countSources(db)
  return { body: { items: page.rows.map((row) => showPolicy(row, counts)), next: page.next } }
}

/** Cron and windows are tried out: what never runs may be meant, what means nothing may not. */
function checkSpec(spec: PolicySpec, now: number): void {
  new Runs(spec, '').next(now)
}

async function createPolicy(context: HandlerContext, request: HandlerRequest<'createPolicy'>) {
  const { catalog, clock, random } = context
  const { name, selector, priority, spec, enabled } = request.body
  checkSpec(spec, clock.wallMs())
  const row: PolicyRow = {
    id: makeControlId('policy', clock, random),
    name,
    selectorJson: selector === null ? null : JSON.stringify(selector),
    priority,
    specJson: JSON.stringify(spec),
    enabled: enabled ? 1 : 0,
    createdAt: clock.wallMs(),
    version: 1,
  }
  const shown = await catalog.transaction(async (trx) => {
    await requireNameFree(trx, 'policy', name)
    await trx.insertInto('policy').values(row).execute()
    const after = showPolicy(row, await countSources(trx))
    await recordChange(trx, context, request, {
      action: 'createPolicy',
      topic: 'policies',
      type: 'policy.created',
      after,
      id: row.id,
      name,
      labels: {},
    })
    return after
  })
  return { status: 201, body: shown, etag: 1, location: `/api/v1/policies/${row.id}` }
}

/** True when the change keeps or promises less than before: then somebody has to say why. */
export function isWeaker(before: Policy, after: Policy): boolean {
  if (before.enabled && !after.enabled) return true
  const [kept, keeps] = [before.spec.retention, after.spec.retention]
  const rules = Object.keys(kept) as (keyof typeof kept)[]
  return (
    rules.some((rule) => keeps[rule] < kept[rule]) || after.spec.lockDays < before.spec.lockDays
  )
}

async function changePolicy(context: HandlerContext, request: HandlerRequest<'changePolicy'>) {
  const { catalog, clock } = context
  const { params, body } = request
  const { reason = '', approvalId, name, selector, priority, spec, enabled } = body
  if (spec !== undefined) checkSpec(spec, clock.wallMs())
  const change = (row: PolicyRow): PolicyRow => ({
    ...row,
    ...(name !== undefined && { name }),
    ...(selector !== undefined && {
      selectorJson: selector === null ? null : JSON.stringify(selector),
    }),
    ...(priority !== undefined && { priority }),
    ...(spec !== undefined && { specJson: JSON.stringify(spec) }),
    ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
    version: row.version + 1,
  })
  const read = await loadPolicy(catalog.db, params.policyId)
  requireVersion(read, request)
  const isDangerous = isWeaker(parsePolicy(read), parsePolicy(change(read)))
  const consent = isDangerous
    ? await consentTo(
        context,
        { ...request, body: { confirm: read.name, reason, approvalId } },
        {
          action: 'changePolicy',
          id: read.id,
          name: read.name,
          params: { name, selector, priority, spec, enabled },
        },
      )
    : undefined
  return catalog.transaction(async (trx) => {
    await consent?.use(trx)
    const row = await loadPolicy(trx, params.policyId)
    requireVersion(row, request)
    // Consent was given to the change of what was read.
    requireVersion(row, { ifMatch: read.version })
    const next = change(row)
    if (next.name !== row.name) await requireNameFree(trx, 'policy', next.name)
    await trx.updateTable('policy').set(next).where('id', '=', row.id).execute()
    const counts = await countSources(trx)
    const after = showPolicy(next, counts)
    await recordChange(trx, context, request, {
      action: 'changePolicy',
      topic: 'policies',
      type: 'policy.changed',
      id: row.id,
      name: next.name,
      labels: {},
      before: showPolicy(row, counts),
      after,
      ...(consent === undefined ? {} : { reason: consent.reason }),
    })
    return { body: after, etag: next.version }
  })
}

async function deletePolicy(context: HandlerContext, request: HandlerRequest<'deletePolicy'>) {
  const { catalog } = context
  const { params, dryRun } = request
  const row = await loadPolicy(catalog.db, params.policyId)
  const count = (await countSources(catalog.db)).get(row.id) ?? 0
  if (dryRun) {
    return planned(`${count} sources come under another policy, or none; points stay`, row)
  }
  const consent = await consentTo(context, request, {
    action: 'deletePolicy',
    id: row.id,
    name: row.name,
  })
  await catalog.transaction(async (trx) => {
    await consent.use(trx)
    const current = await loadPolicy(trx, row.id)
    const named = await trx
      .selectFrom('source')
      .select('id')
      .where('policyId', '=', row.id)
      .limit(1)
      .executeTakeFirst()
    if (named !== undefined) {
      throw new MaasError('OBJECT_IN_USE', 'a source names this policy', { sourceId: named.id })
    }
    await trx.deleteFrom('schedule').where('policyId', '=', row.id).execute()
    await trx.deleteFrom('policy').where('id', '=', row.id).execute()
    await recordChange(trx, context, request, {
      action: 'deletePolicy',
      topic: 'policies',
      type: 'policy.deleted',
      id: row.id,
      name: row.name,
      labels: {},
      before: current,
      reason: consent.reason,
    })
  })
  return { status: 204, body: null }
}
