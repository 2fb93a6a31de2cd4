/**
 * What the log says after a crash: the union of the valid records of all mirrors, by place.
 *
 * Mirrors hold the same bytes at the same offsets, so a record that is damaged in one mirror is
 * taken from another and the walk goes on behind it in both. At the first place where no mirror
 * has a valid successor the log ends, or is corrupt:
 *
 *   nothing valid behind the hole             → a torn tail, truncated
 *   only records of the batch the hole is in  → a torn batch (written, never synced), truncated
 *   a record of a later batch                 → LOG_CORRUPT: an acknowledged record is lost
 *
 * Pure: bytes in, records out. POOL.md, section 5; docs/formats/log.md, "Recovery".
 */
import { MaasError } from '@openmaas/kernel/errors'
import { FIRST_MAC, RecordCodec } from './record.ts'
import type { LogRecord } from './record.ts'

export interface LogRecovery {
  readonly records: readonly LogRecord[]
  /** The agreed bytes of the log; every mirror must hold exactly these. */
  readonly bytes: Buffer
  /** Where the last batch begins: the only part whose durability is unproven. */
  readonly lastBatchOffset: number
  /** Per mirror: true when its bytes are the agreed ones. */
  readonly intact: readonly boolean[]
  /** Per mirror: true when it is missing, or differs where it should agree; a short one is not. */
  readonly damaged: readonly boolean[]
  /** Bytes behind the end of the log that were given up, over all mirrors. */
  readonly tornBytes: number
}

/** @throws MaasError LOG_CORRUPT; nothing has been changed then */
export function recoverLog(
  codec: RecordCodec,
  mirrors: readonly (Buffer | undefined)[],
): LogRecovery {
  // A mirror that lost a fork (see choose) is no witness any more.
  const witnesses: (Buffer | undefined)[] = [...mirrors]
  const records: LogRecord[] = []
  const slices: Buffer[] = []
  let offset = 0
  let lastBatchOffset = 0
  let mac = FIRST_MAC
  for (;;) {
    const found = choose(codec, witnesses, { offset, sequence: records.length + 1, mac })
    if (found === undefined) break
    if (found.record.batchIndex === 0) lastBatchOffset = offset
    slices.push(found.source.subarray(offset, offset + found.record.length))
    records.push(found.record)
    offset += found.record.length
    mac = found.record.mac
  }
  for (const [index, mirror] of witnesses.entries()) {
    if (mirror !== undefined)
      refuseHole(codec, mirror, { offset, sequence: records.length + 1, index })
  }
  const bytes = Buffer.concat(slices, offset)
  return {
    records,
    bytes,
    lastBatchOffset,
    damaged: mirrors.map((mirror) => mirror === undefined || differs(mirror, bytes)),
    intact: mirrors.map((mirror) => mirror !== undefined && mirror.equals(bytes)),
    tornBytes: mirrors.reduce(
      (sum, mirror) => sum + Math.max(0, (mirror?.length ?? 0) - offset),
      0,
    ),
  }
}

function differs(mirror: Buffer, agreed: Buffer): boolean {
  const length = Math.min(mirror.length, agreed.length)
  return mirror.compare(agreed, 0, length, 0, length) !== 0
}

interface Place {
  readonly offset: number
  readonly sequence: number
  readonly mac: Buffer
}

function choose(
  codec: RecordCodec,
  witnesses: (Buffer | undefined)[],
  place: Place,
): { record: LogRecord; source: Buffer } | undefined {
  let best: { record: LogRecord; source: Buffer; index: number } | undefined
  for (const [index, source] of witnesses.entries()) {
    if (source === undefined) continue
    // Mirrors that agree are decoded once.
    if (best !== undefined && sameBytes(best, source, place.offset)) continue
    const record = codec.decode(source, place.offset)
    if (record === undefined || record.sequence !== place.sequence) continue
    if (!RecordCodec.previousMac(source, place.offset).equals(place.mac)) continue
    if (best === undefined) {
      best = { record, source, index }
      continue
    }
    if (best.record.mac.equals(record.mac)) continue
    // A fork: an owner went on without one mirror. What the left-behind mirror holds here was
    // never acknowledged, because the other mirror does not have it; the later owner is right.
    if (best.record.ownerEpoch === record.ownerEpoch) {
      throw corrupt('mirrors hold different records of one owner', place.sequence)
    }
    const loser = best.record.ownerEpoch < record.ownerEpoch ? best.index : index
    if (loser === best.index) best = { record, source, index }
    witnesses[loser] = undefined
  }
  return best
}

function sameBytes(
  best: { record: LogRecord; source: Buffer },
  other: Buffer,
  offset: number,
): boolean {
  const end = offset + best.record.length
  return end <= other.length && best.source.compare(other, offset, end, offset, end) === 0
}

function refuseHole(
  codec: RecordCodec,
  mirror: Buffer,
  hole: { offset: number; sequence: number; index: number },
): void {
  for (let offset = hole.offset; offset < mirror.length; offset += 1) {
    const record = codec.decode(mirror, offset)
    if (record === undefined) continue
    const batchSequence = record.sequence - record.batchIndex
    if (batchSequence > hole.sequence) {
      throw corrupt('a durable record is missing in every mirror', hole.sequence)
    }
    offset += record.length - 1
  }
}

function corrupt(what: string, sequence: number): MaasError {
  return new MaasError('LOG_CORRUPT', `the pool log is corrupt: ${what}`, { sequence })
}
