import { describe, expect, test } from 'vitest'
import { FIRST_MAC, RECORD_SIZE_MAX, RecordCodec } from './record.ts'
import { LogType } from './types.ts'

const codec = new RecordCodec(Buffer.alloc(32, 7))
const head = { sequence: 3, ownerEpoch: 2, batchIndex: 1, previousMac: Buffer.alloc(32, 0xaa) }
const entry = { type: LogType.unpin, body: { id: 'pin-1' } } as const

/** length, crc | sequence | epoch, type, reserved, batchIndex | previousMac | body | mac */
const PINNED = [
  '66000000597db5ea03000000000000000200000009000100aaaaaaaaaaaaaaaa',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa7b226964223a2270',
  '696e2d31227d20a3ec7b0271bb02045258fcbe81bfcf84ff2553848ebaa5aea4',
  'b803b8eefa97',
]

describe('a log record', () => {
  test('has exactly these bytes', () => {
    const bytes = codec.encode(head, entry)
    expect(bytes.toString('hex').match(/.{1,64}/g)).toEqual(PINNED)
  })

  test('reads back what was written', () => {
    const bytes = Buffer.concat([Buffer.from('before'), codec.encode(head, entry)])
    const record = codec.decode(bytes, 6)
    expect(record).toMatchObject({ sequence: 3, ownerEpoch: 2, batchIndex: 1, entry })
    expect(record?.length).toBe(bytes.length - 6)
    expect(RecordCodec.previousMac(bytes, 6).equals(head.previousMac)).toBe(true)
  })

  // Goal: no damaged bit is ever believed. A small record has few enough bits to try each.
  test('rejects every single-bit damage', () => {
    const whole = codec.encode(head, entry)
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const damaged = Buffer.from(whole)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(codec.decode(damaged, 0), `bit ${bit}`).toBeUndefined()
    }
  })

  test('rejects every truncation, another key, and a length beyond the limit', () => {
    const whole = codec.encode(head, entry)
    for (let length = 0; length < whole.length; length += 1) {
      expect(codec.decode(whole.subarray(0, length), 0), `length ${length}`).toBeUndefined()
    }
    expect(new RecordCodec(Buffer.alloc(32, 8)).decode(whole, 0)).toBeUndefined()
    const long = Buffer.alloc(RECORD_SIZE_MAX + 8)
    whole.copy(long)
    long.writeUInt32LE(RECORD_SIZE_MAX + 1, 0)
    expect(codec.decode(long, 0)).toBeUndefined()
  })

  test('the first record follows a mac of zeros', () => {
    expect(FIRST_MAC.equals(Buffer.alloc(32))).toBe(true)
  })
})
