import { describe, expect, test } from 'vitest'
import { CHUNK_SIZE_MAX, ChunkType } from '../chunk/chunk.ts'
import {
  decodePackHeader,
  decodePackTrailer,
  decodeRecordHeader,
  decodeTableEntry,
  encodePackHeader,
  encodePackTrailer,
  encodeRecordHeader,
  encodeTableEntry,
  PACK_HEADER_SIZE,
  PACK_TRAILER_SIZE,
  packFileSize,
  RECORD_HEADER_SIZE,
  RecordBinding,
  recordEnd,
  TABLE_ENTRY_SIZE,
} from './format.ts'
import { packPath, parsePackName } from './path.ts'

const header = {
  kind: 'metadata',
  poolId: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  packId: Buffer.alloc(16, 0xaa),
} as const
const record = {
  type: ChunkType.manifest,
  codec: 1,
  numberLow: 0xfe,
  rawLength: 0x12345,
  encodedLength: 0x4321,
  chunkId: Buffer.alloc(32, 0xcd),
} as const
const entry = {
  chunkId: Buffer.alloc(32, 0xcd),
  recordNumber: 3,
  offset: 0x1000,
  encodedLength: 0x4321,
  rawLength: 0x12345,
  type: ChunkType.treeNode,
  codec: 1,
} as const
const trailer = {
  count: 2,
  tableOffset: 8192 - 64 - 2 * 52,
  recordsEnd: 300,
  kind: 'data',
  hash: Buffer.alloc(32, 0xee),
} as const

function encode(size: number, write: (target: Buffer) => void): Buffer {
  // Zeroed by the encoder where the format says so, not by luck.
  const target = Buffer.alloc(size, 0xff)
  write(target)
  return target
}

const formats = [
  {
    name: 'pack header',
    bytes: encode(PACK_HEADER_SIZE, (target) => encodePackHeader(header, target)),
    value: header,
    decode: decodePackHeader,
    hex:
      '4d4f535041434b31' +
      '0102000000000000' +
      '000102030405060708090a0b0c0d0e0f' +
      'aa'.repeat(16) +
      '00'.repeat(12) +
      '3787218b',
  },
  {
    name: 'record header',
    bytes: encode(RECORD_HEADER_SIZE, (target) => encodeRecordHeader(record, target)),
    value: record,
    decode: decodeRecordHeader,
    hex: '4d524331' + '010601fe' + '45230100' + '21430000' + 'cd'.repeat(32) + 'ede5ef77',
  },
  {
    name: 'table entry',
    bytes: encode(TABLE_ENTRY_SIZE, (target) => encodeTableEntry(entry, target)),
    value: entry,
    decode: (bytes: Buffer) => decodeTableEntry(bytes, 3, 0x10000),
    hex: 'cd'.repeat(32) + '00100000' + '21430000' + '45230100' + '02010000' + '869eb2fb',
  },
  {
    name: 'trailer',
    bytes: encode(PACK_TRAILER_SIZE, (target) => encodePackTrailer(trailer, target)),
    value: trailer,
    decode: (bytes: Buffer) => decodePackTrailer(bytes, 8192),
    hex:
      '02000000' +
      '581f0000' +
      '2c010000' +
      '01010000' +
      'ee'.repeat(32) +
      '00000000' +
      '95433275' +
      '4b434150534f4d31',
  },
]

describe.each(formats)('a $name', ({ bytes, value, decode, hex }) => {
  test('has the bytes its page describes', () => {
    expect(bytes.toString('hex')).toBe(hex)
  })

  test('decodes to what was encoded', () => {
    expect(decode(bytes)).toEqual(value)
  })

  test('is refused after any single-bit damage', () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(decode(damaged), `bit ${bit}`).toBeUndefined()
    }
  })

  test('is refused when it is all zeros or all ones', () => {
    expect(decode(Buffer.alloc(bytes.length))).toBeUndefined()
    expect(decode(Buffer.alloc(bytes.length, 0xff))).toBeUndefined()
  })
})

describe('a right checksum is not enough', () => {
  const decodeRecord = (change: object) =>
    decodeRecordHeader(
      encode(RECORD_HEADER_SIZE, (target) => encodeRecordHeader({ ...record, ...change }, target)),
    )

  test('for a record whose lengths or type are impossible', () => {
    expect(decodeRecord({})).toEqual(record)
    expect(decodeRecord({ rawLength: 0, encodedLength: 16 })).toBeUndefined()
    expect(decodeRecord({ rawLength: CHUNK_SIZE_MAX + 1 })).toBeUndefined()
    expect(decodeRecord({ encodedLength: 16 })).toBeUndefined()
    expect(decodeRecord({ encodedLength: record.rawLength + 16 })).toBeUndefined()
    expect(decodeRecord({ codec: 0, encodedLength: record.rawLength + 15 })).toBeUndefined()
    expect(decodeRecord({ codec: 0, encodedLength: record.rawLength + 16 })).toBeDefined()
    expect(decodeRecord({ codec: 2 })).toBeUndefined()
    expect(decodeRecord({ type: 0 })).toBeUndefined()
    expect(decodeRecord({ type: 7 })).toBeUndefined()
  })

  test('for a table entry that points out of the records', () => {
    const bytes = encode(TABLE_ENTRY_SIZE, (target) => encodeTableEntry(entry, target))
    const end = recordEnd(entry.offset, entry.encodedLength)
    expect(decodeTableEntry(bytes, 3, end)).toEqual(entry)
    expect(decodeTableEntry(bytes, 3, end - 1)).toBeUndefined()
    const low = encode(TABLE_ENTRY_SIZE, (target) =>
      encodeTableEntry({ ...entry, offset: 63 }, target),
    )
    expect(decodeTableEntry(low, 3, end)).toBeUndefined()
  })

  test('for a trailer that does not fit its file', () => {
    const decode = (change: object, fileSize = 8192) =>
      decodePackTrailer(
        encode(PACK_TRAILER_SIZE, (target) => encodePackTrailer({ ...trailer, ...change }, target)),
        fileSize,
      )
    expect(decode({})).toEqual(trailer)
    expect(decode({}, 4096)).toBeUndefined()
    expect(decode({ count: 3 })).toBeUndefined()
    expect(decode({ count: 2 ** 31 })).toBeUndefined()
    expect(decode({ recordsEnd: 63 })).toBeUndefined()
    expect(decode({ recordsEnd: trailer.tableOffset + 1 })).toBeUndefined()
  })
})

test('a binding holds nonce and associated data as the page lists them', () => {
  const bytes = encode(RECORD_HEADER_SIZE, (target) => encodeRecordHeader(record, target))
  const { nonce, associatedData } = new RecordBinding().bind(header, 0x01020304, bytes)
  expect(nonce.toString('hex')).toBe('040302010000000000000000')
  expect(associatedData.toString('hex')).toBe(
    '000102030405060708090a0b0c0d0e0f' +
      'aa'.repeat(16) +
      '04030201' +
      bytes.toString('hex', 0, 48),
  )
})

test('a file size is whole blocks with room for table and trailer', () => {
  expect(packFileSize(64, 0)).toBe(4096)
  expect(packFileSize(4096 - 64 - 52, 1)).toBe(4096)
  expect(packFileSize(4096 - 64 - 51, 1)).toBe(8192)
})

test('a pack id names its file, and only such a name is a pack', () => {
  const packId = Buffer.from('0f1e2d3c4b5a69788796a5b4c3d2e1f0', 'hex')
  expect(packPath('/brick', packId)).toBe('/brick/packs/0f/0f1e2d3c4b5a69788796a5b4c3d2e1f0')
  expect(parsePackName('0f1e2d3c4b5a69788796a5b4c3d2e1f0')).toEqual(packId)
  for (const name of ['', '0f', `${packId.toString('hex')}.tmp`, 'g'.repeat(32), 'A'.repeat(32)]) {
    expect(parsePackName(name), name).toBeUndefined()
  }
})
