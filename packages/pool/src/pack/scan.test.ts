import { KiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { encodeTableEntry } from './format.ts'
import { makeWriter, put } from './pack-fixture.ts'
import { packPath } from './path.ts'
import { readFooter, scanPack } from './scan.ts'

/** A pack of 300 records, most of them small, as bytes. */
function makePack(count: number): { bytes: Buffer; offsets: number[] } {
  const fs = new MemoryFs()
  const writer = makeWriter(fs)
  const offsets = Array.from({ length: count }, (_, i) => {
    const raw = i % 50 === 7 ? makeData('text', 20 * KiB, i + 1) : Buffer.from(`chunk ${i}`)
    return put(writer, raw).at.offset
  })
  const path = packPath('/b0', writer.seal()!.packId)
  const file = fs.open(path, 'read')
  const bytes = Buffer.alloc(fs.size(file))
  fs.read(file, bytes, 0)
  return { bytes, offsets }
}

function store(bytes: Buffer): { fs: MemoryFs; path: string } {
  const fs = new MemoryFs()
  const file = fs.open('/pack', 'create')
  fs.write(file, bytes, 0)
  fs.close(file)
  return { fs, path: '/pack' }
}

function scan(bytes: Buffer) {
  const { fs, path } = store(bytes)
  return scanPack(fs, path)
}

function footerCode(bytes: Buffer): string {
  const { fs, path } = store(bytes)
  try {
    readFooter(fs, path)
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

const { bytes: whole, offsets } = makePack(300)
const trailerAt = whole.length - 64
const tableAt = trailerAt - 300 * 52
const intact = scan(whole)

describe('a scan', () => {
  test('lists all records of a whole pack as its footer does', () => {
    expect(intact).toMatchObject({ whole: true, damaged: [] })
    expect(intact.records.map((record) => record.offset)).toEqual(offsets)
    expect(intact.records.map((record) => record.recordNumber)).toEqual(offsets.map((_, i) => i))
    expect(intact.footer?.records).toEqual(intact.records)
  })

  test('uses the scratch memory it is given', () => {
    const { fs, path } = store(whole)
    expect(scanPack(fs, path, Buffer.alloc(whole.length + 1))).toEqual(intact)
    expect(scanPack(fs, path, Buffer.alloc(10))).toEqual(intact)
  })

  test('finds any damaged byte of a pack', () => {
    const { bytes } = makePack(5)
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 0x40
      expect(scan(damaged).whole, `byte ${at}`).toBe(false)
    }
  })

  test('loses one record to a damaged header, and numbers those behind it right', () => {
    const damaged = Buffer.from(whole)
    damaged[offsets[100]! + 20]! ^= 1
    const result = scan(damaged)
    expect(result.records).toEqual(intact.records.filter((record) => record.recordNumber !== 100))
    const length = offsets[101]! - offsets[100]!
    expect(result.damaged).toEqual([{ offset: offsets[100], length, what: 'record' }])
  })

  test('names the record whose payload is damaged', () => {
    const damaged = Buffer.from(whole)
    damaged[offsets[7]! + 1000]! ^= 1
    const result = scan(damaged)
    expect(result.records.length).toBe(299)
    expect(result.damaged).toMatchObject([{ what: 'payload', record: { recordNumber: 7 } }])
    expect(result.damaged[0]!.record).toEqual(intact.records[7])
  })

  test('numbers records after a gap without a footer too, up to 255 lost ones', () => {
    const damaged = Buffer.from(whole)
    damaged.fill(0, trailerAt)
    damaged.fill(0xab, offsets[10]!, offsets[265]!)
    const result = scan(damaged)
    const left = intact.records.filter(({ recordNumber: n }) => n < 10 || n >= 265)
    expect(result.records).toEqual(left)
    expect(result.footer).toBeUndefined()
    expect(result.damaged.map((range) => range.what)).toEqual(['record', 'footer'])
  })

  test.each([
    ['trailer', trailerAt + 5],
    ['table', tableAt + 52 * 17],
    ['end magic', whole.length - 1],
  ])('reads all records of a pack whose %s is damaged', (_name, at) => {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 0x80
    const result = scan(damaged)
    expect(result.records).toEqual(intact.records)
    expect(result.footer).toBeUndefined()
    expect(result.damaged.map((range) => range.what)).toEqual(['footer'])
    expect(footerCode(damaged)).toBe('PACK_INVALID')
  })

  test('reads all records of a pack whose header is damaged', () => {
    const damaged = Buffer.from(whole)
    damaged[17]! ^= 1
    const result = scan(damaged)
    expect(result).toMatchObject({ header: undefined, footer: undefined, whole: false })
    expect(result.records).toEqual(intact.records)
    expect(result.damaged).toEqual([{ offset: 0, length: 64, what: 'header' }])
  })

  test('reads what is left of a pack that was cut off anywhere', () => {
    for (let length = 0; length < whole.length; length += 997) {
      const result = scan(whole.subarray(0, length))
      const ends = [...offsets.slice(1), intact.footer!.trailer.recordsEnd]
      const expected = intact.records.filter((_, i) => ends[i]! <= length)
      expect(result.records, `length ${length}`).toEqual(expected)
      expect(result.whole).toBe(false)
      expect(footerCode(whole.subarray(0, length))).toBe('PACK_INVALID')
    }
  })

  test('is not misled by a record inside a payload', () => {
    // A chunk that is itself a piece of a pack is encrypted: its magic never shows. This one
    // claims to reach beyond the file.
    const damaged = Buffer.from(whole)
    whole.copy(damaged, tableAt - 52 - 100, offsets[7]!, offsets[7]! + 52)
    expect(scan(damaged).records).toEqual(intact.records)
  })

  test('refuses a file larger than any pack before it reads it', () => {
    const fs = new MemoryFs()
    const file = fs.open('/pack', 'create')
    fs.truncate(file, 256 * 1024 * KiB + 4096)
    fs.close(file)
    expect(() => scanPack(fs, '/pack')).toThrow(expect.objectContaining({ code: 'PACK_INVALID' }))
    expect(() => readFooter(fs, '/pack')).toThrow(expect.objectContaining({ code: 'PACK_INVALID' }))
  })
})

describe('a footer', () => {
  test('is refused after any single-bit damage of header, table or trailer', () => {
    const { bytes } = makePack(5)
    const tableOffset = bytes.length - 64 - 5 * 52
    const regions = [
      [0, 64],
      [tableOffset, bytes.length],
    ] as const
    for (const [begin, end] of regions) {
      for (let bit = begin * 8; bit < end * 8; bit += 1) {
        const damaged = Buffer.from(bytes)
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        expect(footerCode(damaged), `bit ${bit}`).toBe('PACK_INVALID')
      }
    }
    expect(footerCode(bytes)).toBe('accepted')
  })

  test('is refused when its entries leave gaps or overlap, with right checksums too', () => {
    const move = (number: number, by: number): Buffer => {
      const moved = Buffer.from(whole)
      const at = tableAt + number * 52
      const entry = { ...intact.records[number]!, offset: offsets[number]! + by }
      encodeTableEntry(entry, moved.subarray(at, at + 52))
      return moved
    }
    expect(footerCode(move(5, 0))).toBe('accepted')
    expect(footerCode(move(5, 1))).toBe('PACK_INVALID')
    expect(footerCode(move(5, -1))).toBe('PACK_INVALID')
    expect(footerCode(move(5, offsets[6]! - offsets[5]!))).toBe('PACK_INVALID')
  })

  test('of a missing pack is a missing file', () => {
    const expected = expect.objectContaining({ code: 'FS_NOT_FOUND' })
    expect(() => readFooter(new MemoryFs(), '/absent')).toThrow(expected)
  })
})
