/**
 * What freezing, sealing and growing do to a medium's record. The record is the commit point of
 * each: the engine stands on what it says from then on, and so does every engine after it.
 *
 *   freeze    base │ a b top      →  base │ a b top new          a, b, top are frozen
 *   rebase    base │ a b top new  →  base' │ new                 base' holds base, a, b and top
 *   grow      as freeze, and `new` is larger
 *
 * A freeze by request is kept with what it stands on, until its seal has stored it.
 */
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { type LayerId, makeLayerId, type SnapshotId } from '@openmaas/kernel/ids'
import { systemRandom } from '@openmaas/kernel/random'
import {
  type Freeze,
  FREEZES_MAX,
  layersOf,
  type MediumRecord,
  saveMedium,
} from '../media/record.ts'
import { LAYERS_MAX } from '../overlay/layer-map.ts'

/** Whoever asks for a freeze may want it back later, or another size from there on. */
export interface FreezeWish {
  readonly requestId?: string
  /** Milliseconds since 1970; 0 while the moment is not over. */
  readonly frozenAt?: number
  /** Of the device from now on. */
  readonly sizeBytes?: number
}

/**
 * The record with a new top; the new layer's files are not made here.
 *
 * @throws MaasError MEDIUM_TOO_DEEP; with one layer more, no engine could serve it again
 */
export function freezeRecord(record: MediumRecord, wish: FreezeWish = {}): MediumRecord {
  const { id, layers, snapshotId } = record
  if (layers.length >= LAYERS_MAX) {
    throw new MaasError('MEDIUM_TOO_DEEP', `${id} stands on too many layers`, { id })
  }
  const { requestId, frozenAt = 0, sizeBytes } = wish
  const next: MediumRecord = {
    ...record,
    layers: [...layers, makeLayerId(systemClock, systemRandom)],
    ...(sizeBytes !== undefined && { sizeBytes }),
  }
  if (requestId === undefined) return next
  const freeze: Freeze = { requestId, frozenAt, snapshotId, layers }
  return withFreezes(next, [...(record.freezes ?? []), freeze].slice(-FREEZES_MAX))
}

export function findFreeze(record: MediumRecord, requestId: string): Freeze | undefined {
  return record.freezes?.find((each) => each.requestId === requestId)
}

/** The moment is over: it was not later than this. */
export function finishFreeze(
  record: MediumRecord,
  requestId: string,
  frozenAt: number,
): MediumRecord {
  const freezes = record.freezes ?? []
  return withFreezes(
    record,
    freezes.map((each) => (each.requestId === requestId ? { ...each, frozenAt } : each)),
  )
}

/** The frozen state is stored, or given up. */
export function forgetFreeze(record: MediumRecord, requestId: string): MediumRecord {
  const freezes = record.freezes ?? []
  return withFreezes(
    record,
    freezes.filter((each) => each.requestId !== requestId),
  )
}

/**
 * The medium on the point that its sealed layers have become. What was frozen later stands on that
 * point, too; what was frozen before keeps what it stands on.
 *
 * @returns the record unchanged when it has moved on already
 */
export function rebaseRecord(
  record: MediumRecord,
  requestId: string,
  snapshotId: SnapshotId,
): MediumRecord {
  const sealed = findFreeze(record, requestId)
  if (sealed === undefined) return record
  const rest = forgetFreeze(record, requestId)
  if (!standsOn(record, sealed)) return rest
  const freezes = rest.freezes?.map((each) =>
    standsOn(each, sealed)
      ? { ...each, snapshotId, layers: each.layers.slice(sealed.layers.length) }
      : each,
  )
  const layers = record.layers.slice(sealed.layers.length)
  return withFreezes({ ...rest, snapshotId, layers }, freezes ?? [])
}

type Standing = Pick<MediumRecord, 'snapshotId' | 'layers'>

/** With a layer of its own above. */
function standsOn(upper: Standing, { snapshotId, layers }: Standing): boolean {
  if (upper.snapshotId !== snapshotId || upper.layers.length <= layers.length) return false
  return layers.every((layer, index) => upper.layers[index] === layer)
}

/** An empty list is no list. */
function withFreezes(record: MediumRecord, freezes: readonly Freeze[]): MediumRecord {
  const { freezes: _before, ...rest } = record
  return freezes.length === 0 ? rest : { ...rest, freezes }
}

/** Names the layers that the change leaves behind, for whoever removes their files afterwards. */
export function dropLayers(before: MediumRecord, after: MediumRecord): MediumRecord {
  const kept = layersOf(after)
  const gone = [...layersOf(before), ...(before.dropping ?? [])].filter((id) => !kept.has(id))
  const dropping: LayerId[] = [...new Set(gone)]
  const { dropping: _before, ...rest } = after
  return dropping.length === 0 ? rest : { ...rest, dropping }
}

/** Freezes by the record alone, where no engine serves the medium. @returns it as it stands now */
export function freezeTop(
  fs: Fs,
  brick: string,
  record: MediumRecord,
  wish: FreezeWish = {},
): MediumRecord {
  const next = dropLayers(record, freezeRecord(record, wish))
  saveMedium(fs, brick, next)
  return next
}
