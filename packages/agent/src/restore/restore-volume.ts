/**
 * Restores a volume snapshot into an image file, or onto a block device.
 *
 * The file is written under a temporary name and renamed when it is complete; zeros stay holes.
 * A device is written in place, and only when the caller said `overwrite`: what it
 * held is gone from the first byte on.
 *
 * Memory: 1 MiB and the reader's caches per lane.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync } from 'node:fs'
import { renameSync, rmSync, type Stats, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import type { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { Throttle } from '@openmaas/kernel/throttle'
import { SEEK_END } from '@openmaas/kernel/posix/constants'
import { lseek } from '@openmaas/kernel/posix/files'
import { readVolumeRoot } from '@openmaas/pool/volume/root'
import { makeRestoreCounters, sumRestoreCounters } from './counters.ts'
import type { FromRestoreLane, ToRestoreLane } from './messages.ts'
import type { ConflictRule, RestoreOptions, RestoreProgress, RestoreResult } from './types.ts'
import { OVER, type RestoreVolumeLaneData, VOLUME_SEGMENT_SIZE } from './volume-messages.ts'
import { WarmRestoreLanes } from './warm-lanes.ts'

const LANES_MAX = 8
const PROGRESS_INTERVAL_MS = 100
const TEMPORARY_PREFIX = '.openmaas-restore.'
/** Renamed-away names tried before it is given up. */
const RENAME_ATTEMPTS_MAX = 10_000

interface Target {
  /** What is written. */
  readonly path: string
  /** What it is called in the end; absent for a device. */
  readonly finalPath?: string
}

/**
 * @param options.target a directory, in which the image gets the last name of its source; or a
 *   block device
 * @throws MaasError RESTORE_CONFLICT, CANCELLED, FS_*, CHUNK_MISSING, RECORD_INVALID,
 *   VOLUME_INVALID
 */
export async function restoreVolume(options: RestoreOptions): Promise<RestoreResult> {
  const startedMs = performance.now()
  const { reader, snapshot, onProgress, signal } = options
  const { size } = readVolumeRoot(reader.chunks, Buffer.from(snapshot.root, 'hex'))
  const lanes = Math.max(1, Math.min(options.lanes ?? availableParallelism(), LANES_MAX))
  const counters = makeRestoreCounters(lanes)
  let phase: RestoreProgress['phase'] = 'restoring'
  const progress = (): RestoreProgress => {
    const sums = sumRestoreCounters(counters)
    return { phase, ...sums, entries: 1, files: 1, entriesTotal: 1, bytesTotal: size }
  }
  const target = makeTarget(options, size)
  if (target === undefined || options.dryRun === true) {
    const skipped = target === undefined ? 1 : 0
    return makeResult({ ...progress(), skipped }, startedMs)
  }
  const timer = onProgress && setInterval(() => onProgress(progress()), PROGRESS_INTERVAL_MS)
  const control = new Int32Array(new SharedArrayBuffer(8))
  const cancel = (): void => void Atomics.store(control, OVER, 1)
  signal?.addEventListener('abort', cancel)
  if (signal?.aborted === true) cancel()
  try {
    const { bytesPerSecond } = options
    const limit = bytesPerSecond ? { throttle: Throttle.allocate(bytesPerSecond) } : {}
    const segments = Math.ceil(size / VOLUME_SEGMENT_SIZE)
    const data = Array.from({ length: Math.min(lanes, segments) }, (_, lane) => ({
      lane,
      snapshot: { kind: 'volume' as const, root: snapshot.root },
      reader: reader.handoff(lane),
      path: target.path,
      fresh: target.finalPath !== undefined,
      counters,
      control: control.buffer as SharedArrayBuffer,
      ...limit,
    }))
    await runLanes(data, cancel, options.warm)
    phase = 'finishing'
    finish(target)
    phase = 'done'
    return makeResult(progress(), startedMs)
  } catch (error) {
    if (target.finalPath !== undefined) rmSync(target.path, { force: true })
    throw error
  } finally {
    signal?.removeEventListener('abort', cancel)
    clearInterval(timer)
    onProgress?.(progress())
  }
}

function makeResult(progress: RestoreProgress, startedMs: number): RestoreResult {
  const durationMs = performance.now() - startedMs
  return { progress, status: 'complete', warningCount: 0, warnings: [], durationMs }
}

/** @returns undefined when what is there stays */
function makeTarget(options: RestoreOptions, size: number): Target | undefined {
  const { reader, snapshot, conflict = 'fail', dryRun } = options
  const found = statSync(options.target, { throwIfNoEntry: false })
  if (found?.isBlockDevice() === true) return checkDevice(options.target, size, conflict)
  const { source } = reader.manifest(snapshot)
  const finalPath = path.join(options.target, path.basename(source.path) || source.name)
  const present = statSync(finalPath, { throwIfNoEntry: false })
  if (present !== undefined && !makeRoom(finalPath, present, options)) return undefined
  const temporary = path.join(options.target, `${TEMPORARY_PREFIX}${path.basename(finalPath)}`)
  if (dryRun !== true) {
    try {
      makeDirectories(options.target)
      const file = openSync(temporary, 'w', 0o600)
      ftruncateSync(file, size)
      closeSync(file)
    } catch (error) {
      throw fsError((error as NodeJS.ErrnoException).code ?? 'EIO', 'create', temporary, error)
    }
  }
  return { path: temporary, finalPath }
}

/** @returns false when what is there stays */
function makeRoom(finalPath: string, present: Stats, options: RestoreOptions): boolean {
  const { conflict = 'fail', dryRun } = options
  if (conflict === 'skip') return false
  const replaceable = present.isFile() && conflict === 'overwrite'
  if (replaceable) return true // The rename at the end replaces it.
  if (conflict !== 'rename') {
    const message = `${finalPath} is in the way`
    throw new MaasError('RESTORE_CONFLICT', message, { path: finalPath })
  }
  for (let n = 1; n <= RENAME_ATTEMPTS_MAX; n += 1) {
    const away = `${finalPath}.~${n}~`
    if (existsSync(away)) continue
    if (dryRun !== true) renameSync(finalPath, away)
    return true
  }
  throw new MaasError('RESTORE_CONFLICT', 'no free name is left', { path: finalPath })
}

function checkDevice(device: string, size: number, conflict: ConflictRule): Target {
  if (conflict !== 'overwrite') {
    const message = `${device} is a device: what it holds would be lost`
    throw new MaasError('RESTORE_CONFLICT', message, { path: device })
  }
  const file = openSync(device, 'r')
  const room = lseek(file, 0, SEEK_END)
  closeSync(file)
  if (room < size) {
    const message = `${device} is smaller than the volume`
    throw new MaasError('FS_NO_SPACE', message, { path: device, size, room })
  }
  return { path: device }
}

/** A file is left to the system, like every restored file; a device may be pulled at once. */
function finish({ path: written, finalPath }: Target): void {
  if (finalPath !== undefined) {
    renameSync(written, finalPath)
    return
  }
  const device = openSync(written, 'r+')
  try {
    fsyncSync(device)
  } finally {
    closeSync(device)
  }
}

async function runLanes(
  lanes: readonly RestoreVolumeLaneData[],
  cancel: () => void,
  warm = new WarmRestoreLanes(0),
): Promise<void> {
  const workers = warm.take(lanes.length)
  const running = lanes.map((data, i) => runLane(workers[i]!, data))
  for (const lane of running) lane.catch(cancel) // One that fails ends the others.
  const settled = await Promise.allSettled(running)
  const failed = settled
    .filter((lane) => lane.status === 'rejected')
    .map(({ reason }) => reason as unknown)
  // The first cause, not the cancellation that followed from it.
  const cause = failed.find((error) => !(error instanceof MaasError && error.code === 'CANCELLED'))
  if (failed.length > 0) throw cause ?? failed[0]
}

function runLane(worker: Worker, data: RestoreVolumeLaneData): Promise<void> {
  const send = (message: ToRestoreLane): void => worker.postMessage(message)
  return new Promise<void>((settle, reject) => {
    worker.on('message', (message: FromRestoreLane) => {
      if (message.kind === 'done') settle()
      else if (message.kind === 'failed') reject(reviveError(message.error))
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new MaasError('INTERNAL', 'a lane ended without a word')))
    send({ kind: 'volume', data })
  }).finally(() => send({ kind: 'stop' }))
}
