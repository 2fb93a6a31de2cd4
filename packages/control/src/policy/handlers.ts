/** Policies through the API. A change that keeps less than before is a dangerous one. */
import cronstrue from 'cronstrue/i18n.js'
import type { Kysely, Selectable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import type { PolicySpec, RetentionRule } from '@openmaas/api/policy'
import type { Policy as PolicyShown } from '@openmaas/api/resources/policy'
import { MaasError } from '@openmaas/kernel/errors'
import { requireConsent } from '../auth/consent.ts'
import type { Consent } from '../auth/consent.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { HandlerRequest, Handlers, Language } from '../http/handler.ts'
import { objectNotFound, requireVersion } from '../http/handler.ts'
import { labelsOf, timeOf } from '../http/handlers/columns.ts'
import { recordChange } from '../http/handlers/handler-context.ts'
import type { HandlerContext } from '../http/handlers/handler-context.ts'
import { readPage } from '../http/handlers/list-query.ts'
import { loadPolicies, parsePolicy } from './resolve.ts'
import type { Policy } from './resolve.ts'
import { Runs } from './runs.ts'

type PolicyRow = Selectable<CatalogTables['policy']>
type Db = Kysely<CatalogTables>

const RETENTION_RULES: readonly RetentionRule[] = [
  'last',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
]

export function makePolicyHandlers(context: HandlerContext) {
  const { db } = context.catalog
  return {
    listPolicies: (request) => listPolicies(context, request),
    createPolicy: (request) => createPolicy(context, request),
    getPolicy: async ({ params }) => {
      const row = await loadPolicy(db, params.policyId)
      const count = (await countSources(db)).get(row.id) ?? 0
      return { body: showPolicy(row, count), etag: row.version }
    },
    changePolicy: (request) => changePolicy(context, request),
    deletePolicy: (request) => deletePolicy(context, request),
    listNextRuns: async ({ params, query, language }) => {
      const { id, spec } = parsePolicy(await loadPolicy(db, params.policyId))
      const items = nextRuns(spec, { seed: id, from: context.clock.wallMs(), count: query.limit })
      const body = { items: items.map((at) => timeOf(at)), cronText: cronText(spec, language) }
      return { body }
    },
  } satisfies Handlers
}

export async function loadPolicy(db: Db, id: string): Promise<PolicyRow> {
  const row = await db.selectFrom('policy').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('policy', id)
  return row
}

function showPolicy(row: PolicyRow, sourceCount?: number): PolicyShown {
  const { id, name, selector, priority, spec, enabled, version } = parsePolicy(row)
  return {
    ...{ id, name, priority, spec, enabled, version },
    // The contract's type of a record whose values are texts or lists of them.
    selector: selector as PolicyShown['selector'],
    createdAt: timeOf(row.createdAt),
    ...(sourceCount !== undefined && { sourceCount }),
  }
}

/** Sources by the policy that holds for them. One query and a pass: 10,000 take a few ms. */
export async function countSources(db: Db): Promise<ReadonlyMap<string, number>> {
  const policies = await loadPolicies(db)
  const rows = await db.selectFrom('source').select(['policyId', 'labelsJson']).execute()
  const counts = new Map<string, number>()
  for (const { policyId, labelsJson } of rows) {
    const held = policies.resolve({ policyId, labels: labelsOf(labelsJson) })
    if (held !== null) counts.set(held.id, (counts.get(held.id) ?? 0) + 1)
  }
  return counts
}

async function listPolicies(context: HandlerContext, request: HandlerRequest<'listPolicies'>) {
  const { query } = request
  const { db } = context.catalog
  let rows = db.selectFrom('policy').selectAll()
  const name = query['filter[name]']
  const enabled = query['filter[enabled]']
  if (name !== undefined) rows = rows.where('name', '=', name)
  if (enabled !== undefined) rows = rows.where('enabled', '=', enabled === 'true' ? 1 : 0)
  const page = await readPage(rows, query, { table: 'policy' })
  const counts = await countSources(db)
  const items = page.rows.map((row) => showPolicy(row, counts.get(row.id) ?? 0))
  return { body: { items, next: page.next } }
}

async function checkName(db: Db, name: string, id?: string): Promise<void> {
  const other = await db
    .selectFrom('policy')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirst()
  if (other === undefined || other.id === id) return
  throw new MaasError('NAME_TAKEN', `another policy is called ${name}`, { pointer: '/name' })
}

async function createPolicy(context: HandlerContext, request: HandlerRequest<'createPolicy'>) {
  const { catalog, clock, random } = context
  const { body } = request
  const row: PolicyRow = {
    id: makeControlId('policy', clock, random),
    name: body.name,
    selectorJson: body.selector === null ? null : JSON.stringify(body.selector),
    priority: body.priority,
    specJson: JSON.stringify(body.spec),
    enabled: body.enabled ? 1 : 0,
    createdAt: clock.wallMs(),
    version: 1,
  }
  const shown = await catalog.transaction(async (trx) => {
    await checkName(trx, row.name)
    await trx.insertInto('policy').values(row).execute()
    const after = showPolicy(row)
    await recordChange(trx, context, request, {
      ...{ action: 'createPolicy', topic: 'policies', type: 'policy.created', after },
      ...{ id: row.id, name: row.name, labels: {} },
    })
    return after
  })
  return { status: 201, body: shown, etag: 1, location: `/api/v1/policies/${row.id}` }
}

async function changePolicy(context: HandlerContext, request: HandlerRequest<'changePolicy'>) {
  const { catalog } = context
  const { params, body } = request
  const before = await loadPolicy(catalog.db, params.policyId)
  requireVersion(before, request)
  const wanted = applyChange(before, body)
  const consent = keepsLess(parsePolicy(before), parsePolicy(wanted))
    ? await askConsent(context, request, before)
    : undefined
  const shown = await catalog.transaction(async (trx) => {
    await consent?.use(trx)
    const current = await loadPolicy(trx, params.policyId)
    requireVersion(current, { ifMatch: before.version })
    await checkName(trx, wanted.name, wanted.id)
    const { name, selectorJson, priority, specJson, enabled } = wanted
    const version = current.version + 1
    await trx
      .updateTable('policy')
      .set({ name, selectorJson, priority, specJson, enabled, version })
      .where('id', '=', wanted.id)
      .execute()
    const after = showPolicy({ ...wanted, version })
    await recordChange(trx, context, request, {
      ...{ action: 'changePolicy', topic: 'policies', type: 'policy.changed', after },
      ...{ id: wanted.id, name, labels: {}, before: showPolicy(before) },
      ...(body.reason !== undefined && { reason: body.reason }),
    })
    return after
  })
  return { body: shown, etag: shown.version }
}

function applyChange(row: PolicyRow, change: HandlerRequest<'changePolicy'>['body']): PolicyRow {
  const { name, selector, priority, spec, enabled } = change
  return {
    ...row,
    ...(name !== undefined && { name }),
    ...(selector !== undefined && {
      selectorJson: selector === null ? null : JSON.stringify(selector),
    }),
    ...(priority !== undefined && { priority }),
    ...(spec !== undefined && { specJson: JSON.stringify(spec) }),
    ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
  }
}

/** Points would go, or stop coming, that were promised until now. */
export function keepsLess(before: Policy, after: Policy): boolean {
  if (before.enabled && !after.enabled) return true
  const [old, fresh] = [before.spec, after.spec]
  if (fresh.lockDays < old.lockDays) return true
  return RETENTION_RULES.some((rule) => fresh.retention[rule] < old.retention[rule])
}

function askConsent(
  context: HandlerContext,
  request: HandlerRequest<'changePolicy'>,
  row: PolicyRow,
): Promise<Consent> {
  const { principal, address, requestId } = request
  const { reason = '', approvalId, ...params } = request.body
  return requireConsent(context, {
    ...{ principal, action: 'changePolicy', object: row.id, params, name: row.name },
    // The object stands in the address and its version in If-Match: nothing to type again.
    danger: { confirm: row.name, reason, approvalId },
    caller: { address, requestId },
  })
}

async function deletePolicy(context: HandlerContext, request: HandlerRequest<'deletePolicy'>) {
  const { catalog } = context
  const { params, body, principal, dryRun, address, requestId } = request
  const row = await loadPolicy(catalog.db, params.policyId)
  const count = (await countSources(catalog.db)).get(row.id) ?? 0
  if (dryRun) {
    const detail = `${count} sources follow it; their points stay, and nothing new is taken`
    const item = { action: 'withdraw the promise', object: row.id, name: row.name, detail }
    return { status: 200, body: { plan: [item], warnings: [] } }
  }
  const consent = await requireConsent(context, {
    ...{ principal, action: 'deletePolicy', object: row.id, params: {}, name: row.name },
    danger: body,
    caller: { address, requestId },
  })
  await catalog.transaction(async (trx) => {
    await consent.use(trx)
    const before = showPolicy(await loadPolicy(trx, row.id), count)
    await trx
      .updateTable('source')
      .set((e) => ({ policyId: null, version: e('version', '+', 1) }))
      .where('policyId', '=', row.id)
      .execute()
    await trx.deleteFrom('schedule').where('policyId', '=', row.id).execute()
    await trx.deleteFrom('policy').where('id', '=', row.id).execute()
    await recordChange(trx, context, request, {
      ...{ action: 'deletePolicy', topic: 'policies', type: 'policy.deleted', before },
      ...{ id: row.id, name: row.name, labels: {}, reason: consent.reason },
    })
  })
  return { status: 204, body: null }
}

/** @param options.seed what jitter is drawn by */
export function nextRuns(
  spec: PolicySpec,
  options: { readonly seed: string; readonly from: number; readonly count: number },
): number[] {
  const runs = new Runs(spec, options.seed)
  const found: number[] = []
  let at = runs.next(options.from)
  while (at !== null && found.length < options.count) {
    found.push(at)
    at = runs.next(at)
  }
  return found
}

/** The cron field in words; null when the policy has none. */
export function cronText(spec: PolicySpec, language: Language): string | null {
  if (spec.cron === null) return null
  const locale = language === 'zh' ? 'zh_CN' : 'en'
  // A CommonJS module: its types call default what is default of the default.
  return cronstrue.default.toString(spec.cron, { locale, use24HourTimeFormat: true })
}
