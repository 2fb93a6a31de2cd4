/** What kind of world a seed makes: bricks, faults, habits of its users. */
import type { SeededRandom } from '@openmaas/kernel/random'
import { KiB } from '@openmaas/kernel/units'
import type { PoolTuning } from '@openmaas/pool/pool/core'
import { NO_FAULTS, randomRates } from '../disk/faults.ts'
import type { FaultRates } from '../disk/faults.ts'

export interface Profile {
  /** Collecting worlds are calm and long: there collections meet sessions, readers and media. */
  readonly habit: 'mixed' | 'collecting'
  readonly bricks: readonly string[]
  readonly redundancy: 'single' | `mirror:${number}`
  readonly tuning: PoolTuning
  readonly rates: FaultRates
  /** Bits flip, sectors go stale: one copy of anything at a time. Needs a mirror. */
  readonly damages: boolean
  /** A whole brick goes away and comes back. Needs a mirror. */
  readonly losesBricks: boolean
  readonly fillsDisks: boolean
  readonly jumpsClocks: boolean
  readonly locks: boolean
  /** Steps of the machine from one death to the next, at most. */
  readonly lifeSteps: number
  /** Tasks at a time. */
  readonly taskCount: number
}

/** Of a brick: room for some hundred packs, so that only a filled disk is full. */
export const BRICK_CAPACITY = 64 * 1024 * KiB

export function makeProfile(random: SeededRandom): Profile {
  const kind = random.below(10)
  const brickCount = kind === 0 ? 1 : kind < 8 ? 2 : 3
  const isMirror = kind >= 2
  const packSize = [8 * KiB, 16 * KiB, 64 * KiB][random.below(3)]!
  const habit = random.below(3) === 0 ? 'collecting' : 'mixed'
  const isMixed = habit === 'mixed'
  return {
    habit,
    bricks: Array.from({ length: brickCount }, (_, index) => `/b${index}`),
    redundancy: isMirror ? 'mirror:2' : 'single',
    tuning: {
      packSizes: { data: packSize, metadata: packSize },
      memtableSlots: [64, 256, 1024][random.below(3)]!,
      packCountMax: 4096,
      arenaSizeMax: 64 * 1024 * KiB,
      reserveBytes: 256 * KiB,
    },
    // With one copy a read error is an error, and nothing can be said about what comes of it.
    rates: isMixed ? { ...randomRates(random), ...(isMirror ? {} : { read: 0 }) } : NO_FAULTS,
    damages: isMirror && isMixed && random.below(3) === 0,
    losesBricks: isMirror && isMixed && random.below(4) === 0,
    fillsDisks: isMixed && random.below(6) === 0,
    jumpsClocks: random.below(3) === 0,
    locks: random.below(3) === 0,
    lifeSteps: isMixed ? [150, 600, 2000][random.below(3)]! : 4000,
    taskCount: 2 + random.below(5),
  }
}
