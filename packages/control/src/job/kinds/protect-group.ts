/**
 * protect-group: a moment T at which all members can be had (decision 0016). Every member is
 * protected by its own job, whose log reaches beyond T; what succeeds of them stays as a point of
 * its own when another fails, and only the group point is not made.
 *
 *   members ──▶ moment ──▶ protect ──▶ close
 *   a base of   T, a row   all jobs    clocks, the points of the members
 *   each        `creating`  ended
 */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { makeControlId } from '@openmaas/api/ids'
import { MaasError } from '@openmaas/kernel/errors'
import { appendEvent } from '../../catalog/events.ts'
import { type DatabasePoint, listDatabasePoints } from '../../database/points.ts'
import { chooseMoment, CLOCK_WARN_MS, spreadOf } from '../../group/moment.ts'
import { type GroupRow, listMembers, loadGroup } from '../../group/rows.ts'
import { labelsOf } from '../../http/columns.ts'
import type { Db } from '../../http/handler-context.ts'
import type { SourceRow } from '../../sources/list.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, JobRow, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { awaitJobs, ensureChild, PARENT_SLOT, requireAll } from './child-jobs.ts'
import { readClocks } from './group-clocks.ts'
import {
  type ChosenMoment,
  type ClosedMoment,
  findGroup,
  forgetUnfinished,
  recordGroupPoint,
  recordMoment,
} from './group-point-rows.ts'
import { problemOf } from './medium-rows.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { DATA_TIMEOUT_MS, type KindServices } from './services.ts'

/** A point that lies further ahead was taken by a clock that is set wrong. */
const MOMENT_AHEAD_MAX_MS = 60_000

const params = z.object({ groupId: z.string() })
type GroupParams = z.infer<typeof params>

interface Results {
  readonly members: { readonly sourceIds: readonly string[] }
  readonly moment: ChosenMoment
  readonly protect: { readonly jobIds: readonly string[] }
  readonly close: ClosedMoment
}
type Context = StepContext<GroupParams, Results>

export function protectGroupRequest(
  group: Pick<GroupRow, 'id' | 'labelsJson' | 'policyId'>,
  more: { readonly actor: string; readonly priority?: number },
): JobRequest & { readonly activeKey: string } {
  return {
    kind: 'protect-group',
    params: { groupId: group.id },
    actor: more.actor,
    priority: more.priority ?? 0,
    activeKey: `protect-group:${group.id}`,
    policyId: group.policyId,
    labels: labelsOf(group.labelsJson),
  }
}

async function protectMembers(
  services: KindServices,
  context: Context,
  sources: readonly SourceRow[],
  of: { readonly afterMs: number | null; readonly step: string },
): Promise<readonly JobRow[]> {
  const { policyId, priority, actor } = context.job
  const ids: string[] = []
  for (const source of sources) {
    const { afterMs, step } = of
    const request = protectDatabaseRequest(source, { actor, priority, policyId, afterMs })
    // One that is under way already may have marked before the moment.
    const activeKey = `${request.activeKey}:group:${context.job.id}:${step}`
    ids.push(await ensureChild(services, context, { ...request, activeKey }))
  }
  const ended = await awaitJobs(context, ids)
  requireAll(
    ended,
    sources.map(({ name }) => name),
    'no group point',
  )
  return ended
}

/** A clone is made of a point before the moment: each member has one. */
async function prepareMembers(services: KindServices, context: Context) {
  const { db } = context.catalog
  const sources = await listMembers(db, context.params.groupId)
  if (sources.length === 0) {
    throw new MaasError('OBJECT_NOT_FOUND', 'the group has no members', { ...context.params })
  }
  const without: SourceRow[] = []
  for (const source of sources) {
    if ((await newestPoint(db, source.id)) === undefined) without.push(source)
  }
  await protectMembers(services, context, without, { afterMs: null, step: 'base' })
  return { sourceIds: sources.map(({ id }) => id) }
}

async function newestPoint(db: Db, sourceId: string): Promise<DatabasePoint | undefined> {
  return (await listDatabasePoints(db, sourceId)).at(-1)
}

async function chooseMomentOf(services: KindServices, context: Context) {
  const { clock, catalog, signal } = context
  const bases: { sourceId: string; point: DatabasePoint }[] = []
  for (const sourceId of context.results.members.sourceIds) {
    const point = await newestPoint(catalog.db, sourceId)
    if (point === undefined) {
      throw new MaasError('POINT_NOT_AVAILABLE', 'a member has no point any more', { sourceId })
    }
    bases.push({ sourceId, point })
  }
  const now = clock.wallMs()
  const atMs = chooseMoment(
    now,
    bases.map(({ point }) => point),
  )
  if (atMs - now > MOMENT_AHEAD_MAX_MS) {
    const message = 'a point of a member is of the future: a clock was set back, or is ahead'
    throw new MaasError('GROUP_CLOCKS_APART', message, { at: new Date(atMs).toISOString() })
  }
  // By this clock it is over when the members are asked; each asks its production's clock too.
  if (atMs > now) await delay(atMs - now, undefined, { signal })
  return {
    groupPointId: makeControlId('groupPoint', clock, services.random),
    atMs,
    bases: bases.map(({ sourceId, point }) => ({ sourceId, pointId: point.id })),
  }
}

async function listSources(db: Db, ids: readonly string[]): Promise<SourceRow[]> {
  const rows = await db.selectFrom('source').selectAll().where('id', 'in', ids).execute()
  return ids.map((id) => {
    const row = rows.find((each) => each.id === id)
    if (row !== undefined) return row
    throw new MaasError('OBJECT_NOT_FOUND', 'a member is no source any more', { id })
  })
}

/** @throws MaasError GROUP_CLOCKS_APART */
async function close(context: Context): Promise<Results['close']> {
  const { db } = context.catalog
  const { jobIds } = context.results.protect
  const rows = await awaitJobs(context, jobIds)
  const clocks = await readClocks(db, rows)
  const spread = spreadOf(clocks)
  const { clockLimitMs } = await loadGroup(db, context.params.groupId)
  if (spread !== null && spread.leastMs > clockLimitMs) {
    const apart = `the clocks of production are ${spread.leastMs} ms apart`
    const message = `${apart}, more than the group allows`
    throw new MaasError('GROUP_CLOCKS_APART', message, { ...spread, clockLimitMs })
  }
  if (spread === null) {
    context.log('warning', 'GROUP_CLOCKS_APART', 'the clock of a production was not measured')
  } else if (spread.mostMs > CLOCK_WARN_MS) {
    const text = `the clocks of production may be ${spread.mostMs} ms apart`
    context.log('warning', 'GROUP_CLOCKS_APART', text)
  }
  const points = rows.map((row, i) => ({
    sourceId: row.sourceId ?? '',
    pointId: row.pointId ?? '',
    clock: clocks[i] ?? null,
  }))
  const { groupPointId, atMs } = context.results.moment
  return { moment: { groupPointId, atMs }, points, spreadMs: spread?.mostMs ?? null }
}

export function makeProtectGroup(services: KindServices): JobDefinition {
  return defineJob<GroupParams, Results>({
    kind: 'protect-group',
    params,
    slots: ({ groupId }) => [`group:${groupId}`, PARENT_SLOT],
    steps: [
      { name: 'members', run: (context) => prepareMembers(services, context) },
      {
        name: 'moment',
        run: (context) => chooseMomentOf(services, context),
        apply: (trx, context, result) => {
          const {
            job,
            params: { groupId },
            clock,
          } = context
          return recordMoment(trx, { groupId, jobId: job.id, now: clock.wallMs() }, result)
        },
        undo: (context) => context.commit((trx) => forgetUnfinished(trx, context.params.groupId)),
      },
      {
        name: 'protect',
        run: async (context) => {
          const sources = await listSources(context.catalog.db, context.results.members.sourceIds)
          const { atMs: afterMs } = context.results.moment
          const ended = await protectMembers(services, context, sources, { afterMs, step: 'log' })
          return { jobIds: ended.map(({ id }) => id) }
        },
      },
      {
        name: 'close',
        run: close,
        apply: (trx, context, result) => recordGroupPoint(services, trx, context, result),
      },
    ],
    // Members are tried again by their own jobs.
    attemptMax: 2,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: ({ moment: { groupPointId, atMs }, close: { spreadMs, points } }) => ({
      warning: spreadMs === null || spreadMs > CLOCK_WARN_MS,
      result: { groupPointId, at: new Date(atMs).toISOString(), clockSpreadMs: spreadMs, points },
    }),
    ended: async (trx, { params: { groupId }, clock }, { state, problem }) => {
      if (state === 'cancelled') return
      const group = await findGroup(trx, groupId)
      if (group === undefined) return
      const problemJson = state === 'failed' ? problemOf(problem) : null
      await trx
        .updateTable('consistencyGroup')
        .set({ problemJson })
        .where('id', '=', groupId)
        .execute()
      if (problem === null) return
      const { code, message } = problem
      const data = { name: group.name, code, message }
      const event = { topic: 'sources', type: 'group.failed', subject: groupId } as const
      await appendEvent(trx, { ...event, labels: labelsOf(group.labelsJson), data }, clock)
    },
  })
}
