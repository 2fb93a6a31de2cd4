/**
 * When the volume of a database grows by itself, and how far. It is thin: a larger one costs
 * nothing until it is written, so there is no reason to be sparing.
 */
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'

type Room = Pick<NonNullable<DatabaseStatus['volume']>, 'sizeBytes' | 'freeBytes'>

/** Of the volume it was made with; the owner may say otherwise (volumeMaxBytes). */
export const VOLUME_GROWTH_MAX = 4
/** Written to this share, it grows. */
export const GROW_AT_SHARE = 0.8
/** So much larger each time, or so that this share is written afterwards. */
const GROW_FACTOR = 1.5
const GROWN_SHARE = 0.6
/** A file system that is this much smaller than its volume did not follow the last growth. */
const BEHIND_SHARE = 0.75
const STEP_BYTES = 64 * 1024 ** 2

export interface Sized {
  readonly volumeBytes: number | null
  readonly volumeMaxBytes: number | null
}

export const usedBytesOf = ({ sizeBytes, freeBytes }: Room): number => sizeBytes - freeBytes

/** @returns the size that the volume shall have; null: it has room, or may not grow */
export function nextVolumeBytes({ volumeBytes, volumeMaxBytes }: Sized, room: Room): number | null {
  if (volumeBytes === null) return null
  if (room.sizeBytes < BEHIND_SHARE * volumeBytes) return volumeBytes
  const used = usedBytesOf(room)
  if (used < GROW_AT_SHARE * room.sizeBytes) return null
  const wanted = Math.max(GROW_FACTOR * volumeBytes, used / GROWN_SHARE)
  const next = Math.min(volumeMaxBytes ?? 0, Math.ceil(wanted / STEP_BYTES) * STEP_BYTES)
  return next > volumeBytes ? next : null
}

/** @returns the share of all the room that it may ever have by itself */
export function shareOfMaximum({ volumeBytes, volumeMaxBytes }: Sized, room: Room): number {
  // What the file system needs for itself is no room.
  const own = room.sizeBytes / Math.max(1, volumeBytes ?? room.sizeBytes)
  const most = Math.max(room.sizeBytes, (volumeMaxBytes ?? 0) * Math.min(1, own))
  return usedBytesOf(room) / Math.max(1, most)
}
