/**
 * Makes the engine's file a disk of this machine and mounts its file system:
 * FUSE file → loop device with direct I/O → mount. Each step is undone by `detach`, in reverse,
 * and every step of that can be repeated.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { AT_FDCWD, E, O_RDONLY, O_RDWR } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { attachLoop, detachLoop } from '@openmaas/kernel/posix/loop'
import { MS_NODEV, MS_NOSUID, MS_RDONLY, tryMount } from '@openmaas/kernel/posix/mount'
import { findNbdDisk } from '@openmaas/kernel/posix/nbd-disk'
import { DISK_NAME } from '@openmaas/protocols/fuse/disk-server'
import type { Attachment } from '@openmaas/medium/media/record'
import { listMounts, unmountIfMounted } from './fuse-mount.ts'
import { detachNbdDisk, refuseBusyNbdDisk } from './kernel-nbd.ts'

/** Tried in this order when the type is not known: what a medium holds in practice. */
const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs', 'vfat', 'ntfs3'] as const

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

/**
 * Mounts the disk's file system, whichever it is.
 *
 * @throws MaasError MEDIUM_ATTACH_FAILED when no kernel file system takes it
 */
export function mountDisk(device: string, target: string, options: { readOnly: boolean }): string {
  const flags = MS_NOSUID | MS_NODEV | (options.readOnly ? MS_RDONLY : 0)
  const refusals: string[] = []
  for (const type of FILE_SYSTEMS) {
    // A read-only disk cannot replay a journal; the snapshot's is empty or the state consistent.
    const data = options.readOnly
      ? { ext4: 'noload', xfs: 'norecovery' }[type as 'ext4' | 'xfs']
      : undefined
    const result = tryMount({
      source: device,
      target,
      type,
      flags,
      ...(data !== undefined && { data }),
    })
    if (result === 0) return type
    if (result === -E.EBUSY || result === -E.EPERM || result === -E.EACCES) {
      checked(result, 'mount', target)
    }
    refusals.push(`${type}: errno ${-result}`)
  }
  throw new MaasError('MEDIUM_ATTACH_FAILED', `no file system of this kernel mounts ${device}`, {
    device,
    refusals,
  })
}

export type Attached = Pick<Attachment, 'fuseMount' | 'kernelNbd'>

/**
 * Takes everything down that is still up, in reverse order.
 *
 * @param options.force the engine is gone or the medium is given up: do not wait for users
 * @throws MaasError MEDIUM_BUSY; then nothing has been taken down
 */
export async function detachDisk(attached: Attached, options: { force: boolean }): Promise<void> {
  // All that stand on our file: a plug may have died before it wrote down which one it got.
  const loops = attached.fuseMount === undefined ? [] : loopsOf(attached.fuseMount)
  // By what they are, not by their number: that may be somebody else's disk by now.
  const devices = [...loops, attached.kernelNbd && findNbdDisk(attached.kernelNbd.identity)]
  // Other mounts of the same disk (a bind, a namespace of the user) keep it busy, too.
  const mounts = listMounts().filter(({ source }) => devices.includes(source))
  for (const { target } of mounts.toReversed()) unmountIfMounted(target, options)
  for (const loop of loops) detachLoop(loop)
  if (attached.fuseMount !== undefined) unmountIfMounted(attached.fuseMount, { force: true })
  if (attached.kernelNbd !== undefined) {
    const { identity } = attached.kernelNbd
    if (!options.force) refuseBusyNbdDisk(identity)
    await detachNbdDisk(identity, options)
  }
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
