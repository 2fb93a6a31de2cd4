/**
 * Groups under a policy: one run of the group instead of one of each member. A member that cannot
 * run now keeps no other from being protected; there is no group point meanwhile, and the group
 * says why.
 */
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import type { Trx } from '../job/definition.ts'
import { findActiveJob } from '../job/job-repository.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import { protectGroupRequest } from '../job/kinds/protect-group.ts'
import type { JobRequest } from '../job/queue.ts'
import type { Policies, Policy } from '../policy/resolve.ts'
import { decideDue, planRun } from '../schedule/plan.ts'
import type { GroupRow } from './rows.ts'

type Db = Kysely<CatalogTables>
type Enqueue = (trx: Trx, request: JobRequest) => Promise<string>

const PURPOSE = 'protect'

/** The longest overdue first. */
export function listDueGroups(db: Db, now: number, limit: number): Promise<GroupRow[]> {
  return db
    .selectFrom('consistencyGroup')
    .selectAll()
    .where('policyId', 'is not', null)
    .where('nextRunAt', '<=', now)
    .orderBy('nextRunAt')
    .limit(limit)
    .execute()
}

type GroupPlan = Pick<GroupRow, 'id' | 'version' | 'nextRunAt'>

/** Groups whose next run is not planned yet, or is planned by what their policy said before. */
export async function findGroupPlans(
  db: Db,
  options: {
    readonly policies: Policies
    readonly now: number
    readonly isChanged: (policy: Policy) => boolean
  },
): Promise<GroupPlan[]> {
  const { policies, now, isChanged } = options
  const rows = await db
    .selectFrom('consistencyGroup')
    .selectAll()
    .where('policyId', 'is not', null)
    .execute()
  return rows.flatMap<GroupPlan>(({ id, version, policyId, nextRunAt, lastDueAt: lastAt }) => {
    const policy = policies.get(policyId!)
    if (policy === undefined || !policy.enabled) {
      return nextRunAt === null ? [] : [{ id, version, nextRunAt: null }]
    }
    if (nextRunAt !== null && !isChanged(policy)) return []
    const remembered = { sourceId: id, purpose: PURPOSE, lastAt, failures: 0, nextRunAt } as const
    return [{ id, version, nextRunAt: planRun(policy.spec, remembered, now) }]
  })
}

export async function applyGroupPlan(trx: Trx, plan: GroupPlan): Promise<void> {
  await trx
    .updateTable('consistencyGroup')
    .set({ nextRunAt: plan.nextRunAt })
    .where('id', '=', plan.id)
    // Changed since: the next look plans it.
    .where('version', '=', plan.version)
    .execute()
}

/** A group that is due, in the transaction of the scheduler. */
export async function runGroup(
  trx: Trx,
  of: {
    readonly group: GroupRow
    readonly policy: Policy
    readonly now: number
    readonly enqueue: Enqueue
  },
): Promise<void> {
  const { group, policy, now } = of
  const about = { sourceId: group.id, purpose: PURPOSE, nextRunAt: group.nextRunAt! } as const
  const decision = decideDue(policy.spec, about, now)
  const { nextRunAt } = decision
  const begun = decision.kind === 'run' ? await begin(trx, of) : {}
  const due = decision.kind === 'run' ? { lastDueAt: now } : {}
  await trx
    .updateTable('consistencyGroup')
    .set({ nextRunAt, ...due, ...begun })
    .where('id', '=', group.id)
    .execute()
  // What its members show; those that failed are tried again at a time of their own.
  await trx
    .updateTable('schedule')
    .set({ nextRunAt })
    .where('purpose', '=', PURPOSE)
    .where('failures', '=', 0)
    .where('sourceId', 'in', (e) =>
      e.selectFrom('groupMember').select('sourceId').where('groupId', '=', group.id),
    )
    .execute()
}

async function begin(
  trx: Trx,
  of: {
    readonly group: GroupRow
    readonly policy: Policy
    readonly now: number
    readonly enqueue: Enqueue
  },
): Promise<{ readonly lastJobId?: string; readonly problemJson?: string }> {
  const { group, policy, now, enqueue } = of
  const { priority } = policy.spec
  const members = await listSchedules(trx, group.id)
  const whys = members.map((member) => whyNot(member, now))
  const problem = members.flatMap(({ name }, i) => (whys[i] === null ? [] : `${name} ${whys[i]}`))
  const request = protectGroupRequest(group, { actor: 'system', priority })
  const active = await findActiveJob(trx, request.activeKey)
  if (problem.length === 0 && active === undefined) {
    return { lastJobId: await enqueue(trx, request) }
  }
  for (const [i, member] of members.entries()) {
    if (whys[i] !== null || (await isProtected(trx, member.id))) continue
    const more = { actor: 'system', priority, policyId: policy.id }
    await enqueue(trx, protectDatabaseRequest(member, more))
  }
  if (problem.length === 0) return {}
  const message = `no group point: ${problem.join('; ')}`
  return { problemJson: JSON.stringify({ code: 'GROUP_MEMBER_FAILED', message, details: {} }) }
}

function listSchedules(trx: Trx, groupId: string) {
  return trx
    .selectFrom('groupMember')
    .innerJoin('source', 'source.id', 'groupMember.sourceId')
    .innerJoin('host', 'host.id', 'source.hostId')
    .leftJoin('schedule', (join) =>
      join.onRef('schedule.sourceId', '=', 'source.id').on('schedule.purpose', '=', PURPOSE),
    )
    .selectAll('source')
    .select(['host.drained', 'host.state as hostState', 'schedule.failures', 'schedule.nextRunAt'])
    .where('groupMember.groupId', '=', groupId)
    .orderBy('source.name')
    .execute()
}
type Scheduled = Awaited<ReturnType<typeof listSchedules>>[number]

/** @returns in words why it is not run now; null: it is */
function whyNot(member: Scheduled, now: number): string | null {
  const { paused, drained, hostState, failures, nextRunAt } = member
  if (paused === 1) return 'is paused'
  if (drained === 1 || hostState === 'removed') return 'is on a host that takes no new work'
  if ((failures ?? 0) === 0 || (nextRunAt ?? 0) <= now) return null
  return `failed, and is tried again at ${new Date(nextRunAt!).toISOString()}`
}

/** By whichever job: one that waits stands for this run too. */
async function isProtected(trx: Trx, sourceId: string): Promise<boolean> {
  const row = await trx
    .selectFrom('job')
    .select('id')
    .where('sourceId', '=', sourceId)
    .where('kind', '=', 'protect-database')
    .where('endedAt', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}
