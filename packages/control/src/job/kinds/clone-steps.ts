/**
 * What making, refreshing, resetting and verifying have in common: a clone is chosen, plugged, and
 * an instance on it recovered. Where only the engine knows which point a transaction lies behind,
 * one after the other is tried; each has media of its own, so that a crash confuses nobody.
 */
import { z } from 'zod'
import { makeControlId } from '@openmaas/api/ids'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type {
  DatabaseConnection,
  RecoveryTarget,
  RunningInstance,
} from '@openmaas/protocols/channel/database-orders'
import { findWay } from '../../database/moment.ts'
import { connectionOf, loadSourceDatabase } from '../../database/source-database.ts'
import { listDatabasePoints } from '../../database/points.ts'
import type { DatabasePoint } from '../../database/points.ts'
import { listenOf, settingsOf, type VirtualDatabaseRow } from '../../virtual-database/rows.ts'
import type { StepContext, Trx } from '../definition.ts'
import { nodeOfPool } from './choose-pool.ts'
import {
  CLONE_PURPOSE,
  insertMedium,
  LOG_PURPOSE,
  type MediumPlace,
  mountPathOf,
  noteEjected,
  type PluggedPlace,
  plugPlace,
  unplugPlace,
} from './database-media.ts'
import { againOf, attemptOf, withMounts } from './mounted-again.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

export const momentParams = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('newest') }),
  z.object({ kind: z.literal('point'), pointId: z.string() }),
  z.object({ kind: z.literal('time'), atMs: z.number() }),
  z.object({ kind: z.literal('transaction'), id: z.string() }),
  z.object({ kind: z.literal('position'), position: z.string() }),
])

export interface ChosenCandidate {
  /** Null on a bookmark. */
  readonly pointId: string | null
  readonly dataAt: number | null
  readonly position: string | null
  readonly base: MediumPlace
  readonly log: MediumPlace | null
}
export interface Chosen {
  readonly candidates: readonly ChosenCandidate[]
  readonly target: RecoveryTarget
}
export interface Recovered {
  readonly candidate: ChosenCandidate
  readonly told: PluggedPlace
  readonly instance: RunningInstance
}

/** Recovery reads log at the speed of a disk; hours of log are the exception. */
const RECOVER_TIMEOUT_MS = 12 * 3_600_000

/** For whom the clone is. */
export interface CloneOwner {
  readonly id: string
  readonly sourceId: string
  readonly hostId: string
  readonly quotaBytes: number | null
}

type AnyContext = StepContext<unknown, unknown>

/** @throws MaasError DATABASE_TARGET_UNREACHABLE, POINT_NOT_AVAILABLE */
export async function chooseMoment(
  services: KindServices,
  context: AnyContext,
  owner: CloneOwner,
  moment: z.infer<typeof momentParams>,
): Promise<Chosen> {
  const { db } = context.catalog
  const points = await listDatabasePoints(db, owner.sourceId)
  const { candidates, target } = findWay(points, moment)
  if (candidates.length === 0) {
    const { sourceId } = owner
    throw new MaasError('DATABASE_TARGET_UNREACHABLE', 'there is no recovery point', { sourceId })
  }
  const sourceName = await nameOfSource(context, owner.sourceId)
  const placeOf = async (
    point: DatabasePoint,
    quotaBytes: number | null,
  ): Promise<MediumPlace> => ({
    mediumId: makeControlId('medium', context.clock, services.random),
    poolId: point.poolId,
    nodeId: await nodeOfPool(db, point.poolId),
    hostId: owner.hostId,
    sourceId: owner.sourceId,
    sourceName,
    snapshotId: point.snapshotId,
    quotaBytes,
  })
  const chosen: ChosenCandidate[] = []
  for (const { base, later } of candidates) {
    chosen.push({
      pointId: base.id,
      dataAt: target.kind === 'time' ? target.atMs : base.mark.atMs,
      position: base.mark.position,
      base: await placeOf(base, owner.quotaBytes),
      log: later === null ? null : await placeOf(later, null),
    })
  }
  return { candidates: chosen, target }
}

/** On a state that was kept: a bookmark. */
export async function chooseSnapshot(
  services: KindServices,
  context: AnyContext,
  owner: CloneOwner,
  of: { readonly poolId: string; readonly snapshotId: string; readonly takenAt: number | null },
): Promise<Chosen> {
  const base: MediumPlace = {
    mediumId: makeControlId('medium', context.clock, services.random),
    poolId: of.poolId,
    nodeId: await nodeOfPool(context.catalog.db, of.poolId),
    hostId: owner.hostId,
    sourceId: owner.sourceId,
    sourceName: await nameOfSource(context, owner.sourceId),
    snapshotId: of.snapshotId,
    quotaBytes: owner.quotaBytes,
  }
  const candidate = { pointId: null, dataAt: of.takenAt, position: null, base, log: null }
  return { candidates: [candidate], target: { kind: 'snapshot' } }
}

async function nameOfSource(context: AnyContext, sourceId: string): Promise<string> {
  const row = await context.catalog.db
    .selectFrom('source')
    .select('name')
    .where('id', '=', sourceId)
    .executeTakeFirst()
  return row?.name ?? sourceId
}

/** Rows of all media that may come into being; those that do not are ended by `settleMedia`. */
export async function recordMedia(
  trx: Trx,
  context: AnyContext,
  { candidates }: Chosen,
  of: { readonly name: string; readonly labelsJson: string },
): Promise<void> {
  const { clock } = context
  const createdBy = context.job.actor
  for (const { base, log, pointId } of candidates) {
    const more = { ...of, clock, createdBy, pointId: pointId ?? '' }
    await insertMedium(trx, base, { ...more, purpose: CLONE_PURPOSE })
    if (log !== null) await insertMedium(trx, log, { ...more, purpose: LOG_PURPOSE })
  }
}

/** All media of the choice but that one have ended. */
export async function settleMedia(
  trx: Trx,
  context: AnyContext,
  { candidates }: Chosen,
  keptId: string | null,
): Promise<void> {
  for (const { base, log } of candidates) {
    if (base.mediumId !== keptId) await noteEjected(trx, base.mediumId, context.clock)
    if (log !== null) await noteEjected(trx, log.mediumId, context.clock)
  }
}

export async function plugCandidate(
  services: KindServices,
  context: AnyContext,
  { base, log }: ChosenCandidate,
): Promise<Recovered['told']> {
  const told = await plugPlace(services, context, base)
  if (log !== null) await plugPlace(services, context, log)
  return told
}

export async function unplugCandidate(
  context: AnyContext,
  { base, log }: ChosenCandidate,
): Promise<void> {
  const options = { force: true, suffix: attemptOf(context) }
  if (log !== null) await unplugPlace(context, log, options)
  await unplugPlace(context, base, options)
}

/** Of a virtual database, or of one that is only tried. */
export interface InstanceWish {
  readonly id: string
  readonly engine: string
  readonly port: number | null
  readonly listen: string[]
  readonly user: string
  readonly password: string
  readonly settings: Record<string, string>
  /** Production, for one that follows it. */
  readonly follow?: DatabaseConnection | null
  readonly paused?: boolean
  readonly asProduction?: boolean
}

export async function wishOf(
  services: KindServices,
  context: AnyContext,
  row: VirtualDatabaseRow,
): Promise<InstanceWish> {
  const { id, engine, port, userName: user } = row
  return {
    id,
    engine,
    port,
    user,
    password: await services.openSecret(row.secretId),
    listen: listenOf(row),
    settings: settingsOf(row),
    follow: await productionOf(services, context, row),
    paused: row.syncPaused === 1,
    asProduction: row.mode === 'production',
  }
}

/** @returns null for one that follows nothing */
export async function productionOf(
  services: KindServices,
  { catalog }: AnyContext,
  row: Pick<VirtualDatabaseRow, 'sourceId' | 'liveSync'>,
): Promise<DatabaseConnection | null> {
  if (row.liveSync === 0) return null
  const source = await loadSourceDatabase(catalog.db, row.sourceId)
  return connectionOf(source, (secretId) => services.openSecret(secretId))
}

/** Brings the instance up on the first candidate whose log leads to the target. */
export async function recoverClone(
  services: KindServices,
  context: AnyContext,
  chosen: Chosen,
  wish: InstanceWish,
): Promise<Recovered> {
  for (const [i, candidate] of chosen.candidates.entries()) {
    const isLast = i + 1 === chosen.candidates.length
    const told = await plugIfThere(services, context, candidate)
    if (told === undefined) continue
    const { base, log } = candidate
    try {
      const wanted = { candidate, target: chosen.target, wish }
      const instance = await activateOn(services, context, wanted)
      // What led to the target is in the clone by now.
      if (log !== null) await letGo(context, log)
      return { candidate, told, instance }
    } catch (error) {
      if (isLast || !isMaasError(error, 'DATABASE_TARGET_UNREACHABLE')) throw error
      context.log('info', error.code, `not behind ${candidate.pointId ?? 'the bookmark'}`)
      const { engine, id } = wish
      const suffix = attemptOf(context)
      await deactivateAt(context, { engine, id, base, immediate: true, suffix })
      await unplugCandidate(context, candidate)
    }
  }
  throw new MaasError('DATABASE_TARGET_UNREACHABLE', 'no recovery point leads there')
}

async function activateOn(
  services: KindServices,
  context: AnyContext,
  of: {
    readonly candidate: ChosenCandidate
    readonly target: RecoveryTarget
    readonly wish: InstanceWish
  },
): Promise<RunningInstance> {
  const { candidate, target, wish } = of
  const { base, log } = candidate
  const { engine, id } = wish
  const directory = mountPathOf(base.mediumId)
  const logDirectories = log === null ? [] : [mountPathOf(log.mediumId)]
  const media = (): Promise<MediumPlace[]> => Promise.resolve(log === null ? [base] : [base, log])
  const ending = { engine, id, base, immediate: true, suffix: againOf(context) }
  const stop = (): Promise<void> => deactivateAt(context, ending)
  return withMounts(services, context, { media, stop }, (suffix) =>
    context.orders.order(
      base.hostId,
      'database.activate',
      { ...wish, directory, logDirectories, target },
      {
        key: context.key(`activate:${base.mediumId}${suffix}`),
        timeoutMs: RECOVER_TIMEOUT_MS,
        signal: context.signal,
        onProgress: context.progress,
      },
    ),
  )
}

/** The instance runs: what is left of its log is cleared away by reconciliation. */
async function letGo(context: AnyContext, log: MediumPlace): Promise<void> {
  try {
    await unplugPlace(context, log, { force: true, suffix: attemptOf(context) })
  } catch (error) {
    context.signal.throwIfAborted()
    const { code, message } = errorToMessage(error)
    context.log('warning', code, message)
  }
}

/** @returns undefined when its point has expired since it was chosen; then nothing is plugged */
async function plugIfThere(
  services: KindServices,
  context: AnyContext,
  candidate: ChosenCandidate,
): Promise<Awaited<ReturnType<typeof plugCandidate>> | undefined> {
  try {
    return await plugCandidate(services, context, candidate)
  } catch (error) {
    const isGone =
      isMaasError(error, 'SNAPSHOT_NOT_FOUND') || isMaasError(error, 'POINT_NOT_AVAILABLE')
    if (!isGone) throw error
    const { code, message } = errorToMessage(error)
    context.log('info', code, `${candidate.pointId ?? 'the bookmark'}: ${message}`)
    await unplugCandidate(context, candidate)
    return undefined
  }
}

export interface Ending {
  readonly engine: string
  readonly id: string
  readonly base: Pick<MediumPlace, 'mediumId' | 'hostId'>
  readonly immediate: boolean
  readonly tolerant?: boolean
  /** Of the key, where a step stops it more than once. */
  readonly suffix?: string
  /** Of one that was promoted; null: it stands on the clone. */
  readonly directory?: string | null
  /** Production, where it keeps something for one that follows. */
  readonly forget?: DatabaseConnection | null
}

/** Stops what runs on the clone. A host that is away runs nothing that can be reached. */
export async function deactivateAt(context: AnyContext, of: Ending): Promise<void> {
  const { engine, id, base, immediate, tolerant = false, suffix = '', forget = null } = of
  const directory = of.directory ?? mountPathOf(base.mediumId)
  const place = { engine, id, directory }
  const key = context.key(`deactivate:${directory}${suffix}`)
  const timeoutMs = ORDER_TIMEOUT_MS
  try {
    if (forget !== null) await forgetStandby(context, base.hostId, { place, forget })
    await context.orders.order(
      base.hostId,
      'database.deactivate',
      { ...place, immediate },
      { key, timeoutMs },
    )
  } catch (error) {
    if (!tolerant || !isMaasError(error, 'HOST_OFFLINE')) throw error
    const { code, message } = errorToMessage(error)
    context.log('warning', code, message)
  }
}

/**
 * Ends following, so that production keeps no log for it any more. While production is away that
 * cannot be said to it: what it keeps is told in the log of the job.
 */
export async function forgetStandby(
  context: AnyContext,
  hostId: string,
  of: {
    readonly place: { readonly engine: string; readonly id: string; readonly directory: string }
    readonly forget: DatabaseConnection
  },
): Promise<void> {
  const { place, forget } = of
  const key = context.key(`forget:${place.directory}`)
  const order = { ...place, connection: forget, forget: true }
  try {
    const options = { key, timeoutMs: ORDER_TIMEOUT_MS }
    await context.orders.order(hostId, 'database.unfollow', order, options)
  } catch (error) {
    if (!isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
    const { remedy = '' } = error.details as { readonly remedy?: string }
    const how = remedy === '' ? 'its slot is dropped' : `this is run there: ${remedy}`
    const kept = `production is away, and may keep log for ${place.id} until ${how}`
    context.log('warning', error.code, `${kept}: ${error.message}`)
  }
}

/** The undo of every step above: nothing of the choice is left on host or node. */
export async function clearChoice(
  context: AnyContext,
  chosen: Chosen,
  of: Pick<Ending, 'engine' | 'id' | 'forget'>,
): Promise<void> {
  for (const candidate of chosen.candidates) {
    const { base } = candidate
    const { engine, id, forget = null } = of
    await deactivateAt(context, { engine, id, forget, base, immediate: true, tolerant: true })
    await unplugCandidate(context, candidate)
  }
}
