/**
 * protect-database: a new recovery point of a database (decision 0012). The first makes the
 * volume and the copy; every one sees to it that the standby follows, and freezes the volume at a
 * moment that the plug-in has marked. Nothing of the volume is undone when a step fails: the next
 * run finds what is there, and goes on with it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import type { Result } from '@openmaas/protocols/channel/orders'
import { mayHold } from '../../database/moment.ts'
import { type DatabaseMark, makeDatabaseTag } from '../../database/points.ts'
import { VOLUME_GROWTH_MAX } from '../../database/room.ts'
import { connectionOf, loadSourceDatabase, saveStatus } from '../../database/source-database.ts'
import type { Db } from '../../http/handler-context.ts'
import { recordOutcome } from '../../schedule/outcome.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, Step, StepContext } from '../definition.ts'
import {
  insertMedium,
  notePlugged,
  type PluggedPlace,
  plugPlace,
  VOLUME_PURPOSE,
} from './database-media.ts'
import { changeMedium } from './medium-rows.ts'
import { protectParams } from './prepare-capture.ts'
import type { ProtectParams } from './prepare-capture.ts'
import { prepareDatabase } from './prepare-database.ts'
import type { PreparedDatabase } from './prepare-database.ts'
import { makeProtectRequest } from './protect-request.ts'
import type { ProtectWish, SourceToProtect } from './protect-request.ts'
import { onVolume, withMounts } from './mounted-again.ts'
import { recordPoint } from './record-point.ts'
import { requireStandby } from './require-standby.ts'
import { DATA_TIMEOUT_MS, ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

/** A mark waits until the standby has what was committed: that may be a long way. */
const MARK_TIMEOUT_MS = 30 * 60_000
/** A clock of production that is further behind is set wrong. */
const CLOCK_WAIT_MAX_MS = 60_000
/** The second is later for sure, unless that clock was set back. */
const CLOCK_ROUNDS_MAX = 3
/** Set by the node on what a capture stores; a seal is told. */
const SOURCE_TAG = 'openmaas.source'

interface Results {
  readonly prepare: PreparedDatabase
  /** Of the empty volume, when one was made. */
  readonly volume: { readonly snapshotId: string | null }
  readonly attach: PluggedPlace
  readonly seed: { readonly version: string } | null
  readonly follow: DatabaseStatus
  readonly mark: Result<'database.mark'>
  readonly freeze: Result<'medium.freeze'>
  readonly seal: Result<'medium.seal'>
}
type Context = StepContext<ProtectParams, Results>

interface DatabaseWish extends ProtectWish {
  readonly onDemand?: boolean
  readonly receivedOnly?: boolean
  /** By the clock of production: its log has to reach beyond that moment. */
  readonly afterMs?: number | null
  /** A transaction or a place in the log that the point is taken for. */
  readonly wanted?: string | null
}

/** What `engine.enqueue` takes to protect this database. */
export function protectDatabaseRequest(source: SourceToProtect, wish: DatabaseWish) {
  const { onDemand = false, receivedOnly = false, afterMs = null, wanted = null } = wish
  const params = { onDemand, receivedOnly, afterMs, wanted }
  return makeProtectRequest('protect-database', source, wish, params)
}

const placeOf = ({ params, results: { prepare } }: Context) => ({
  engine: prepare.engine,
  id: params.sourceId,
  directory: prepare.directory,
})

const volumeOf = (context: Context) => {
  const { engine, hostId, mediumId } = context.results.prepare
  return onVolume(context, { engine, id: context.params.sourceId, hostId, mediumId })
}

const keyOf = (context: Context, suffix: string): string =>
  context.key(suffix === '' ? undefined : suffix)

async function connection(services: KindServices, context: Context) {
  const row = await loadSourceDatabase(context.catalog.db, context.params.sourceId)
  return { row, connection: await connectionOf(row, (id) => services.openSecret(id)) }
}

async function makeVolume(context: Context): Promise<Results['volume']> {
  const { newVolumeBytes, nodeId, poolId, sourceName } = context.results.prepare
  if (newVolumeBytes === null) return { snapshotId: null }
  return context.orders.order(
    nodeId,
    'volume.create',
    { poolId, requestId: context.job.id, sourceName, sizeBytes: newVolumeBytes },
    { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
  )
}

/** The row of the volume, and whose it is: from here on every run finds it. */
async function recordVolume(
  trx: Parameters<typeof insertMedium>[0],
  context: Context,
  { snapshotId }: Results['volume'],
): Promise<void> {
  if (snapshotId === null) return
  const { prepare } = context.results
  const { mediumId, sourceName, newVolumeBytes, identity, engineVersion } = prepare
  const { sourceId } = context.params
  const place = { ...prepare, sourceId, snapshotId, quotaBytes: null }
  await insertMedium(trx, place, {
    name: sourceName,
    purpose: VOLUME_PURPOSE,
    // Until there is one.
    pointId: '',
    labelsJson: JSON.stringify(prepare.labels),
    createdBy: context.job.actor,
    clock: context.clock,
  })
  await trx
    .updateTable('sourceDatabase')
    .set((e) => ({
      mediumId,
      volumeBytes: newVolumeBytes,
      volumeMaxBytes: e.fn.coalesce(
        'volumeMaxBytes',
        e.val(VOLUME_GROWTH_MAX * (newVolumeBytes ?? 0)),
      ),
      identity,
      engineVersion,
    }))
    .where('sourceId', '=', sourceId)
    .execute()
}

async function seed(services: KindServices, context: Context): Promise<Results['seed']> {
  const { isSeeded, renews, hostId } = context.results.prepare
  if (isSeeded) return null
  const asked = await connection(services, context)
  const wanted = { ...placeOf(context), connection: asked.connection }
  return withMounts(services, context, volumeOf(context), (suffix) =>
    context.orders.order(
      hostId,
      'database.seed',
      { ...wanted, ...(renews && { renew: context.job.id }) },
      {
        key: keyOf(context, suffix),
        timeoutMs: DATA_TIMEOUT_MS,
        signal: context.signal,
        onProgress: context.progress,
      },
    ),
  )
}

async function follow(services: KindServices, context: Context): Promise<DatabaseStatus> {
  const options = { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const { hostId, engine } = context.results.prepare
  if (context.params.receivedOnly) {
    return context.orders.order(hostId, 'database.status', placeOf(context), options)
  }
  const asked = await connection(services, context)
  const { retainedLimitBytes, synchronous } = asked.row
  const order = {
    ...placeOf(context),
    connection: asked.connection,
    retainedLimitBytes,
    synchronous: synchronous === 1,
  }
  const status = await withMounts(services, context, volumeOf(context), (suffix) => {
    const key = keyOf(context, suffix)
    return context.orders.order(hostId, 'database.follow', order, { ...options, key })
  })
  await requireStandby(context, { ...asked, engine, hostId }, status)
  return status
}

/** Again where production's clock is behind ours, and the log has to reach a given moment. */
async function mark(services: KindServices, context: Context): Promise<Results['mark']> {
  const { receivedOnly, afterMs } = context.params
  const asked = receivedOnly ? null : await connection(services, context)
  for (let round = 0; ; round += 1) {
    const marked = await context.orders.order(
      context.results.prepare.hostId,
      'database.mark',
      { ...placeOf(context), connection: asked?.connection ?? null },
      {
        key: context.key(round === 0 ? undefined : `again-${round}`),
        timeoutMs: MARK_TIMEOUT_MS,
        signal: context.signal,
      },
    )
    requireWanted(context, marked)
    if (afterMs === null || marked.atMs > afterMs) return marked
    const behindMs = Math.ceil(afterMs - marked.atMs)
    if (behindMs > CLOCK_WAIT_MAX_MS || round > CLOCK_ROUNDS_MAX) {
      const message = `the clock of production is ${behindMs} ms behind the moment of the group`
      throw new MaasError('GROUP_CLOCKS_APART', message, { behindMs })
    }
    await delay(behindMs + 1, undefined, { signal: context.signal })
  }
}

/**
 * A point that cannot have what it is taken for would be taken in vain, and be left behind.
 *
 * @throws MaasError DATABASE_TARGET_UNREACHABLE
 */
function requireWanted({ params, results }: Context, { position }: Results['mark']): void {
  const { wanted } = params
  if (wanted === null) return
  const mark = { engine: results.prepare.engine, ...position }
  if (mayHold(mark, wanted) !== false) return
  const message = `there is no ${wanted} in the log of production yet: no point was taken for it`
  throw new MaasError('DATABASE_TARGET_UNREACHABLE', message, { wanted, isToCome: true })
}

async function markOf(db: Db, context: Context): Promise<DatabaseMark> {
  const { prepare, mark: marked, seed: seeded } = context.results
  const row = await loadSourceDatabase(db, context.params.sourceId)
  const { position, detail } = marked.position
  return {
    engine: prepare.engine,
    engineVersion: seeded?.version ?? prepare.engineVersion,
    position,
    detail,
    atMs: marked.atMs,
    logFromMs: marked.logFromMs,
    consistency: marked.consistency,
    connection: JSON.parse(row.connectionJson) as NonNullable<DatabaseMark['connection']>,
    ...(context.params.onDemand && { onDemand: true }),
  }
}

async function seal(context: Context): Promise<Results['seal']> {
  const { prepare } = context.results
  const { mediumId, poolId, nodeId, sourceName, lockUntil } = prepare
  const tags = {
    ...prepare.tags,
    [SOURCE_TAG]: context.params.sourceId,
    ...makeDatabaseTag(await markOf(context.catalog.db, context)),
  }
  const order = { mediumId, poolId, requestId: context.job.id, sourceName, lockUntil }
  return context.orders.order(
    nodeId,
    'medium.seal',
    { ...order, tags, rebase: true },
    {
      key: context.key(),
      timeoutMs: DATA_TIMEOUT_MS,
      signal: context.signal,
      onProgress: context.progress,
    },
  )
}

/** Once, and again after a boot: volume, mount, copy. */
function volumeSteps(services: KindServices): Step<ProtectParams, Results>[] {
  return [
    { name: 'prepare', run: (context) => prepareDatabase(services, context) },
    { name: 'volume', run: makeVolume, apply: recordVolume },
    {
      name: 'attach',
      run: (context) => {
        const { prepare, volume } = context.results
        const snapshotId = volume.snapshotId ?? prepare.snapshotId
        const { sourceId } = context.params
        const place = { ...prepare, sourceId, snapshotId, quotaBytes: null }
        return plugPlace(services, context, place, { format: 'auto' })
      },
      apply: async (trx, { results: { prepare }, clock }, told) => {
        const row = await trx
          .selectFrom('medium')
          .select('state')
          .where('id', '=', prepare.mediumId)
          .executeTakeFirst()
        // Once a minute: an event only when something has become so.
        if (row?.state !== 'plugged') await notePlugged(trx, prepare.mediumId, told, clock)
      },
    },
    {
      name: 'seed',
      run: (context) => seed(services, context),
      apply: async (trx, { params: { sourceId }, clock }, seeded) => {
        if (seeded === null) return
        await trx
          .updateTable('sourceDatabase')
          .set({ seededAt: clock.wallMs(), engineVersion: seeded.version })
          .where('sourceId', '=', sourceId)
          .execute()
      },
    },
  ]
}

/** Each time: the standby follows, a moment is marked, frozen, stored. */
function pointSteps(services: KindServices): Step<ProtectParams, Results>[] {
  return [
    {
      name: 'follow',
      run: (context) => follow(services, context),
      apply: (trx, { params: { sourceId }, clock }, status) =>
        saveStatus(trx, sourceId, status, clock.wallMs()),
    },
    { name: 'mark', run: (context) => mark(services, context) },
    {
      name: 'freeze',
      run: (context) => {
        const { mediumId, nodeId, poolId } = context.results.prepare
        const order = { mediumId, poolId, requestId: context.job.id }
        const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
        const key = context.key()
        return context.orders.order(nodeId, 'medium.freeze', order, { ...options, key })
      },
    },
    {
      name: 'seal',
      run: seal,
      apply: async (trx, context, result) => {
        const marked = await markOf(trx, context)
        const pointId = await recordPoint(services, trx, context, result, {
          consistency: marked.consistency,
          databaseJson: JSON.stringify(marked),
        })
        // What the volume stands on from now on: retention leaves it.
        const { mediumId } = context.results.prepare
        await changeMedium(trx, mediumId, { pointId }, context.clock)
      },
    },
  ]
}

export function makeProtectDatabase(services: KindServices): JobDefinition {
  return defineJob<ProtectParams, Results>({
    kind: 'protect-database',
    params: protectParams,
    slots: ({ sourceId, hostId, poolId }) => [
      `source:${sourceId}`,
      `host:${hostId}`,
      `pool:${poolId ?? 'any'}`,
    ],
    steps: [...volumeSteps(services), ...pointSteps(services)],
    attemptMax: 4,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: ({ prepare: { poolId, mediumId }, mark: marked, seal: result }) => {
      const { consistency, position, prunedBytes, atMs, clock = null } = marked
      const { warnings, ...stored } = result
      const more = { poolId, mediumId, consistency, position: position.position, prunedBytes }
      return { result: { ...stored, ...more, atMs, clock, warnings: warnings.slice(0, 20) } }
    },
    ended: async (trx, { params: { sourceId, wanted }, job, clock }, { state, problem }) => {
      // The source is well: somebody asked for what there is not.
      if (wanted !== null && problem?.code === 'DATABASE_TARGET_UNREACHABLE') return
      await recordOutcome(trx, { sourceId, purpose: 'protect', jobId: job.id, state, clock })
    },
  })
}
