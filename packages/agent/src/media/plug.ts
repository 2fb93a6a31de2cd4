/**
 * Plugging a recovery point in: record, pin, engine, disk, mount, in this order. Each step is
 * undone when a later one fails, and found by its record when this process is killed in between
 * (reconcile.ts).
 *
 * Cost: one read of the pool's log and index here and one in the engine; nothing depends on the
 * size of the snapshot.
 */
import { closeSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { makeLayerId, makeMediumId, type MediumId } from '@openmaas/kernel/ids'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { bootId } from '@openmaas/kernel/sysinfo'
import { type EngineProcess, makeKeyDescriptor, startKeeper } from '@openmaas/medium/engine/keeper'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import {
  type Attachment,
  attachMethodOf,
  loadMedium,
  mediumDirectory,
  type MediumRecord,
  saveMedium,
} from '@openmaas/medium/media/record'
import {
  fuseMountOf,
  nbdSocketOf,
  runtimeDirectoryOf,
} from '@openmaas/medium/media/runtime-directory'
import { attachDisk, detachDisk } from '../attach/attach-linux.ts'
import { mountFuse } from '../attach/fuse-mount.ts'
import { chooseAttachMethod, detachNbdDisk, takeNbdDisk } from '../attach/kernel-nbd.ts'
import { mountDisk } from '../attach/mount-disk.ts'
import { endEngine, waitUntilServing } from './engine-process.ts'
import { lockMedium } from './medium-lock.ts'
import { checkMountPoint, prepareMountPoint, removeMountPoint } from './mount-point.ts'
import { stateUnlocked } from './medium-state.ts'
import { pinMedium, unpinMedium } from './pin.ts'
import { removeMedium } from './remove.ts'
import type { PlugOptions, PlugResult, PoolAccess } from './types.ts'

const ENGINE_ENTRY = fileURLToPath(import.meta.resolve('@openmaas/medium/engine/main'))

/**
 * @throws MaasError SNAPSHOT_NOT_FOUND, NOT_ROOT, MEDIUM_ATTACH_FAILED, POOL_*, FS_*; then
 *   nothing is left behind
 */
export async function plug(pool: PoolAccess, options: PlugOptions): Promise<PlugResult> {
  const begin = pool.clock.monotonicMs()
  requirePrivilege(options)
  if (options.mount && options.mountPoint !== undefined) checkMountPoint(options.mountPoint)
  const id = makeMediumId(pool.clock, pool.random)
  const runtimeDirectory = runtimeDirectoryOf(id)
  const method = options.attach ? chooseAttachMethod(options.attachWish ?? 'auto') : undefined
  const nbd = options.nbd === 'unix' ? nbdSocketOf(runtimeDirectory) : options.nbd
  using _lock = lockMedium(pool.fs, pool.path, id)
  const record: MediumRecord = {
    version: 1,
    id,
    snapshotId: options.snapshotId,
    sourceName: options.sourceName,
    readOnly: options.readOnly,
    createdAt: new Date(pool.clock.wallMs()).toISOString(),
    state: 'plugging',
    layers: [
      ...(options.baseLayers ?? []),
      ...(options.readOnly ? [] : [makeLayerId(pool.clock, pool.random)]),
    ],
    ...(options.quotaBytes !== undefined && { quotaBytes: options.quotaBytes }),
    ...(options.freeBytes !== undefined && { freeBytes: options.freeBytes }),
    ...(options.sizeBytes !== undefined && { sizeBytes: options.sizeBytes }),
    ...(options.controlId !== undefined && { controlId: options.controlId }),
    ...(options.bytesPerSecond !== undefined && { bytesPerSecond: options.bytesPerSecond }),
    attachment: {
      bootId: bootId(),
      host: hostname(),
      runtimeDirectory,
      ...(method === 'fuse-loop' && { fuseMount: fuseMountOf(runtimeDirectory) }),
      ...(method === 'kernel-nbd' && { kernelNbd: { identity: makeIdentity(pool, id) } }),
      ...(options.mount && options.mountPoint !== undefined && { mountPoint: options.mountPoint }),
      ...(nbd !== undefined && { nbd }),
    },
  }
  let keeperPid: number | undefined
  try {
    saveMedium(pool.fs, pool.path, record)
    // The engine opens the pool while the pin is written; nothing is handed out before both.
    keeperPid = startEngine(pool, record)
    await pinMedium(pool, record)
    return await attachServed(pool, record, { keeperPid, begin })
  } catch (error) {
    await undoPlug(pool, withKeeper(record, keeperPid), error)
    throw error
  }
}

/**
 * Attaches a medium again that was interrupted; its overlay holds everything flushed.
 *
 * @throws MaasError MEDIUM_BUSY when it is plugged; and of plug: then it stays interrupted
 */
export async function resume(
  pool: PoolAccess,
  { id }: { readonly id: MediumId },
): Promise<PlugResult> {
  const begin = pool.clock.monotonicMs()
  using _lock = lockMedium(pool.fs, pool.path, id)
  // As it stands now: whatever the caller has read may be older than another command.
  const record = loadMedium(pool.fs, pool.path, id)
  requirePrivilege({ attach: attachMethodOf(record.attachment) !== undefined })
  if (stateUnlocked(pool, record) !== 'interrupted') {
    throw new MaasError('MEDIUM_BUSY', `${id} is plugged: there is nothing to resume`, { id })
  }
  await takeDown(pool, record, { force: true }) // A dead mount may still stand there.
  const { loopDevice: _loop, keeperPid: _keeper, ...attachment } = record.attachment!
  const next: MediumRecord = {
    ...record,
    state: 'resuming',
    attachment: {
      ...attachment,
      bootId: bootId(),
      host: hostname(),
      ...(attachment.kernelNbd && { kernelNbd: { identity: makeIdentity(pool, record.id) } }),
    },
  }
  saveMedium(pool.fs, pool.path, next)
  let keeperPid: number | undefined
  try {
    keeperPid = startEngine(pool, next)
    return await attachServed(pool, next, { keeperPid, begin })
  } catch (error) {
    await takeDown(pool, withKeeper(next, keeperPid), { force: true })
    saveMedium(pool.fs, pool.path, { ...next, state: 'plugged' })
    throw error
  }
}

/** For taking it down: the engine may not have said yet who keeps it. */
function withKeeper(record: MediumRecord, keeperPid: number | undefined): MediumRecord {
  if (keeperPid === undefined) return record
  return { ...record, attachment: { ...record.attachment!, keeperPid } }
}

/** One of its own for each attachment: the kernel may still hold the disk of an earlier one. */
function makeIdentity(pool: PoolAccess, id: MediumId): string {
  return `openmaas:${id}:${pool.random.bytes(4).toString('hex')}`
}

/** @throws MaasError NOT_ROOT */
export function requirePrivilege(options: { readonly attach: boolean }): void {
  if (options.attach && process.getuid?.() !== 0) {
    throw new MaasError('NOT_ROOT', 'attaching a disk needs root; --nbd --no-attach does not')
  }
}

/** @returns the pid of the keeper. */
function startEngine(pool: PoolAccess, record: MediumRecord): number {
  const attachment = record.attachment!
  makeDirectories(attachment.runtimeDirectory, 0o700)
  const directory = mediumDirectory(pool.path, record.id)
  rmSync(path.join(directory, 'engine.json'), { force: true })
  let fuseFd: number | undefined
  const keyFd = makeKeyDescriptor(pool.masterKey)
  try {
    if (attachment.fuseMount !== undefined) {
      makeDirectories(attachment.fuseMount, 0o700)
      fuseFd = mountFuse(attachment.fuseMount, `openmaas:${record.id}`)
    }
    const engine: EngineProcess = {
      entry: ENGINE_ENTRY,
      mediumDirectory: directory,
      keyFd,
      logPath: path.join(directory, 'engine.log'),
      ...(fuseFd !== undefined && { fuseFd }),
    }
    return startKeeper(engine)
  } finally {
    closeSync(keyFd)
    if (fuseFd !== undefined) closeSync(fuseFd)
  }
}

/** Disk and mount over a running engine, and the record that says so. */
async function attachServed(
  pool: PoolAccess,
  record: MediumRecord,
  context: { keeperPid: number; begin: number },
): Promise<PlugResult> {
  const directory = mediumDirectory(pool.path, record.id)
  await waitUntilServing(directory, context.keeperPid)
  let attachment: Attachment = { ...record.attachment!, keeperPid: context.keeperPid }
  const { fuseMount, kernelNbd, mountPoint } = attachment
  const { readOnly } = record
  let fileSystem: string | undefined
  let device: string | undefined
  if (fuseMount !== undefined) {
    device = attachDisk(fuseMount, { readOnly, name: record.id })
    attachment = { ...attachment, loopDevice: device }
  } else if (kernelNbd !== undefined) {
    device = takeNbdDisk(kernelNbd.identity)
    attachment = { ...attachment, kernelNbd: { ...kernelNbd, device } }
  }
  if (device !== undefined) {
    // Before the mount: a kill in between is found by the record.
    saveMedium(pool.fs, pool.path, { ...record, attachment })
    if (mountPoint !== undefined) {
      prepareMountPoint(mountPoint, directory)
      fileSystem = mountDisk(device, mountPoint, { readOnly })
    }
  }
  const medium: MediumRecord = { ...record, state: 'plugged', attachment }
  saveMedium(pool.fs, pool.path, medium)
  const elapsedMs = pool.clock.monotonicMs() - context.begin
  return { medium, elapsedMs, ...(fileSystem !== undefined && { fileSystem }) }
}

/** Ends disk, mount and engine of a medium, whichever of them there are. */
export async function takeDown(
  pool: PoolAccess,
  record: MediumRecord,
  options: { force: boolean },
): Promise<void> {
  const attachment = record.attachment
  if (attachment === undefined) return
  const directory = mediumDirectory(pool.path, record.id)
  if (attachment.bootId === bootId()) {
    const { kernelNbd, runtimeDirectory, keeperPid } = attachment
    if (options.force && kernelNbd !== undefined && !engineRuns(readStatus(directory))) {
      // Or the unmount writes to a disk that waits for an engine which does not come.
      await detachNbdDisk(kernelNbd.identity, { force: true })
    }
    await detachDisk(attachment, options)
    const force = options.force || record.state === 'plugging'
    await endEngine(directory, runtimeDirectory, {
      force,
      ...(keeperPid !== undefined && { keeperPid }),
    })
  }
  rmSync(attachment.runtimeDirectory, { recursive: true, force: true })
  if (attachment.mountPoint !== undefined) removeMountPoint(attachment.mountPoint, directory)
}

async function undoPlug(pool: PoolAccess, record: MediumRecord, reason: unknown): Promise<void> {
  try {
    await takeDown(pool, record, { force: true })
    await unpinMedium(pool, record.id)
    removeMedium(pool, record)
  } catch (cause) {
    // What could not be undone has its record: the next command tries again.
    const both = new AggregateError([reason, cause], `${record.id} was not undone whole`)
    if (!isMaasError(reason)) throw both
    const message = `${reason.message}; the next command clears away what was begun`
    throw new MaasError(reason.code, message, reason.details, { cause: both })
  }
}
