/**
 * The disk of a medium of this very host: given a file system when it is blank, mounted, grown and
 * unmounted. The disk itself comes and goes with the medium (plug.ts, eject.ts).
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { askEngine } from '@openmaas/medium/engine/control'
import {
  type Attachment,
  deviceOf,
  loadMedium,
  mediumDirectory,
  type MediumRecord,
  saveMedium,
} from '@openmaas/medium/media/record'
import { controlSocketOf } from '@openmaas/medium/media/runtime-directory'
import { unmountDisks } from '../attach/attach-linux.ts'
import {
  type FileSystemWish,
  growFileSystem,
  growUnmounted,
  makeFileSystem,
} from '../attach/file-system.ts'
import { listMounts } from '../attach/fuse-mount.ts'
import { runMountProcess } from '../attach/mount-process.ts'
import { resizeDisk } from '../attach/resize-disk.ts'
import { lockMedium } from './medium-lock.ts'
import { checkMountPoint, prepareMountPoint, removeMountPoint } from './mount-point.ts'
import type { PoolAccess } from './types.ts'

/** The engine is on this host; what is read first is a journal, 128 MiB at most. */
const MOUNT_TIMEOUT_MS = 120_000

export interface MountWish {
  /** Null: the disk is enough. */
  readonly mountPath: string | null
  /** Made on a disk that holds nothing yet. */
  readonly format: FileSystemWish | null
  /** Its file system takes all of the disk, also one that grows only before it is mounted. */
  readonly grow: boolean
}

/**
 * Again is fine.
 *
 * @throws MaasError MEDIUM_NOT_PLUGGED, MEDIUM_BUSY when it is mounted elsewhere,
 *   MEDIUM_ATTACH_FAILED, MISSING_PROGRAM, FS_EXISTS, CANCELLED
 */
export async function mountMedium(
  pool: PoolAccess,
  { id }: { readonly id: MediumId },
  { mountPath, format, grow }: MountWish,
  signal?: AbortSignal,
): Promise<{ readonly device: string; readonly mountPath: string | null }> {
  using _lock = lockMedium(pool.fs, pool.path, id)
  const record = loadMedium(pool.fs, pool.path, id)
  const { device, attachment } = requireDisk(record)
  const mounted = listMounts().find(({ source }) => source === device)?.target
  if (mounted !== undefined) {
    if (mountPath === null || mounted === mountPath) return { device, mountPath }
    throw new MaasError('MEDIUM_BUSY', `${id} is mounted at ${mounted}`, { path: mounted })
  }
  if (mountPath !== null) checkMountPoint(mountPath)
  const { formatting: begun = false, ...plain } = record
  if (format !== null && !record.readOnly) {
    const note = (formatting: boolean): void =>
      saveMedium(pool.fs, pool.path, { ...plain, ...(formatting && { formatting }) })
    await makeFileSystem({ device, type: format, begun, note, signal })
  }
  if (mountPath === null) return { device, mountPath }
  if (grow && !record.readOnly) await growUnmounted(device, signal)
  // Before the mount: a kill in between is found by the record.
  saveMedium(pool.fs, pool.path, { ...plain, attachment: { ...attachment, mountPoint: mountPath } })
  try {
    prepareMountPoint(mountPath, mediumDirectory(pool.path, id))
    const { readOnly } = record
    const request = {
      do: 'mount',
      device,
      target: mountPath,
      readOnly,
      discard: !readOnly,
    } as const
    const type = await runMountProcess(request, { timeoutMs: MOUNT_TIMEOUT_MS, signal })
    if (type === undefined) {
      const message = 'the engine did not answer'
      throw new MaasError('MEDIUM_ATTACH_FAILED', message, { path: mountPath })
    }
    // What was not an ext4; that one is as large as its disk already.
    if (grow && !readOnly && type !== 'ext4') await growFileSystem(device, signal)
    return { device, mountPath }
  } catch (error) {
    removeMountPoint(mountPath, mediumDirectory(pool.path, id))
    saveMedium(pool.fs, pool.path, plain)
    throw error
  }
}

/** The disk stays. @throws MaasError MEDIUM_BUSY while a program uses it, MEDIUM_UNMOUNT_SLOW */
export async function unmountMedium(
  pool: PoolAccess,
  { id }: { readonly id: MediumId },
  options: { readonly force: boolean; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  using _lock = lockMedium(pool.fs, pool.path, id)
  const record = loadMedium(pool.fs, pool.path, id)
  const { device, attachment } = requireDisk(record)
  await unmountDisks([device], options)
  const { mountPoint, ...rest } = attachment
  if (mountPoint !== undefined) removeMountPoint(mountPoint, mediumDirectory(pool.path, id))
  saveMedium(pool.fs, pool.path, { ...record, attachment: rest })
}

/**
 * Disk and file system are as large as the medium. @returns bytes of the disk
 *
 * @throws MaasError MEDIUM_NOT_PLUGGED, MEDIUM_ENGINE_UNREACHABLE, MEDIUM_ATTACH_FAILED
 */
export async function resizeMedium(
  pool: PoolAccess,
  { id }: { readonly id: MediumId },
  signal?: AbortSignal,
): Promise<number> {
  const { device, attachment } = requireDisk(loadMedium(pool.fs, pool.path, id))
  const { fuseMount, runtimeDirectory } = attachment
  if (fuseMount === undefined) {
    const message = "a disk of the kernel's nbd has one size: detach the medium and attach it again"
    throw new MaasError('MEDIUM_ATTACH_FAILED', message, { id })
  }
  await askEngine(controlSocketOf(runtimeDirectory), 'resize')
  return resizeDisk(device, fuseMount, signal)
}

function requireDisk(record: MediumRecord): { device: string; attachment: Attachment } {
  const { attachment } = record
  const device = deviceOf(attachment)
  if (attachment !== undefined && device !== undefined) return { device, attachment }
  throw new MaasError('MEDIUM_NOT_PLUGGED', `${record.id} is no disk here`, { id: record.id })
}
