/**
 * Room on the bricks. A reserve stays free so that deletions and GC, which write log records and
 * copies, still work on a disk that backups have filled (POOL.md, section 9).
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { MiB } from '@openmaas/kernel/units'

const RESERVE_SHARE = 0.02
const RESERVE_BYTES = 256 * MiB
/** On a small disk the reserve must not be most of it. */
const RESERVE_SHARE_MAX = 0.1

/** @param capacity bytes the brick can hold: what the pool has there and what is free */
export function reserveFor(capacity: number): number {
  return Math.floor(
    Math.min(capacity * RESERVE_SHARE + RESERVE_BYTES, capacity * RESERVE_SHARE_MAX),
  )
}

export interface PlacementOptions {
  readonly fs: Fs
  readonly bricks: readonly string[]
  /** Copies of each pack. */
  readonly copies: number
  /** Bytes that stay free, per brick; Infinity for one that is not there. */
  readonly reserves: readonly number[]
}

/**
 * Names the bricks for a new pack: those with most space, all within their reserve.
 * @throws MaasError POOL_FULL
 */
export function placePack(options: PlacementOptions, sizeMax: number): string[] {
  const { fs, bricks, copies, reserves } = options
  const room = bricks
    .map((brick, index) => ({ brick, index, reserve: reserves[index]! }))
    .filter(({ reserve }) => Number.isFinite(reserve))
    .map(({ brick, index, reserve }) => ({ brick, index, spare: fs.freeBytes(brick) - reserve }))
    .filter(({ spare }) => spare >= sizeMax)
    .toSorted((a, b) => b.spare - a.spare || a.index - b.index)
  if (room.length < copies) {
    throw new MaasError('POOL_FULL', 'the pool has no room for another pack', {
      bricks: [...bricks],
      neededBytes: sizeMax,
      reserveBytes: reserves[0] ?? 0,
    })
  }
  return room.slice(0, copies).map(({ brick }) => brick)
}
