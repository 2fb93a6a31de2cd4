/**
 * The second way to make a disk: the kernel's own NBD client, connected by the engine itself
 * (medium/engine/kernel-disk.ts). One layer less than FUSE and loop, and no memory of the page
 * cache twice; but most kernels bring it as a module that somebody has to load.
 */
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import { AT_FDCWD, E, O_EXCL, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import {
  disconnectNbdDisk,
  findNbdDisk,
  nbdDiskAvailable,
  setNbdRequestTimer,
} from '@openmaas/kernel/posix/nbd-disk'
import type { AttachMethod } from '@openmaas/medium/media/record'
import { mediumBusy } from '../media/mount-users.ts'

/** What the caller asks for. */
export type AttachWish = 'auto' | 'fuse' | 'nbd'

/**
 * After a kill of the engine, requests that it had taken are sent again within this time. Each
 * turn without an answer is a line in the kernel's log and nothing else.
 */
const REQUEST_TIMER_MS = 2000
/** Whoever looks at a new or a leaving disk (udev) holds it that long. */
const RELEASE_TIMEOUT_MS = 5000
const PAUSE_MS = 100

export interface AttachMeans {
  /** Nodes of the kernel's nbd are there. */
  nodes: () => boolean
  /** The kernel answers as its nbd; asking loads the module where the kernel can. */
  answers: () => boolean
}

const HOST: AttachMeans = { nodes: () => existsSync('/dev/nbd0'), answers: nbdDiskAvailable }

/**
 * Kernel nbd where it is there already; nothing is loaded unless it was asked for.
 *
 * @throws MaasError NBD_KERNEL_MISSING when it was asked for and is not there
 */
export function chooseAttachMethod(wish: AttachWish, means: AttachMeans = HOST): AttachMethod {
  if (wish === 'fuse') return 'fuse-loop'
  if (wish === 'auto') return means.nodes() && means.answers() ? 'kernel-nbd' : 'fuse-loop'
  if (means.answers()) return 'kernel-nbd'
  throw new MaasError('NBD_KERNEL_MISSING', 'this kernel has no nbd, or it is not loaded')
}

/** @returns the device that the engine has made. @throws MaasError MEDIUM_ATTACH_FAILED */
export function takeNbdDisk(identity: string): string {
  const device = findNbdDisk(identity)
  if (device === undefined) {
    throw new MaasError('MEDIUM_ATTACH_FAILED', 'the engine serves, and its NBD disk is not there')
  }
  setNbdRequestTimer(device, REQUEST_TIMER_MS)
  return device
}

/** @throws MaasError MEDIUM_BUSY while a program or a file system holds the disk for itself */
export function refuseBusyNbdDisk(identity: string): void {
  const device = findNbdDisk(identity)
  if (device === undefined) return
  const fd = openat(AT_FDCWD, cString(device), O_RDONLY | O_EXCL)
  if (fd === -E.EBUSY) throw mediumBusy(device)
  close(checked(fd, 'open', device))
}

/**
 * Ends the disk, wherever it is; unanswered requests fail.
 *
 * @param options.force do not wait for those who still hold it: they get errors
 * @throws MaasError MEDIUM_BUSY when somebody goes on holding it
 */
export async function detachNbdDisk(identity: string, options: { force: boolean }): Promise<void> {
  for (let waitedMs = 0; waitedMs < RELEASE_TIMEOUT_MS; waitedMs += PAUSE_MS) {
    const device = findNbdDisk(identity)
    if (device === undefined) return
    // The kernel may wait for unanswered requests before it changes the timer.
    if (!options.force) setNbdRequestTimer(device)
    disconnectNbdDisk(device)
    if (options.force || findNbdDisk(identity) === undefined) return
    await delay(PAUSE_MS)
  }
  throw new MaasError('MEDIUM_BUSY', 'the NBD disk of the medium is held by a program', {
    identity,
  })
}
