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
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { appendEvent } from '../../catalog/events.ts'
import { type DatabasePoint, listDatabasePoints } from '../../database/points.ts'
import {
  chooseMoment,
  CLOCK_WARN_MS,
  type ClockReading,
  HEARTBEAT_ERROR_MS,
  spreadOf,
} from '../../group/moment.ts'
import { settleGroupRetention } from '../../group/retention.ts'
import { type GroupRow, listMembers, loadGroup } from '../../group/rows.ts'
import { labelsOf } from '../../http/columns.ts'
import type { Db } from '../../http/handler-context.ts'
import type { SourceRow } from '../../sources/list.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, JobRow, StepContext, Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { awaitJobs, ensureChild, PARENT_SLOT, requireAll } from './child-jobs.ts'
import { problemOf } from './medium-rows.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { DATA_TIMEOUT_MS, type KindServices } from './services.ts'

/** A point that lies further ahead was taken by a clock that is set wrong. */
const MOMENT_AHEAD_MAX_MS = 60_000

const params = z.object({ groupId: z.string() })
type GroupParams = z.infer<typeof params>

interface MemberPoint {
  readonly sourceId: string
  readonly pointId: string
  readonly clock: ClockReading | null
}
interface Results {
  readonly members: { readonly sourceIds: readonly string[] }
  readonly moment: {
    readonly groupPointId: string
    readonly atMs: number
    readonly bases: readonly { readonly sourceId: string; readonly pointId: string }[]
  }
  readonly protect: { readonly jobIds: readonly string[] }
  readonly close: {
    readonly points: readonly MemberPoint[]
    readonly spreadMs: number | null
  }
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

/** From here on retention leaves the base points to this run. */
async function recordMoment(trx: Trx, context: Context, result: Results['moment']): Promise<void> {
  const { groupPointId, atMs, bases } = result
  const { groupId } = context.params
  const ids = bases.map(({ pointId }) => pointId)
  const there = await trx
    .selectFrom('point')
    .select('id')
    .where('id', 'in', ids)
    .where('state', '=', 'available')
    .execute()
  if (there.length < new Set(ids).size) {
    throw new MaasError('POINT_NOT_AVAILABLE', 'a point of a member expired meanwhile', { ids })
  }
  await forget(trx, groupId)
  const row = { id: groupPointId, groupId, at: atMs, clockSpreadMs: null, reasonsJson: '[]' }
  const more = { jobId: context.job.id, createdAt: context.clock.wallMs() }
  await trx
    .insertInto('groupPoint')
    .values({ ...row, ...more, state: 'creating' })
    .execute()
  const members = bases.map(({ sourceId, pointId }) => ({
    groupPointId,
    sourceId,
    basePointId: pointId,
    pointId: null,
    clockOffsetMs: null,
    clockErrorMs: null,
  }))
  await trx.insertInto('groupPointMember').values(members).execute()
}

/** A group has one run at a time: whatever else is being made was left by one that died. */
async function forget(trx: Trx, groupId: string): Promise<void> {
  await trx
    .deleteFrom('groupPoint')
    .where('groupId', '=', groupId)
    .where('state', '=', 'creating')
    .execute()
}

async function listSources(db: Db, ids: readonly string[]): Promise<SourceRow[]> {
  const rows = await db.selectFrom('source').selectAll().where('id', 'in', ids).execute()
  return ids.map((id) => {
    const row = rows.find((each) => each.id === id)
    if (row !== undefined) return row
    throw new MaasError('OBJECT_NOT_FOUND', 'a member is no source any more', { id })
  })
}

const markTold = z.object({
  clock: z.object({ offsetMs: z.number(), errorMs: z.number() }).nullable().default(null),
})

/** Clocks of production against the server's: the agent's reading, and the agent's own clock. */
async function readClocks(db: Db, jobs: readonly JobRow[]): Promise<(ClockReading | null)[]> {
  const hosts = await db.selectFrom('host').select(['id', 'clockSkewMs']).execute()
  const standbys = await db
    .selectFrom('sourceDatabase')
    .innerJoin('source', 'source.id', 'sourceDatabase.sourceId')
    .select(['sourceDatabase.sourceId', 'sourceDatabase.stagingHostId', 'source.hostId'])
    .where(
      'sourceDatabase.sourceId',
      'in',
      jobs.map((job) => job.sourceId ?? ''),
    )
    .execute()
  const placed = jobs.map((job) => {
    const row = standbys.find(({ sourceId }) => sourceId === job.sourceId)
    return row?.stagingHostId ?? row?.hostId
  })
  const isOneHost = new Set(placed).size === 1
  return jobs.map((job, i) => {
    const told = markTold.safeParse(JSON.parse(job.resultJson ?? '{}')).data?.clock ?? null
    if (told === null || isOneHost) return told
    const skewMs = hosts.find(({ id }) => id === placed[i])?.clockSkewMs ?? 0
    return { offsetMs: told.offsetMs + skewMs, errorMs: told.errorMs + HEARTBEAT_ERROR_MS }
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
    const message = `the clocks of production are ${spread.leastMs} ms apart, more than the group allows`
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
  return { points, spreadMs: spread?.mostMs ?? null }
}

async function recordGroupPoint(trx: Trx, context: Context, result: Results['close']) {
  const { groupPointId, atMs } = context.results.moment
  const { groupId } = context.params
  const now = context.clock.wallMs()
  for (const { sourceId, pointId, clock } of result.points) {
    await trx
      .updateTable('groupPointMember')
      .set({
        pointId,
        clockOffsetMs: clock === null ? null : Math.round(clock.offsetMs),
        clockErrorMs: clock === null ? null : Math.ceil(clock.errorMs),
      })
      .where('groupPointId', '=', groupPointId)
      .where('sourceId', '=', sourceId)
      .execute()
  }
  await trx
    .updateTable('groupPoint')
    .set({ state: 'available', clockSpreadMs: result.spreadMs, reasonsJson: '["newest"]' })
    .where('id', '=', groupPointId)
    .execute()
  const group = await loadGroup(trx, groupId)
  await settleGroupRetention(trx, { groupId, policyId: group.policyId, now })
  const labels = labelsOf(group.labelsJson)
  const data = { groupId, at: new Date(atMs).toISOString(), clockSpreadMs: result.spreadMs }
  const more = { ...data, jobId: context.job.id, name: group.name }
  const event = { topic: 'points', type: 'group-point.created', subject: groupPointId } as const
  await appendEvent(trx, { ...event, labels, data: more }, context.clock)
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
        apply: recordMoment,
        undo: (context) => context.commit((trx) => forget(trx, context.params.groupId)),
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
      { name: 'close', run: close, apply: recordGroupPoint },
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

/** It may have been dissolved meanwhile. */
async function findGroup(trx: Trx, groupId: string): Promise<GroupRow | undefined> {
  try {
    return await loadGroup(trx, groupId)
  } catch (error) {
    if (isMaasError(error, 'OBJECT_NOT_FOUND')) return undefined
    throw error
  }
}
