/**
 * Captures a directory as a tree snapshot: session, lanes, root, commit. Only when it resolves is
 * the point there and durable; whatever fails leaves the pool as if the run had never been.
 */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { availableParallelism } from 'node:os'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { Throttle } from '@openmaas/kernel/throttle'
import { PoolOwnerSocket } from '../owner/owner-socket.ts'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { SnapshotManifest, SnapshotRow } from '@openmaas/pool/pool/types'
import { zeroWeights } from '@openmaas/pool/tree/weights'
import { Coordinator, type CoordinatorResult } from './coordinator.ts'
import { makeCounterMemory, sumCounters } from './counters.ts'
import type { LaneWorkerData } from './messages.ts'
import { collectWarnings, manifestWarnings, ownerNames } from './report.ts'
import { checkSource, identify } from './source-directory.ts'
import {
  type CaptureOptions,
  type CaptureProgress,
  type CaptureResult,
  LANES_MAX,
} from './types.ts'

const PROGRESS_INTERVAL_MS = 100

interface Parent {
  readonly row: SnapshotRow
  readonly bytes: number
  readonly files: number
}

/**
 * @throws MaasError PATH_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_UNSUPPORTED, CANCELLED, POOL_*, FS_*
 */
export async function captureTree(options: CaptureOptions): Promise<CaptureResult> {
  const { pool } = options
  checkSource(options.path)
  const { parent, damaged } = findParent(options)
  // Else the new point would refer to what cannot be read.
  if (damaged) await pool.distrustDamaged()
  try {
    return await runCapture(options, parent)
  } catch (error) {
    // A parent that cannot be read must not stop the backup that would heal it.
    const unreadable =
      isMaasError(error) && error.category === 'corrupt' && error.code !== 'INTERNAL'
    if (parent === undefined || !unreadable || pool.status().readOnly) throw error
    await pool.distrustDamaged()
    return await runCapture(options, undefined)
  }
}

async function runCapture(
  options: CaptureOptions,
  parent: Parent | undefined,
): Promise<CaptureResult> {
  const { pool, signal, onProgress } = options
  const startedAt = new Date()
  const startedMs = performance.now()
  // Others plug and eject meanwhile: their pins go through this owner.
  await using _socket = await PoolOwnerSocket.listen(pool)
  const session = pool.openSession(parent === undefined ? {} : { parent: parent.row.id })
  const setup = makeSetup(options, parent)
  let phase: CaptureProgress['phase'] = 'scanning'
  const progress = (): CaptureProgress => ({
    phase,
    ...sumCounters(setup.counters),
    bytesExpected: parent?.bytes,
    filesExpected: parent?.files,
  })
  const timer = onProgress && setInterval(() => onProgress(progress()), PROGRESS_INTERVAL_MS)
  try {
    const lanes = laneCount(options)
    const reader = pool.readerHandoff()
    const workers: LaneWorkerData[] = []
    for (let lane = 0; lane < lanes; lane += 1) {
      workers.push({ setup: { ...setup, lane }, session: session.laneHandoff(), reader })
    }
    const rootTask = { path: '', oldEntry: undefined }
    const onSealed = session.packSealed.bind(session)
    const captured = await new Coordinator({
      workers,
      rootTask,
      onSealed,
      signal,
      warm: options.warm,
    }).run()
    phase = 'committing'
    const counters = sumCounters(setup.counters)
    const manifest = makeManifest(options, { parent, startedAt, captured, counters })
    const { lockUntil } = options
    const lock = lockUntil === undefined ? {} : { lockUntil: pool.lockTime(lockUntil) }
    const snapshot = await session.commit(manifest, lock)
    phase = 'done'
    const { warnings, warningCount } = collectWarnings(captured)
    return {
      snapshot,
      weights: captured.root.weights,
      progress: progress(),
      status: warningCount === 0 ? 'complete' : 'warnings',
      warningCount,
      warnings,
      parent: parent?.row.id,
      durationMs: performance.now() - startedMs,
    }
  } catch (error) {
    session.abort()
    throw error
  } finally {
    clearInterval(timer)
    onProgress?.(progress())
  }
}

function laneCount({ lanes }: CaptureOptions): number {
  return Math.max(1, Math.min(lanes ?? availableParallelism(), LANES_MAX))
}

function makeSetup(
  options: CaptureOptions,
  parent: Parent | undefined,
): Omit<LaneWorkerData['setup'], 'lane'> {
  const { pool, path, rules = {} } = options
  return {
    path: resolve(path),
    rules,
    parentRoot: parent && Buffer.from(parent.row.root, 'hex'),
    skip: pool.status().bricks.flatMap((brick) => identify(brick) ?? []),
    counters: makeCounterMemory(laneCount(options)),
    hungry: new SharedArrayBuffer(8),
    ...(options.bytesPerSecond && { throttle: Throttle.allocate(options.bytesPerSecond) }),
  }
}

/**
 * The newest point of the same source, unless the caller says otherwise.
 *
 * @returns damaged: a manifest could not be read on the way
 */
function findParent(options: CaptureOptions): {
  readonly parent: Parent | undefined
  readonly damaged: boolean
} {
  const { pool, parent = 'auto' } = options
  const none = { parent: undefined, damaged: false }
  if (parent === 'none') return none
  if (parent !== 'auto') {
    const row = pool.snapshots().find(({ id }) => id === parent)
    if (row === undefined)
      throw new MaasError('SNAPSHOT_NOT_FOUND', 'the parent is not there', { parent })
    return { parent: parentOf(pool, row), damaged: false }
  }
  // What was lost is healed only by reading it again: then nothing may be taken over unread.
  if (pool.status().lostPacks.length > 0) return none
  const source = sourceOf(options)
  let damaged = false
  for (const row of pool.snapshots().toReversed()) {
    if (row.kind !== 'tree') continue
    const of = readSource(pool, row)
    damaged ||= of === undefined
    if (of?.name === source.name && of.host === source.host && of.path === source.path) {
      return { parent: parentOf(pool, row), damaged }
    }
  }
  return { parent: undefined, damaged }
}

/** A manifest that cannot be read is no parent; fsck will name it. */
function readSource(pool: Pool, row: SnapshotRow): SnapshotManifest['source'] | undefined {
  try {
    return pool.manifest(row).source
  } catch (error) {
    if (isMaasError(error) && error.category === 'corrupt') return undefined
    throw error
  }
}

function parentOf(pool: Pool, row: SnapshotRow): Parent {
  const { bytes = 0, files = 0 } = pool.manifest(row).summary
  return { row, bytes, files }
}

function sourceOf({ name, host, path }: CaptureOptions): SnapshotManifest['source'] {
  return { name, host: host ?? hostname(), path: resolve(path) }
}

interface ManifestParts {
  readonly parent: Parent | undefined
  readonly startedAt: Date
  readonly captured: CoordinatorResult
  readonly counters: { readonly newBytes: number; readonly storedBytes: number }
}

function makeManifest(options: CaptureOptions, parts: ManifestParts): SnapshotManifest {
  const { parent, startedAt, captured, counters } = parts
  const { newBytes, storedBytes } = counters
  const { root, reports } = captured
  const warnings = manifestWarnings(captured)
  const parentId: { parent?: SnapshotId } = parent === undefined ? {} : { parent: parent.row.id }
  return {
    kind: 'tree',
    source: sourceOf(options),
    startedAt: startedAt.toISOString(),
    endedAt: new Date().toISOString(),
    root: Buffer.from(root.id).toString('hex'),
    // What the run added is said with the point: it cannot be found out later.
    summary: { ...zeroWeights(), ...root.weights, newBytes, storedBytes },
    ...ownerNames(reports),
    status: warnings.count === 0 ? 'complete' : 'warnings',
    ...parentId,
    ...(options.tags === undefined ? {} : { tags: options.tags }),
    ...(options.lockUntil && { lockedUntil: options.lockUntil.toISOString() }),
    ...(warnings.count === 0 ? {} : { warnings }),
  }
}
