/**
 * make-group-databases: a virtual database of each member of a group, all at one moment: all of
 * them, or none (decision 0016). Their rows (state `creating`) were made by whoever asked; each is
 * made by a job of its own. When one fails, the others are dropped again.
 */
import { z } from 'zod'
import { findWay } from '../../database/moment.ts'
import { listDatabasePoints } from '../../database/points.ts'
import { loadSource } from '../../sources/list.ts'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { awaitJobs, ensureChild, PARENT_SLOT, requireAll } from './child-jobs.ts'
import { problemOf } from './medium-rows.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import type { KindServices } from './services.ts'
import { virtualDatabaseRequest } from './virtual-database-params.ts'

/** Before backups that wait: a person does. */
const PRIORITY = 100
const MEMBER_MAX = 32

const params = z.object({
  groupId: z.string(),
  /** A whole second; by the clocks of production. */
  atMs: z.number(),
  virtualDatabaseIds: z.array(z.string()).min(1).max(MEMBER_MAX),
})
type GroupDatabasesParams = z.infer<typeof params>
interface Results {
  readonly points: { readonly jobIds: readonly string[] }
  readonly make: { readonly jobIds: readonly string[] }
}
type Context = StepContext<GroupDatabasesParams, Results>

export function makeGroupDatabasesRequest(
  group: { readonly id: string },
  of: {
    readonly atMs: number
    readonly virtualDatabaseIds: readonly string[]
    readonly actor: string
    readonly labels: Readonly<Record<string, string>>
  },
): JobRequest {
  const { atMs, virtualDatabaseIds, actor, labels } = of
  return {
    kind: 'make-group-databases',
    params: { groupId: group.id, atMs, virtualDatabaseIds },
    actor,
    labels,
    priority: PRIORITY,
  }
}

const loadAll = (context: Context): Promise<VirtualDatabaseRow[]> =>
  Promise.all(
    context.params.virtualDatabaseIds.map((id) => loadVirtualDatabase(context.catalog.db, id)),
  )

/** What is later than the newest point of a member is had by taking one first. */
async function takePoints(services: KindServices, context: Context): Promise<Results['points']> {
  const { db } = context.catalog
  const { atMs } = context.params
  const { actor } = context.job
  const rows = await loadAll(context)
  const names: string[] = []
  const jobIds: string[] = []
  for (const { sourceId } of rows) {
    const points = await listDatabasePoints(db, sourceId)
    if (!findWay(points, { kind: 'time', atMs }).needsPoint) continue
    const source = await loadSource(db, sourceId)
    const more = { actor, priority: PRIORITY, onDemand: true, afterMs: atMs }
    const request = protectDatabaseRequest(source, more)
    const activeKey = `${request.activeKey}:group:${context.job.id}`
    jobIds.push(await ensureChild(services, context, { ...request, activeKey }))
    names.push(source.name)
  }
  requireAll(await awaitJobs(context, jobIds), names, 'none was made')
  return { jobIds }
}

async function makeAll(services: KindServices, context: Context): Promise<Results['make']> {
  const { atMs } = context.params
  const { actor } = context.job
  const rows = await loadAll(context)
  const jobIds: string[] = []
  for (const row of rows) {
    const of = { moment: { kind: 'time', atMs } }
    const request = virtualDatabaseRequest('make-virtual-database', row, { actor, params: { of } })
    jobIds.push(await ensureChild(services, context, keyed(request)))
  }
  const names = rows.map(({ name }) => name)
  requireAll(await awaitJobs(context, jobIds), names, 'none was made')
  return { jobIds }
}

function keyed(request: JobRequest): JobRequest & { readonly activeKey: string } {
  return { ...request, activeKey: request.activeKey ?? request.kind }
}

/** What is under way is cancelled, what was made is dropped; nothing of them is left. */
async function dropAll(services: KindServices, context: Context): Promise<void> {
  const { virtualDatabaseIds } = context.params
  const { actor } = context.job
  const active = await context.commit(async (trx) => {
    const rows = await trx
      .selectFrom('job')
      .select('id')
      .where('virtualDatabaseId', 'in', virtualDatabaseIds)
      .where('kind', '=', 'make-virtual-database')
      .where('endedAt', 'is', null)
      .execute()
    for (const { id } of rows) {
      await trx
        .updateTable('job')
        .set((e) => ({
          cancelRequestedAt: e.fn.coalesce('cancelRequestedAt', e.val(context.clock.wallMs())),
        }))
        .where('id', '=', id)
        .execute()
    }
    return rows.map(({ id }) => id)
  })
  await awaitJobs(context, active)
  const drops: string[] = []
  for (const row of await loadAll(context)) {
    if (row.endedAt !== null || row.state === 'creating') continue
    const wanted = { actor, params: { force: true } }
    const request = virtualDatabaseRequest('drop-virtual-database', row, wanted)
    drops.push(await ensureChild(services, context, keyed(request)))
  }
  requireAll(await awaitJobs(context, drops), drops, 'not all of them are dropped')
}

/** Those whose own job never began. */
async function failUnbegun(
  trx: Trx,
  { params: { virtualDatabaseIds }, clock }: Pick<Context, 'params' | 'clock'>,
  problemJson: string | null,
): Promise<void> {
  for (const id of virtualDatabaseIds) {
    const { state } = await loadVirtualDatabase(trx, id)
    if (state !== 'creating') continue
    const changes = { state: 'failed', endedAt: clock.wallMs(), problemJson } as const
    await changeVirtualDatabase(trx, id, changes, clock)
  }
}

export function makeMakeGroupDatabases(services: KindServices): JobDefinition {
  return defineJob<GroupDatabasesParams, Results>({
    kind: 'make-group-databases',
    params,
    slots: () => [PARENT_SLOT],
    steps: [
      { name: 'points', run: (context) => takePoints(services, context) },
      {
        name: 'make',
        run: (context) => makeAll(services, context),
        undo: (context) => dropAll(services, context),
      },
    ],
    // Members are tried again by their own jobs.
    attemptMax: 1,
    deadlineMs: 24 * 3_600_000,
    ended: async (trx, context, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      await failUnbegun(trx, context, problemOf(problem))
    },
  })
}
