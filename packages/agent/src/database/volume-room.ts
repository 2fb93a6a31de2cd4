/**
 * The room that is left on the volume of a database. A standby that writes until nothing is left
 * dies in the middle of something; one that is stopped a little before goes on where it was once
 * there is room again.
 */
import { statfs } from 'node:fs/promises'
import { GiB, MiB } from '@openmaas/kernel/units'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'

export interface Room {
  readonly sizeBytes: number
  readonly freeBytes: number
}

/** Two segments of PostgreSQL's log: what a clean stop may write. */
const RESERVE_MIN = 32 * MiB
/** Some seconds of a fast network, until the next look. */
const RESERVE_MAX = 2 * GiB
const RESERVE_SHARE = 1 / 32

/** What a standby leaves free. */
export function reserveOf(sizeBytes: number): number {
  return Math.min(RESERVE_MAX, Math.max(RESERVE_MIN, sizeBytes * RESERVE_SHARE))
}

export function isFull({ sizeBytes, freeBytes }: Room): boolean {
  return freeBytes < reserveOf(sizeBytes)
}

/** @returns null when nothing can be seen there: who works on it meets the reason */
export async function roomOf(directory: string): Promise<Room | null> {
  try {
    const { blocks, bavail, bsize } = await statfs(directory)
    return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize }
  } catch {
    return null // Not mounted, or an error of the disk.
  }
}

/** What the plug-in says of the standby, with the room; without it, that is why it stands. */
export function withRoom(status: DatabaseStatus, room: Room | null): DatabaseStatus {
  if (room === null) return status
  const volume = { ...room, full: isFull(room) }
  const isTold = ['following', 'seeding'].includes(status.state) || status.mustReseed
  if (!volume.full || isTold) return { ...status, volume }
  // What is behind it counts too: production may have given the log up meanwhile.
  const reason = [fullReason(room), status.reason].filter((words) => words !== '').join('; ')
  return { ...status, state: 'stopped', reason, volume }
}

function fullReason({ sizeBytes, freeBytes }: Room): string {
  const [size, free] = [sizeBytes, freeBytes].map((bytes) => `${Math.floor(bytes / MiB)} MiB`)
  return (
    `the volume is full (${free} of ${size} are free), so the standby was stopped: ` +
    'enlarge it with "openmaas database change <source> --volume-size", and it goes on by itself'
  )
}
