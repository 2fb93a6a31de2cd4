/**
 * Makes the engine's file a disk of this machine and mounts its file system:
 * FUSE file → loop device with direct I/O → mount. Each step is undone by `detach`, in reverse,
 * and every step of that can be repeated.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import { AT_FDCWD, E, O_EXCL, O_RDONLY, O_RDWR } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { attachLoop, detachLoop } from '@openmaas/kernel/posix/loop'
import { MNT_DETACH } from '@openmaas/kernel/posix/mount'
import { findNbdDisk } from '@openmaas/kernel/posix/nbd-disk'
import { DISK_NAME } from '@openmaas/protocols/fuse/disk-server'
import type { Attachment } from '@openmaas/medium/media/record'
import { mediumBusy } from '../media/mount-users.ts'
import { listMounts, unmountIfMounted } from './fuse-mount.ts'
import { detachNbdDisk, refuseBusyNbdDisk } from './kernel-nbd.ts'
import { type MountRequest, type MountWait, runMountProcess } from './mount-process.ts'

/** @returns the path of the loop device. @throws MaasError FS_* */
export function attachDisk(
  fuseMount: string,
  options: { readOnly: boolean; name: string },
): string {
  const file = path.join(fuseMount, DISK_NAME)
  const flags = options.readOnly ? O_RDONLY : O_RDWR
  const fd = checked(openat(AT_FDCWD, cString(file), flags), 'open', file)
  try {
    const { readOnly, name } = options
    return attachLoop({ fd, name, blockSize: 512, readOnly, directIo: true }).path
  } finally {
    close(fd)
  }
}

export type Attached = Pick<Attachment, 'fuseMount' | 'kernelNbd'>

/**
 * For what is not written back yet: four gigabytes over a slow line. Less than what an order may
 * take, so that whoever gave it learns the reason.
 */
const UNMOUNT_TIMEOUT_MS = 120_000
/** A medium that is given up loses its name; what it writes back then is waited for so long. */
const FORCED_TIMEOUT_MS = 3_000
/** Until the process that takes the name away has begun, on a machine in trouble. */
const FORCED_BEGIN_MS = 60_000
const RELEASE_PAUSE_MS = 50

export interface DetachOptions {
  /** The engine is gone or the medium is given up: do not wait for users. */
  readonly force: boolean
  /** How long the file system may take to write back; by default two minutes. */
  readonly unmountTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Takes everything down that is still up, in reverse order. What waits for the disk waits in
 * another process (mount-process.ts): whoever serves it may be away.
 *
 * @throws MaasError MEDIUM_BUSY: then nothing has been taken down; MEDIUM_UNMOUNT_SLOW, CANCELLED:
 *   then the kernel goes on unmounting, and the next call waits for it
 */
export async function detachDisk(attached: Attached, options: DetachOptions): Promise<void> {
  // All that stand on our file: a plug may have died before it wrote down which one it got.
  const loops = attached.fuseMount === undefined ? [] : loopsOf(attached.fuseMount)
  // By what they are, not by their number: that may be somebody else's disk by now.
  const devices = [...loops, attached.kernelNbd && findNbdDisk(attached.kernelNbd.identity)]
  await unmountDisks(devices, options)
  if (!options.force) for (const loop of loops) await waitForRelease(loop, options)
  for (const loop of loops) detachLoop(loop)
  if (attached.fuseMount !== undefined) unmountIfMounted(attached.fuseMount, { force: true })
  if (attached.kernelNbd !== undefined) {
    const { identity } = attached.kernelNbd
    if (!options.force) refuseBusyNbdDisk(identity)
    await detachNbdDisk(identity, options)
  }
}

/** Wherever they are mounted. @throws MaasError as detachDisk */
export async function unmountDisks(
  devices: readonly (string | undefined)[],
  options: DetachOptions,
): Promise<void> {
  // Other mounts of the same disk (a bind, a namespace of the user) keep it busy, too.
  const mounts = listMounts().filter(({ source }) => devices.includes(source))
  for (const { target } of mounts.toReversed()) await unmountDisk(target, options)
}

async function unmountDisk(target: string, options: DetachOptions): Promise<void> {
  const { force, signal, unmountTimeoutMs = UNMOUNT_TIMEOUT_MS } = options
  const timeoutMs = force ? FORCED_BEGIN_MS : unmountTimeoutMs
  const request = { do: 'unmount', target, flags: force ? MNT_DETACH : 0 } as const
  // Bounded by the mounts stacked on one path, of which we make one.
  while (listMounts().some((entry) => entry.target === target)) {
    const wait = { timeoutMs, signal: force ? undefined : signal }
    const done = await (force ? dropName(request, wait) : runMountProcess(request, wait))
    if (done === false) throw mediumBusy(target)
    if (done === undefined) throw unmountSlow(target)
  }
}

/** The kernel takes the name away at once, and only then waits for the disk. */
async function dropName(
  request: Extract<MountRequest, { do: 'unmount' }>,
  wait: MountWait,
): Promise<string | boolean | undefined> {
  const nameless = new AbortController()
  const isNamed = (): boolean => listMounts().some(({ target }) => target === request.target)
  let namelessMs = 0
  const look = setInterval(() => {
    if (isNamed()) return
    namelessMs += RELEASE_PAUSE_MS
    if (namelessMs >= FORCED_TIMEOUT_MS) nameless.abort()
  }, RELEASE_PAUSE_MS)
  try {
    return await runMountProcess(request, { ...wait, signal: nameless.signal })
  } catch (error) {
    // The rest goes with the engine, which is ended next.
    if (nameless.signal.aborted) return true
    throw error
  } finally {
    clearInterval(look)
  }
}

/**
 * A file system that lost its name goes on writing back, to a disk that has to be there until it
 * is done: an unmount that was given up, or a mount in another namespace.
 */
async function waitForRelease(device: string, options: DetachOptions): Promise<void> {
  const { signal, unmountTimeoutMs = UNMOUNT_TIMEOUT_MS } = options
  for (let waitedMs = 0; waitedMs < unmountTimeoutMs; waitedMs += RELEASE_PAUSE_MS) {
    const fd = openat(AT_FDCWD, cString(device), O_RDONLY | O_EXCL)
    if (fd >= 0) close(fd)
    if (fd !== -E.EBUSY) return
    if (signal?.aborted === true) {
      throw new MaasError('CANCELLED', 'detaching the disk was cancelled', { device })
    }
    await delay(RELEASE_PAUSE_MS)
  }
  throw unmountSlow(device)
}

function unmountSlow(path: string): MaasError {
  const message = 'the file system is still writing back; nothing of it is lost yet'
  return new MaasError('MEDIUM_UNMOUNT_SLOW', message, { path })
}

/** The loop devices on the disk of that FUSE mount; none once the mount has lost its name. */
export function loopsOf(fuseMount: string): string[] {
  const file = path.join(fuseMount, DISK_NAME)
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop') && backingFile(name) === file)
    .map((name) => `/dev/${name}`)
}

/** @returns undefined for a loop device that is free, or gone */
function backingFile(name: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENXIO' || code === 'ENODEV') return undefined
    throw error
  }
}

/** True while the kernel answers the FUSE mount: its engine, or a keeper, still holds it. */
export function isServed(fuseMount: string): boolean {
  return listMounts().some((entry) => entry.target === fuseMount) && !isAborted(fuseMount)
}

function isAborted(fuseMount: string): boolean {
  const fd = openat(AT_FDCWD, cString(path.join(fuseMount, DISK_NAME)), O_RDONLY)
  if (fd >= 0) close(fd)
  return fd === -E.ENOTCONN || fd === -E.ECONNABORTED
}
