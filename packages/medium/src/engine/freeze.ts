/**
 * Freezing a medium's top overlay: it becomes an immutable layer, and an empty one takes the
 * writes from now on. What clones and seals start from.
 */
import { systemClock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import { makeLayerId } from '@openmaas/kernel/ids'
import { systemRandom } from '@openmaas/kernel/random'
import { type MediumRecord, saveMedium } from '../media/record.ts'

/**
 * The new layer's files are made when the stack is next prepared. The record is the commit
 * point: before it is saved the old overlay is the top, afterwards it is frozen.
 *
 * @returns the record as it stands now
 */
export function freezeTop(fs: Fs, brick: string, record: MediumRecord): MediumRecord {
  const next = { ...record, layers: [...record.layers, makeLayerId(systemClock, systemRandom)] }
  saveMedium(fs, brick, next)
  return next
}
