/**
 * Captures a raw image or a block device as a volume snapshot: session, lanes over segments of
 * 64 MiB, map, commit. Grains the pool knows already are recognised by their content, so each run
 * reads all data of the image and stores what is new.
 *
 * Memory: a read buffer and the pack buffers per lane; the map costs 100 bytes per 64 MiB.
 */
import { availableParallelism, hostname } from 'node:os'
import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { Throttle } from '@openmaas/kernel/throttle'
import { PoolOwnerSocket } from '../owner/owner-socket.ts'
import type { Session } from '@openmaas/pool/pool/session'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import { zeroWeights } from '@openmaas/pool/tree/weights'
import { volumeManifest } from '@openmaas/pool/volume/manifest'
import { DiskImage } from '@openmaas/source-disk/image'
import { assembleVolume, planSegments, type SegmentResult } from '@openmaas/source-disk/segment'
import { type Counters, makeCounterMemory, sumCounters } from './counters.ts'
import {
  type CaptureOptions,
  type CaptureProgress,
  type CaptureResult,
  type CaptureWarning,
  LANES_MAX,
} from './types.ts'
import { CANCELLED, type FromVolumeLane, type VolumeLaneData } from './volume-messages.ts'

const PROGRESS_INTERVAL_MS = 100

/**
 * @throws MaasError PATH_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_UNSUPPORTED, CANCELLED, POOL_*, FS_*
 */
export async function captureVolume(options: CaptureOptions): Promise<CaptureResult> {
  const { pool, onProgress } = options
  const startedAt = new Date()
  const startedMs = performance.now()
  using image = new DiskImage(resolve(options.path))
  const parent = findParent(options)
  const segments = shareSegments(image)
  // Once: finding the holes of a fragmented image takes as long as a second of the capture.
  const bytesExpected = dataBytes(image)
  const laneCount = Math.max(
    1,
    Math.min(options.lanes ?? availableParallelism(), LANES_MAX, segments.length),
  )
  const counters = makeCounterMemory(laneCount)
  let phase: CaptureProgress['phase'] = 'scanning'
  const progress = (): CaptureProgress => ({
    phase,
    ...sumCounters(counters),
    entries: 1,
    files: 1,
    bytesExpected,
    filesExpected: 1,
  })
  // Others plug and eject meanwhile: their pins go through this owner.
  await using _socket = await PoolOwnerSocket.listen(pool)
  const session = pool.openSession(parent === undefined ? {} : { parent: parent.id })
  // After all that may refuse: a timer that nobody clears keeps the process alive.
  const timer = onProgress && setInterval(() => onProgress(progress()), PROGRESS_INTERVAL_MS)
  try {
    const results = await runLanes(session, { options, image, segments, counters, laneCount })
    phase = 'committing'
    const lane = session.inlineLane()
    const { id, root } = assembleVolume(lane, image.size, results)
    const warnings = changedWarning(image)
    const manifest = volumeManifest(pool.chunks, root)
    const { newBytes, storedBytes }: Counters = sumCounters(counters)
    const first = warnings.map(({ path, message }) => `${path}: ${message}`)
    const snapshot = await session.commit(
      {
        ...manifest,
        source: { name: options.name, host: options.host ?? hostname(), path: image.path },
        startedAt: startedAt.toISOString(),
        endedAt: new Date().toISOString(),
        root: id.toString('hex'),
        summary: { ...manifest.summary, newBytes, storedBytes },
        status: warnings.length === 0 ? 'complete' : 'warnings',
        ...(parent !== undefined && { parent: parent.id }),
        ...(options.tags !== undefined && { tags: options.tags }),
        ...(options.lockUntil && { lockedUntil: options.lockUntil.toISOString() }),
        ...(warnings.length > 0 && { warnings: { count: warnings.length, first } }),
      },
      options.lockUntil === undefined ? {} : { lockUntil: pool.lockTime(options.lockUntil) },
    )
    phase = 'done'
    return {
      snapshot,
      weights: { ...zeroWeights(), bytes: image.size },
      progress: progress(),
      status: warnings.length === 0 ? 'complete' : 'warnings',
      warningCount: warnings.length,
      warnings,
      parent: parent?.id,
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

/** The newest volume of the same source: named as parent, and kept while this run lasts. */
function findParent({
  pool,
  name,
  host,
  path,
  parent = 'auto',
}: CaptureOptions): SnapshotRow | undefined {
  if (parent === 'none') return undefined
  return pool
    .snapshots()
    .toReversed()
    .find((row) => {
      if (parent !== 'auto') return row.id === parent
      if (row.kind !== 'volume') return false
      const { source } = pool.manifest(row)
      return (
        source.name === name &&
        source.host === (host ?? hostname()) &&
        source.path === resolve(path)
      )
    })
}

export function shareSegments(image: DiskImage): Uint32Array {
  const planned = [...planSegments(image)]
  const shared = new Uint32Array(new SharedArrayBuffer(planned.length * 4))
  shared.set(planned)
  return shared
}

export function dataBytes(image: DiskImage): number {
  let sum = 0
  for (const { length } of image.dataRanges(0, image.size)) sum += length
  return sum
}

/** A consistent image is the caller's business; that it was not still is said. */
export function changedWarning(image: DiskImage): CaptureWarning[] {
  if (!image.hasChanged()) return []
  return [{ kind: 'changed', path: image.path, message: 'written to while it was read' }]
}

interface LaneRun {
  readonly options: CaptureOptions
  readonly image: DiskImage
  readonly segments: Uint32Array
  readonly counters: SharedArrayBuffer
  readonly laneCount: number
}

async function runLanes(session: Session, run: LaneRun): Promise<SegmentResult[]> {
  const { options, image, segments, counters, laneCount } = run
  const control = new Int32Array(new SharedArrayBuffer(8))
  const cancel = (): void => void Atomics.store(control, CANCELLED, 1)
  const { bytesPerSecond } = options
  const limit = bytesPerSecond ? { throttle: Throttle.allocate(bytesPerSecond) } : {}
  options.signal?.addEventListener('abort', cancel)
  if (options.signal?.aborted === true) cancel()
  try {
    const lanes = Array.from({ length: laneCount }, (_, lane) =>
      runLane(session, {
        lane,
        path: image.path,
        identity: image.identity,
        session: session.laneHandoff(),
        counters,
        segments: segments.buffer as SharedArrayBuffer,
        control: control.buffer as SharedArrayBuffer,
        ...limit,
      }),
    )
    for (const lane of lanes) lane.catch(cancel) // One that fails ends the others.
    const settled = await Promise.allSettled(lanes)
    const failed = settled
      .filter((lane) => lane.status === 'rejected')
      .map(({ reason }) => reason as unknown)
    // The first cause, not the cancellation that followed from it.
    const cause = failed.find(
      (error) => !(error instanceof MaasError && error.code === 'CANCELLED'),
    )
    if (failed.length > 0) throw cause ?? failed[0]
    return settled.flatMap((lane) => (lane.status === 'fulfilled' ? lane.value : []))
  } finally {
    options.signal?.removeEventListener('abort', cancel)
  }
}

function runLane(session: Session, workerData: VolumeLaneData): Promise<readonly SegmentResult[]> {
  const worker = new Worker(new URL('volume-lane-worker.ts', import.meta.url), { workerData })
  return new Promise((settle, reject) => {
    worker.on('message', (message: FromVolumeLane) => {
      if (message.kind === 'sealed') session.packSealed(message.pack)
      else if (message.kind === 'ended') settle(message.results)
      else reject(reviveError(message.error))
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new MaasError('INTERNAL', 'a lane ended without a word')))
  })
}
