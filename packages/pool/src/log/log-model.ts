/** Logs for tests: batches of records, and the damage that a crash can do to a mirror. */
import type { SeededRandom } from '@openmaas/kernel/random'
import { FIRST_MAC, RecordCodec } from './record.ts'
import { LogType } from './types.ts'

export const testCodec = new RecordCodec(Buffer.alloc(32, 9))

export interface TestLog {
  readonly bytes: Buffer
  /** End of each record. */
  readonly ends: number[]
  /** Index of the first record of each batch. */
  readonly batches: number[]
}

/** @param sizes records per batch */
export function makeLog(sizes: readonly number[], ownerEpoch = 1): TestLog {
  const pieces: Buffer[] = []
  const ends: number[] = []
  const batches: number[] = []
  let previousMac = FIRST_MAC
  let offset = 0
  for (const size of sizes) {
    batches.push(pieces.length)
    for (let batchIndex = 0; batchIndex < size; batchIndex += 1) {
      const sequence = pieces.length + 1
      const id = `pin-${sequence}-${'x'.repeat((sequence * 7) % 40)}`
      const entry = { type: LogType.unpin, body: { id } } as const
      const piece = testCodec.encode({ sequence, ownerEpoch, batchIndex, previousMac }, entry)
      previousMac = Buffer.from(piece.subarray(piece.length - 32))
      pieces.push(piece)
      offset += piece.length
      ends.push(offset)
    }
  }
  return { bytes: Buffer.concat(pieces), ends, batches }
}

export const randomSizes = (random: SeededRandom): number[] =>
  Array.from({ length: 1 + random.below(6) }, () => 1 + random.below(4))

/**
 * What a power loss may leave of a mirror: every synced batch, and of the last one any subset of
 * its 64-byte sectors, the rest zeros or cut off.
 */
export function tear(log: TestLog, random: SeededRandom): Buffer {
  const bytes = Buffer.from(log.bytes)
  const first = log.batches.at(-1)!
  const start = first === 0 ? 0 : log.ends[first - 1]!
  for (let offset = start; offset < bytes.length; offset += 64) {
    if (random.below(2) === 0) bytes.fill(0, offset, Math.min(bytes.length, offset + 64))
  }
  return bytes.subarray(0, start + random.below(bytes.length - start + 1))
}
