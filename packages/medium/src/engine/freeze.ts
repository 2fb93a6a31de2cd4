/**
 * Freezing a medium's top overlay: it becomes an immutable layer, and an empty one takes the
 * writes from now on. What clones and seals start from.
 */
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { makeLayerId } from '@openmaas/kernel/ids'
import { systemRandom } from '@openmaas/kernel/random'
import { type MediumRecord, saveMedium } from '../media/record.ts'
import { LAYERS_MAX } from '../overlay/layer-map.ts'

/**
 * The new layer's files are made when the stack is next prepared. The record is the commit
 * point: before it is saved the old overlay is the top, afterwards it is frozen.
 *
 * @returns the record as it stands now
 * @throws MaasError MEDIUM_TOO_DEEP; with one layer more, no engine could serve it again
 */
export function freezeTop(fs: Fs, brick: string, record: MediumRecord): MediumRecord {
  const { id, layers } = record
  if (layers.length >= LAYERS_MAX) {
    throw new MaasError('MEDIUM_TOO_DEEP', `${id} stands on too many layers`, { id })
  }
  const next = { ...record, layers: [...record.layers, makeLayerId(systemClock, systemRandom)] }
  saveMedium(fs, brick, next)
  return next
}
