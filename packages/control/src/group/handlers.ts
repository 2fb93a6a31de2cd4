/** Groups over the API: making, changing, dissolving, running them now. Decision 0016. */
import { makeControlId } from '@openmaas/api/ids'
import { matchesLabels, ownerOf, type Principal } from '@openmaas/api/permissions'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import { consentTo } from '../auth/consent.ts'
import { loadSourceDatabase } from '../database/source-database.ts'
import { labelsOf } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import { type HandlerContext, recordChange, type Trx } from '../http/handler-context.ts'
import {
  acceptedJob,
  type HandlerRequest,
  type Handlers,
  planned,
  requestInvalid,
  requireVersion,
} from '../http/handler.ts'
import { readPage, whereVisible } from '../http/list-query.ts'
import { requireNameFree } from '../http/names.ts'
import { protectGroupRequest } from '../job/kinds/protect-group.ts'
import { loadPolicies } from '../policy/resolve.ts'
import {
  findGroupOf,
  type GroupRow,
  listMembers,
  loadGroup,
  offeredPoints,
  showGroup,
  showGroupPoints,
  showGroups,
} from './rows.ts'

export function makeGroupHandlers(context: HandlerContext) {
  const { db } = context.catalog
  return {
    listGroups: (request) => list(context, request),
    createGroup: (request) => create(context, request),
    getGroup: async ({ params }) => {
      const row = await loadGroup(db, params.groupId)
      return { body: await showGroup(db, row), etag: row.version }
    },
    changeGroup: (request) => change(context, request),
    deleteGroup: (request) => dissolve(context, request),
    protectGroup: (request) => protect(context, request),
    listGroupPoints: async ({ params, query }) => {
      await loadGroup(db, params.groupId)
      const page = await readPage(offeredPoints(db, params.groupId), query, { table: 'groupPoint' })
      return { body: { items: await showGroupPoints(db, page.rows), next: page.next } }
    },
  } satisfies Handlers
}

async function list(context: HandlerContext, request: HandlerRequest<'listGroups'>) {
  const { catalog } = context
  const { query } = request
  const all = catalog.db.selectFrom('consistencyGroup').selectAll()
  let rows = whereVisible(all, 'consistencyGroup', catalog, request)
  const name = query['filter[name]']
  if (name !== undefined) rows = rows.where('name', '=', name)
  const page = await readPage(rows, query, { table: 'consistencyGroup' })
  return { body: { items: await showGroups(catalog.db, page.rows), next: page.next } }
}

interface Wanted {
  readonly sourceIds: readonly string[]
  readonly policyId: string | null
}

async function create(context: HandlerContext, request: HandlerRequest<'createGroup'>) {
  const { catalog, clock, random } = context
  const { body, principal } = request
  requireInScope(principal, body.labels)
  const row: GroupRow = {
    id: makeControlId('consistencyGroup', clock, random),
    name: body.name,
    policyId: body.policyId,
    clockLimitMs: body.clockLimitMs,
    labelsJson: JSON.stringify(body.labels),
    nextRunAt: null,
    lastDueAt: null,
    lastJobId: null,
    problemJson: null,
    createdBy: ownerOf(principal),
    createdAt: clock.wallMs(),
    version: 1,
  }
  const shown = await catalog.transaction(async (trx) => {
    await requireNameFree(trx, 'consistencyGroup', row.name)
    await trx.insertInto('consistencyGroup').values(row).execute()
    await setMembers(trx, principal, row.id, body)
    const after = await showGroup(trx, row)
    await record(trx, context, request, {
      action: 'createGroup',
      type: 'group.created',
      row,
      after,
    })
    return after
  })
  return { status: 201, body: shown, etag: 1, location: `/api/v1/groups/${row.id}` }
}

/** The policy of a group is the policy of its members: retention and compliance go by it. */
async function setMembers(
  trx: Trx,
  principal: Principal,
  groupId: string,
  { sourceIds, policyId }: Wanted,
): Promise<void> {
  if (policyId !== null && (await loadPolicies(trx)).get(policyId) === undefined) {
    throw requestInvalid('/policyId', `there is no policy ${policyId}`)
  }
  await trx.deleteFrom('groupMember').where('groupId', '=', groupId).execute()
  const identities = new Map<string, string>()
  for (const sourceId of sourceIds) {
    const source = await requireMember(trx, principal, sourceId)
    const { identity } = await loadSourceDatabase(trx, sourceId)
    const same = identity === '' ? undefined : identities.get(identity)
    if (same !== undefined) {
      const detail = `${same} and ${source.name} are one instance: each point of it is one moment`
      throw requestInvalid('/sourceIds', detail)
    }
    identities.set(identity, source.name)
    await trx.insertInto('groupMember').values({ groupId, sourceId }).execute()
    if (policyId === null) continue
    // Counted up also where it stays: the scheduler looks again when a source has changed.
    await trx
      .updateTable('source')
      .set((e) => ({ policyId, version: e('version', '+', 1) }))
      .where('id', '=', sourceId)
      .execute()
  }
}

/** @throws MaasError REQUEST_INVALID, SOURCE_NOT_DATABASE, OBJECT_IN_USE */
async function requireMember(trx: Trx, principal: Principal, sourceId: string) {
  const source = await trx
    .selectFrom('source')
    .selectAll()
    .where('id', '=', sourceId)
    .executeTakeFirst()
  if (source === undefined || !matchesLabels(principal.scope, labelsOf(source.labelsJson))) {
    throw requestInvalid('/sourceIds', `there is no source ${sourceId}`)
  }
  if (!isDatabaseKind(source.kind)) {
    const message = `${source.name} is no database, and only logs of databases lead to a moment`
    throw new MaasError('SOURCE_NOT_DATABASE', message, { sourceId })
  }
  const other = await findGroupOf(trx, sourceId)
  if (other !== undefined) {
    const message = `${source.name} is a member of the group ${other.name}`
    throw new MaasError('OBJECT_IN_USE', message, { sourceId, groupId: other.id })
  }
  return source
}

/**
 * Of a source that a group runs: what is the group's to decide.
 *
 * @throws MaasError OBJECT_IN_USE
 */
export async function requireUngrouped(trx: Trx, sourceId: string, why: string): Promise<void> {
  const group = await findGroupOf(trx, sourceId)
  if (group === undefined) return
  const message = `the source is a member of the group ${group.name}: ${why}`
  throw new MaasError('OBJECT_IN_USE', message, { sourceId, groupId: group.id })
}

/** @throws MaasError OBJECT_IN_USE: the group's policy is that of its members */
export async function requireOwnPolicy(trx: Trx, sourceId: string): Promise<void> {
  const group = await findGroupOf(trx, sourceId)
  if (group === undefined || group.policyId === null) return
  await requireUngrouped(trx, sourceId, 'its policy is that of the group')
}

async function change(context: HandlerContext, request: HandlerRequest<'changeGroup'>) {
  const { params, body, principal } = request
  const { labels, sourceIds, ...plain } = body
  if (labels !== undefined) requireInScope(principal, labels)
  return context.catalog.transaction(async (trx) => {
    const row = await loadGroup(trx, params.groupId)
    requireVersion(row, request)
    const before = await showGroup(trx, row)
    const fields = Object.entries(plain).filter(([, value]) => value !== undefined)
    const next: GroupRow = {
      ...row,
      ...(Object.fromEntries(fields) as Partial<GroupRow>),
      ...(labels !== undefined && { labelsJson: JSON.stringify(labels) }),
      // Planned anew, by the policy that it has now.
      nextRunAt: null,
      version: row.version + 1,
    }
    await requireNameFree(trx, 'consistencyGroup', next.name, row.id)
    const { policyId } = next
    await setMembers(trx, principal, row.id, {
      sourceIds: sourceIds ?? before.sourceIds,
      policyId,
    })
    await trx.updateTable('consistencyGroup').set(next).where('id', '=', row.id).execute()
    const after = await showGroup(trx, next)
    const what = { action: 'changeGroup', type: 'group.changed', row: next, before, after }
    await record(trx, context, request, what)
    return { body: after, etag: next.version }
  })
}

async function dissolve(context: HandlerContext, request: HandlerRequest<'deleteGroup'>) {
  const { catalog } = context
  const { params, dryRun } = request
  const row = await loadGroup(catalog.db, params.groupId)
  if (dryRun) {
    return planned('dissolve it; its members and their points stay, its own points go', row)
  }
  const about = { action: 'deleteGroup', id: row.id, name: row.name } as const
  const consent = await consentTo(context, request, about)
  await catalog.transaction(async (trx) => {
    await consent.use(trx)
    const current = await loadGroup(trx, row.id)
    const before = await showGroup(trx, current)
    // The scheduler looks again, and runs each of them by itself.
    await trx
      .updateTable('source')
      .set((e) => ({ version: e('version', '+', 1) }))
      .where('id', 'in', before.sourceIds)
      .execute()
    await trx.deleteFrom('consistencyGroup').where('id', '=', row.id).execute()
    const what = { action: 'deleteGroup', type: 'group.deleted', row: current, before }
    await record(trx, context, request, { ...what, reason: consent.reason })
  })
  return { status: 204, body: null }
}

async function protect(context: HandlerContext, request: HandlerRequest<'protectGroup'>) {
  const { params, principal } = request
  const jobId = await context.catalog.transaction(async (trx) => {
    const row = await loadGroup(trx, params.groupId)
    for (const member of await listMembers(trx, row.id)) {
      if (matchesLabels(principal.scope, labelsOf(member.labelsJson))) continue
      throw requestInvalid('/groupId', 'a member of the group lies outside of your scope')
    }
    const policies = await loadPolicies(trx)
    const policy = row.policyId === null ? undefined : policies.get(row.policyId)
    const actor = ownerOf(principal)
    const wanted = protectGroupRequest(row, { actor, priority: policy?.spec.priority ?? 0 })
    const id = await context.jobs.enqueue(trx, wanted)
    const after = { jobId: id }
    const what = { action: 'protectGroup', type: 'group.protecting', row, after }
    await record(trx, context, request, what)
    return id
  })
  return acceptedJob(jobId)
}

async function record(
  trx: Trx,
  context: HandlerContext,
  request: Parameters<typeof recordChange>[2],
  of: {
    readonly action: string
    readonly type: string
    readonly row: GroupRow
    readonly before?: unknown
    readonly after?: unknown
    readonly reason?: string
  },
): Promise<void> {
  const { row, ...change } = of
  const { id, name, labelsJson } = row
  const labels = labelsOf(labelsJson)
  await recordChange(trx, context, request, { ...change, topic: 'sources', id, name, labels })
}
