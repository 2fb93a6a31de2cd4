/**
 * Medium records: what was plugged, from which point, and where it is attached.
 *
 *   <brick 0>/media/layers/     the overlays of all media (docs/formats/overlay.md)
 *   <brick 0>/media/<mediumId>/
 *     medium.json    this record, replaced atomically at every change of state
 *     engine.json    written by the engine: pid, state, last error (not durable)
 *     engine.log     what the engine says
 *
 * The record is written before anything is attached and removed after everything is detached,
 * so whatever a crash leaves behind has a record that names it.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { isId, type LayerId, type MediumId, type SnapshotId } from '@openmaas/kernel/ids'

/** Where on this machine the medium is attached; absent steps were not reached or not asked. */
export interface Attachment {
  /** The kernel's boot id: an attachment of an earlier boot is gone with it. */
  readonly bootId: string
  readonly host: string
  /** Directory with sockets and the FUSE mount, under the machine's runtime directory. */
  readonly runtimeDirectory: string
  readonly keeperPid?: number
  readonly fuseMount?: string
  readonly loopDevice?: string
  /** The disk of the kernel's NBD client; its device is known once it is connected. */
  readonly kernelNbd?: { readonly identity: string; readonly device?: string }
  readonly mountPoint?: string
  /** Socket path or `host:port` of the NBD export. */
  readonly nbd?: string
}

/** A moment that stands still until the seal of the same request has stored it. */
export interface Freeze {
  /** Whoever asks twice with the same one has frozen once. */
  readonly requestId: string
  /** Milliseconds since 1970, not before the moment; 0 while it is under way. */
  readonly frozenAt: number
  /** What it stands on: the medium itself may stand on a newer point since. */
  readonly snapshotId: SnapshotId
  /** The oldest first; all of them are frozen. */
  readonly layers: readonly LayerId[]
}

/** Requests that were frozen and not sealed yet; with one more, the oldest is given up. */
export const FREEZES_MAX = 8

export type AttachMethod = 'fuse-loop' | 'kernel-nbd'

/** How the medium is a disk of this machine; undefined when it is none. */
export function attachMethodOf(attachment: Attachment | undefined): AttachMethod | undefined {
  if (attachment?.kernelNbd !== undefined) return 'kernel-nbd'
  return attachment?.fuseMount === undefined ? undefined : 'fuse-loop'
}

/** `/dev/loop7` or `/dev/nbd0`, once it is there. */
export function deviceOf(
  attachment: Pick<Attachment, 'loopDevice' | 'kernelNbd'> | undefined,
): string | undefined {
  return attachment?.loopDevice ?? attachment?.kernelNbd?.device
}

export interface MediumRecord {
  readonly version: 1
  readonly id: MediumId
  readonly snapshotId: SnapshotId
  /** What the point was taken of, for people: shown even when the pool is locked. */
  readonly sourceName: string
  readonly readOnly: boolean
  readonly createdAt: string
  /**
   * All but `plugged` are seen only while it happens, or after a crash in the middle. Then what was
   * `plugging` is undone, `ejecting` finished, and `resuming` still holds what somebody wrote.
   */
  readonly state: 'plugging' | 'plugged' | 'resuming' | 'ejecting'
  /** Overlays from the oldest to the one that takes the writes; empty when read-only. */
  readonly layers: readonly LayerId[]
  /** Most bytes the overlay may take; absent means the space of the file system. */
  readonly quotaBytes?: number
  /** Bytes of the disk, when it has grown since the point was taken. */
  readonly sizeBytes?: number
  /** What was frozen by request and waits for its seal, the oldest first. */
  readonly freezes?: readonly Freeze[]
  /** A file system is being made on a disk that was blank. */
  readonly formatting?: boolean
  /** Layers that are sealed: nothing reads them any more, their files may still be there. */
  readonly dropping?: readonly LayerId[]
  /** Bytes the file system of an ext4 view has for new data. */
  readonly freeBytes?: number
  /** What the control plane calls it; absent when it was plugged by hand. */
  readonly controlId?: string
  /** What its engine lets through, wherever it is used; absent means as fast as it goes. */
  readonly bytesPerSecond?: number
  readonly attachment?: Attachment
}

/** FREEZES_MAX freezes of 250 layers each have 80 KiB; more is not ours. */
const RECORD_SIZE_MAX = 256 * 1024

/** Every layer that the medium needs: its own, and those of what was frozen by request. */
export function layersOf(record: Pick<MediumRecord, 'layers' | 'freezes'>): Set<LayerId> {
  return new Set([...record.layers, ...(record.freezes ?? []).flatMap(({ layers }) => layers)])
}

/** Every point that the medium needs, and its pin keeps. */
export function snapshotsOf(record: Pick<MediumRecord, 'snapshotId' | 'freezes'>): SnapshotId[] {
  const frozen = (record.freezes ?? []).map(({ snapshotId }) => snapshotId)
  return [...new Set([record.snapshotId, ...frozen])]
}

export const mediaDirectory = (brick: string): string => path.join(brick, 'media')
export const mediumDirectory = (brick: string, id: MediumId): string =>
  path.join(mediaDirectory(brick), id)

/** Replaces the record and makes it durable. @throws MaasError FS_* */
export function saveMedium(fs: Fs, brick: string, record: MediumRecord): void {
  const directory = mediumDirectory(brick, record.id)
  fs.makeDirectory(directory)
  const body = JSON.stringify(record)
  const bytes = Buffer.from(JSON.stringify({ checksum: checksumOf(body), record }))
  const temporary = path.join(directory, 'medium.json.new')
  if (fs.stat(temporary) !== undefined) fs.unlink(temporary) // Left by a crash in this function.
  const file = fs.open(temporary, 'create')
  try {
    fs.write(file, bytes, 0)
    fs.dataSync(file)
  } finally {
    fs.close(file)
  }
  fs.rename(temporary, path.join(directory, 'medium.json'))
  fs.syncDirectory(directory)
  fs.syncDirectory(mediaDirectory(brick))
}

/** @throws MaasError MEDIUM_NOT_FOUND, OVERLAY_INVALID when the record is damaged */
export function loadMedium(fs: Fs, brick: string, id: MediumId): MediumRecord {
  const target = path.join(mediumDirectory(brick, id), 'medium.json')
  const stat = fs.stat(target)
  if (stat === undefined) {
    throw new MaasError('MEDIUM_NOT_FOUND', `there is no medium ${id} in this pool`, { id })
  }
  const invalid = (reason: string): MaasError =>
    new MaasError('OVERLAY_INVALID', `medium record ${target}: ${reason}`, { path: target })
  if (stat.size > RECORD_SIZE_MAX) throw invalid('larger than any record')
  const bytes = Buffer.alloc(stat.size)
  const file = fs.open(target, 'read')
  try {
    fs.read(file, bytes, 0)
  } finally {
    fs.close(file)
  }
  let parsed: { checksum?: unknown; record?: MediumRecord }
  try {
    parsed = JSON.parse(bytes.toString('utf8')) as typeof parsed
  } catch (cause) {
    throw new MaasError(
      'OVERLAY_INVALID',
      `medium record ${target}: not JSON`,
      { path: target },
      { cause },
    )
  }
  const record = parsed.record
  if (record === undefined) throw invalid('no record in it')
  if (parsed.checksum !== checksumOf(JSON.stringify(record))) throw invalid('checksum mismatch')
  if (record.version !== 1 || record.id !== id) throw invalid('another version or id')
  return record
}

/**
 * Ids of all media of the pool, oldest first, including those with a damaged record. A directory
 * without a record is none: a plug has only begun there, or an eject has all but ended.
 */
export function listMedia(fs: Fs, brick: string): MediumId[] {
  if (fs.stat(mediaDirectory(brick)) === undefined) return []
  return fs
    .readDirectory(mediaDirectory(brick))
    .filter((name): name is MediumId => isId('medium', name))
    .filter((id) => fs.stat(path.join(mediumDirectory(brick, id), 'medium.json')) !== undefined)
    .toSorted()
}

/**
 * Finds one medium by its id, by a unique part of it, or by where it is mounted.
 *
 * @throws MaasError MEDIUM_NOT_FOUND, SNAPSHOT_AMBIGUOUS
 */
export function findMedium(fs: Fs, brick: string, text: string): MediumRecord {
  const ids = listMedia(fs, brick)
  const byPart = ids.filter((id) => id === text || id.toLowerCase().endsWith(text.toLowerCase()))
  if (byPart.length === 1) return loadMedium(fs, brick, byPart[0]!)
  if (byPart.length > 1) {
    throw new MaasError('SNAPSHOT_AMBIGUOUS', `"${text}" names several media`, { media: byPart })
  }
  for (const id of ids) {
    const record = loadMedium(fs, brick, id)
    const attachment = record.attachment
    if (attachment?.mountPoint === text || deviceOf(attachment) === text) return record
  }
  throw new MaasError('MEDIUM_NOT_FOUND', `there is no medium "${text}" in this pool`, { text })
}

function checksumOf(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}
