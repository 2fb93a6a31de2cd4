import { KiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { describe, expect, test } from 'vitest'
import { CHUNK_SIZE_MAX } from './chunk.ts'
import { looksRandom } from './compressibility.ts'
import { makePrimitives } from './native-primitives.ts'
import { NodePrimitives } from './node-primitives.ts'
import { CODEC_RAW, CODEC_ZSTD, PayloadCodec } from './payload-codec.ts'
import { TAG_SIZE } from './primitives.ts'
import type { Codec } from './payload-codec.ts'
import type { CipherOperation, Primitives } from './primitives.ts'

const node = new NodePrimitives()
const native = makePrimitives()
const hasNative = native.name === 'native'
const both: [string, Primitives][] = hasNative
  ? [
      ['node', node],
      ['native', native],
    ]
  : [['node', node]]
const missing = hasNative ? [] : ['ZSTD_* and EVP_* symbols of the Node binary']

test.skip.each(missing)('skipped: %s missing', () => undefined)

function makeOperation(seed = 1): CipherOperation {
  return {
    key: Buffer.alloc(32, seed),
    nonce: Buffer.alloc(12, seed + 1),
    associatedData: Buffer.alloc(84, seed + 2),
  }
}

const codecs = new Map<Primitives, PayloadCodec>()

function codecOf(primitives: Primitives): PayloadCodec {
  const codec = codecs.get(primitives) ?? new PayloadCodec(primitives)
  codecs.set(primitives, codec)
  return codec
}

function encode(primitives: Primitives, raw: Buffer, operation = makeOperation()) {
  const codec = codecOf(primitives)
  const packed = codec.pack(raw)
  const encoded = Buffer.alloc(packed.length + TAG_SIZE)
  codec.seal(operation, encoded)
  return { codec: packed.codec, encoded }
}

function decode(
  primitives: Primitives,
  record: { codec: Codec; encoded: Buffer; rawLength: number },
  operation = makeOperation(),
): Buffer | undefined {
  return codecOf(primitives).openToScratch(
    operation,
    record.codec,
    record.encoded,
    record.rawLength,
  )
}

const pairs = both.flatMap(([writer, w]) => both.map(([reader, r]) => ({ writer, reader, w, r })))

describe.each(pairs)('what $writer wrote and $reader reads', ({ w, r }) => {
  const kinds = ['text', 'databasePages', 'random', 'zeros'] as const
  const sizes = [1, 2, 100, 10_000, 64 * KiB, 64 * KiB + 1, CHUNK_SIZE_MAX]

  test.each(kinds)('is the same for %s of any size', (kind) => {
    for (const size of sizes) {
      const raw = makeData(kind, CHUNK_SIZE_MAX, 5).subarray(0, size)
      const record = encode(w, raw)
      const back = decode(r, { ...record, rawLength: size })
      expect(back?.equals(raw), `${kind} ${size}`).toBe(true)
    }
  })

  test('is refused when any part of the operation differs', () => {
    const raw = Buffer.alloc(1000, 'some text ')
    const record = { ...encode(w, raw), rawLength: raw.length }
    const operation = makeOperation()
    for (const part of ['key', 'nonce', 'associatedData'] as const) {
      const other = { ...operation, [part]: Buffer.from(operation[part]) }
      other[part][3]! ^= 1
      expect(decode(r, record, other), part).toBeUndefined()
    }
    expect(decode(r, record, operation)).toBeDefined()
  })

  test('is refused after any single-bit damage', () => {
    const raw = Buffer.alloc(400, 'some text ')
    const record = { ...encode(w, raw), rawLength: raw.length }
    expect(record.codec).toBe(CODEC_ZSTD)
    for (let bit = 0; bit < record.encoded.length * 8; bit += 1) {
      const encoded = Buffer.from(record.encoded)
      encoded[bit >> 3]! ^= 1 << (bit & 7)
      expect(decode(r, { ...record, encoded }), `bit ${bit}`).toBeUndefined()
    }
  })

  test('is refused with another raw length', () => {
    const raw = Buffer.alloc(1000, 'some text ')
    const record = encode(w, raw)
    for (const rawLength of [1, 999, 1001, CHUNK_SIZE_MAX]) {
      expect(decode(r, { ...record, rawLength }), String(rawLength)).toBeUndefined()
    }
    const plain = encode(w, Buffer.from('x'))
    expect(plain.codec).toBe(CODEC_RAW)
    expect(decode(r, { ...plain, rawLength: 2 })).toBeUndefined()
  })
})

describe.each(both)('%s primitives', (_name, primitives) => {
  test('write AES-256-GCM as others know it (NIST GCM test case 16)', () => {
    const key = Buffer.from(
      'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
      'hex',
    )
    const plain = Buffer.from(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
        '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      'hex',
    )
    const operation = {
      key,
      nonce: Buffer.from('cafebabefacedbaddecaf888', 'hex'),
      associatedData: Buffer.from('feedfacedeadbeeffeedfacedeadbeefabaddad2', 'hex'),
    }
    const target = Buffer.alloc(plain.length + TAG_SIZE)
    primitives.encrypt(operation, plain, target)
    expect(target.toString('hex')).toBe(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    )
    const back = Buffer.alloc(plain.length)
    expect(primitives.decrypt(operation, target, back)).toBe(true)
    expect(back.equals(plain)).toBe(true)
  })

  test('keep keys apart when they alternate', () => {
    const plain = Buffer.from('a payload')
    const sealed = [1, 9, 1].map((seed) => {
      const target = Buffer.alloc(plain.length + TAG_SIZE)
      primitives.encrypt(makeOperation(seed), plain, target)
      return target.toString('hex')
    })
    expect(sealed[0]).toBe(sealed[2])
    expect(sealed[0]).not.toBe(sealed[1])
  })

  test('decompress a frame that another zstd wrote', () => {
    // printf 'openmaas openmaas openmaas openmaas' | zstd -1 --no-check
    const frame = Buffer.from('28b52ffd00487d0000486f70656e6d616173200100b4cb11', 'hex')
    const target = Buffer.alloc(35)
    expect(primitives.decompress(frame, target)).toBe(35)
    expect(target.toString()).toBe('openmaas openmaas openmaas openmaas')
  })

  test('never write more than the target, whatever a frame says', () => {
    const bomb = Buffer.alloc(1000)
    const length = node.compress(Buffer.alloc(CHUNK_SIZE_MAX), bomb)
    expect(length).toBeGreaterThan(0)
    expect(primitives.decompress(bomb.subarray(0, length), Buffer.alloc(100))).toBe(-1)
    expect(primitives.decompress(Buffer.from('not a frame'), Buffer.alloc(100))).toBe(-1)
    expect(primitives.decompress(bomb.subarray(0, length - 1), Buffer.alloc(CHUNK_SIZE_MAX))).toBe(
      -1,
    )
  })

  test('report a frame that does not fit the target', () => {
    expect(primitives.compress(makeData('random', 1000, 3), Buffer.alloc(900))).toBe(0)
  })
})

describe('the decision to compress', () => {
  test('falls on raw for random and for short bytes, on zstd for text and pages', () => {
    const codec = new PayloadCodec(native)
    expect(codec.pack(makeData('random', 64 * KiB, 1)).codec).toBe(CODEC_RAW)
    expect(codec.pack(makeData('random', 10_000, 1)).codec).toBe(CODEC_RAW)
    expect(codec.pack(Buffer.from('short')).codec).toBe(CODEC_RAW)
    expect(codec.pack(makeData('text', 10_000, 1)).codec).toBe(CODEC_ZSTD)
    expect(codec.pack(makeData('databasePages', 64 * KiB, 1)).codec).toBe(CODEC_ZSTD)
  })

  test('is made by a sample that sees random bytes only where they are', () => {
    expect(looksRandom(makeData('random', 64 * KiB, 2))).toBe(true)
    expect(looksRandom(makeData('random', CHUNK_SIZE_MAX, 2))).toBe(true)
    expect(looksRandom(makeData('text', 64 * KiB, 2))).toBe(false)
    expect(looksRandom(makeData('databasePages', 64 * KiB, 2))).toBe(false)
    // Half of it would compress.
    const half = Buffer.concat([makeData('random', 32 * KiB, 2), Buffer.alloc(32 * KiB)])
    expect(looksRandom(half)).toBe(false)
  })

  test('refuses chunks that no reader would accept', () => {
    const codec = new PayloadCodec(native)
    expect(() => codec.pack(Buffer.alloc(0))).toThrow('CHUNK_SIZE_MAX')
    expect(() => codec.pack(Buffer.alloc(CHUNK_SIZE_MAX + 1))).toThrow('CHUNK_SIZE_MAX')
  })
})

test('a payload sealed again under another key opens with that key alone', () => {
  const raw = Buffer.alloc(5000, 'text ')
  const codec = new PayloadCodec(native)
  const packed = codec.pack(raw)
  const encoded = Buffer.alloc(packed.length + TAG_SIZE)
  const [from, to] = [makeOperation(1), makeOperation(5)]
  codec.seal(from, encoded)
  expect(codec.reseal(to, from, Buffer.from(encoded))).toBe(false)
  expect(codec.reseal(from, to, encoded)).toBe(true)
  expect(codec.openToScratch(from, packed.codec, encoded, raw.length)).toBeUndefined()
  expect(codec.openToScratch(to, packed.codec, encoded, raw.length)?.equals(raw)).toBe(true)
})
