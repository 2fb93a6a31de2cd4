/**
 * Records that say whether they are whole, and which came after which: what a writer has been
 * acknowledged before a moment must be in what was frozen then, and nothing later without it.
 */
import { createHash } from 'node:crypto'

/** Not a divisor of grains: records lie across them. */
export const RECORD_SIZE = 5000
/** 2.4 MB, overwritten from the beginning when the last is written. */
export const SLOTS = 487

const HEAD = 40

/** Its number, a hash, and bytes that follow from the number. */
export function makeRecord(number: number): Buffer {
  const bytes = Buffer.alloc(RECORD_SIZE, number & 0xff)
  bytes.writeBigUInt64LE(BigInt(number), 0)
  createHash('sha256').update(bytes.subarray(HEAD)).update(String(number)).digest().copy(bytes, 8)
  return bytes
}

/**
 * The number of the last record of a writer that is stopped at any moment.
 *
 * @returns -1 when there is none
 * @throws Error when a record is torn, or an earlier one is missing below a later one
 */
export function lastRecord(content: Buffer): number {
  const count = Math.floor(content.length / RECORD_SIZE)
  const numbers = Array.from({ length: count }, (_, slot) => {
    const bytes = content.subarray(slot * RECORD_SIZE, (slot + 1) * RECORD_SIZE)
    const number = Number(bytes.readBigUInt64LE(0))
    if (number % SLOTS !== slot || !bytes.equals(makeRecord(number))) {
      throw new Error(`slot ${slot} holds no whole record`)
    }
    return number
  })
  const last = Math.max(-1, ...numbers)
  for (const [slot, number] of numbers.entries()) {
    const expected = last - ((last - slot) % SLOTS)
    if (number !== expected) throw new Error(`slot ${slot} holds ${number}, not ${expected}`)
  }
  if (count < Math.min(SLOTS, last + 1)) throw new Error(`${count} slots for record ${last}`)
  return last
}
