import { KiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { CHUNK_SIZE_MAX, ChunkType } from '../chunk/chunk.ts'
import { hasher, locate, makeFaultyFs, makeReader, makeWriter, put } from './pack-fixture.ts'
import { packPath } from './path.ts'
import type { Fs } from '@openmaas/kernel/fs'
import type { BadCopy, RecordLocation } from './reader.ts'

const BRICKS = ['/b0', '/b1']

function makePool() {
  const fs = new MemoryFs()
  const writer = makeWriter(fs, { place: () => BRICKS })
  const stored = [
    put(writer, Buffer.alloc(300, 'some text ')),
    put(writer, makeData('random', 5 * KiB, 1)),
    put(writer, makeData('text', 100 * KiB, 2)),
  ]
  const pack = writer.seal()!
  return { fs, stored, pack }
}

function flip(fs: Fs, path: string, bit: number): void {
  const file = fs.open(path, 'readWrite')
  const byte = Buffer.alloc(1)
  fs.read(file, byte, bit >> 3)
  byte[0]! ^= 1 << (bit & 7)
  fs.write(file, byte, bit >> 3)
  fs.close(file)
}

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

describe('a reader', () => {
  test('reads into the target it is given, and nothing beyond', () => {
    const { fs, stored, pack } = makePool()
    const target = Buffer.alloc(400, 0xee)
    const raw = makeReader(fs).read(locate(pack, stored[0]!), target)
    expect(raw.equals(stored[0]!.raw)).toBe(true)
    expect(raw.buffer).toBe(target.buffer)
    expect(target.subarray(300).every((byte) => byte === 0xee)).toBe(true)
  })

  test('refuses a record after any single-bit damage of it', () => {
    const { fs, stored, pack } = makePool()
    const one = { ...pack, bricks: ['/b0'] }
    const path = packPath('/b0', pack.packId)
    const { at } = stored[0]!
    const reader = makeReader(fs)
    const begin = at.offset * 8
    const end = (at.offset + 52 + at.encodedLength + 4) * 8
    for (let bit = begin; bit < end; bit += 1) {
      flip(fs, path, bit)
      expect(
        codeOf(() => reader.read(locate(one, stored[0]!))),
        `bit ${bit - begin}`,
      ).toBe('RECORD_INVALID')
      flip(fs, path, bit)
    }
    expect(codeOf(() => reader.read(locate(one, stored[0]!)))).toBe('none')
  })

  test('takes the other copy, and reports the bad one with brick and reason', () => {
    const { fs, stored, pack } = makePool()
    const bad: BadCopy[] = []
    const reader = makeReader(fs, { onBadCopy: (copy) => bad.push(copy) })
    flip(fs, packPath('/b0', pack.packId), (stored[1]!.at.offset + 60) * 8)
    const location = locate(pack, stored[1]!)
    expect(reader.read(location).equals(stored[1]!.raw)).toBe(true)
    expect(bad).toEqual([
      { location, brick: '/b0', error: expect.objectContaining({ code: 'RECORD_INVALID' }) },
    ])
    expect(bad[0]!.error.details['reason']).toBe('payload checksum')
    expect(reader.read(locate(pack, stored[0]!)).equals(stored[0]!.raw)).toBe(true)
    expect(bad.length).toBe(1)
  })

  test('takes the other copy when a brick is missing or a file is cut off', () => {
    const { fs, stored, pack } = makePool()
    fs.unlink(packPath('/b0', pack.packId))
    expect(makeReader(fs).read(locate(pack, stored[2]!)).equals(stored[2]!.raw)).toBe(true)

    const other = makePool()
    const file = other.fs.open(packPath('/b0', other.pack.packId), 'readWrite')
    other.fs.truncate(file, other.stored[2]!.at.offset + 100)
    const location = locate(other.pack, other.stored[2]!)
    expect(makeReader(other.fs).read(location).equals(other.stored[2]!.raw)).toBe(true)
  })

  test('says that a pack is missing when no brick has it', () => {
    const { fs, stored, pack } = makePool()
    for (const brick of BRICKS) fs.unlink(packPath(brick, pack.packId))
    expect(codeOf(() => makeReader(fs).read(locate(pack, stored[0]!)))).toBe('PACK_MISSING')
  })

  test('says that a record is damaged when all copies there are damaged', () => {
    const { fs, stored, pack } = makePool()
    fs.unlink(packPath('/b0', pack.packId))
    flip(fs, packPath('/b1', pack.packId), (stored[0]!.at.offset + 60) * 8)
    expect(codeOf(() => makeReader(fs).read(locate(pack, stored[0]!)))).toBe('RECORD_INVALID')
  })

  test('does not call a copy damaged that it could not open', () => {
    const { fs, stored, pack } = makePool()
    flip(fs, packPath('/b1', pack.packId), (stored[0]!.at.offset + 60) * 8)
    const fault = { errno: 'EMFILE', failFirst: 0, failCount: 1, only: 'open' }
    const reader = makeReader(makeFaultyFs(fs, fault).fs)
    expect(codeOf(() => reader.read(locate(pack, stored[0]!)))).toBe('FS_LIMIT')
    expect(reader.read(locate(pack, stored[0]!)).equals(stored[0]!.raw)).toBe(true)
  })

  test('refuses a record that stands somewhere else than the location says', () => {
    const { fs, stored, pack } = makePool()
    const right = locate(pack, stored[0]!)
    const other = { chunkId: stored[1]!.chunkId }
    expect(() => makeReader(fs).read({ ...right, ...other })).toThrow('another chunk')
    const wrong: Partial<RecordLocation>[] = [
      { recordNumber: 1 },
      { recordNumber: 256 },
      { offset: stored[1]!.at.offset },
      { offset: 65 },
      { offset: pack.size },
      { chunkId: stored[1]!.chunkId },
      { encodedLength: right.encodedLength + 1 },
      { rawLength: right.rawLength + 1 },
      { rawLength: CHUNK_SIZE_MAX + 1 },
      { rawLength: 0 },
      { encodedLength: 2 ** 31 },
      { offset: 2 ** 40 },
    ]
    for (const change of wrong) {
      const read = () => makeReader(fs).read({ ...right, ...change })
      expect(codeOf(read), JSON.stringify(change)).toBe('RECORD_INVALID')
    }
  })

  test('refuses a whole pack that was renamed to another id', () => {
    const { fs, stored, pack } = makePool()
    const packId = Buffer.alloc(16, 7)
    fs.makeDirectory('/b0/packs/07')
    fs.rename(packPath('/b0', pack.packId), packPath('/b0', packId))
    const location = locate({ packId, bricks: ['/b0'] }, stored[0]!)
    expect(codeOf(() => makeReader(fs).read(location))).toBe('RECORD_INVALID')
  })

  test('refuses bytes that are not those of the id, even under a right tag', () => {
    const fs = new MemoryFs()
    const wrong = Buffer.alloc(32, 1)
    const lying = Object.assign(Object.create(hasher) as typeof hasher, {
      hash: () => wrong,
      matches: () => true,
    })
    const writer = makeWriter(fs, { hasher: lying })
    const raw = Buffer.from('whose id was miscalculated')
    const at = writer.append(ChunkType.data, wrong, raw)!
    const pack = writer.seal()!
    const location = locate(pack, { raw, chunkId: wrong, at })
    expect(() => makeReader(fs).read(location)).toThrow('chunk id')
  })

  test('keeps only so many files open, and closes all', () => {
    const base = new MemoryFs()
    const locations = Array.from({ length: 10 }, (_, i) => {
      const random = { bytes: (count: number) => Buffer.alloc(count, i + 1) }
      const writer = makeWriter(base, { random, sizeMax: 2 * 1024 * KiB })
      const stored = put(writer, Buffer.from(`chunk ${i}`))
      return { stored, location: locate(writer.seal()!, stored) }
    })
    const open = new Set<number>()
    let most = 0
    const fs = new Proxy(base as Fs, {
      get(target, name: keyof Fs) {
        const method = target[name].bind(target) as (...values: unknown[]) => unknown
        return (...values: unknown[]) => {
          const result = method(...values)
          if (name === 'open') open.add(result as number)
          if (name === 'close') open.delete(values[0] as number)
          most = Math.max(most, open.size)
          return result
        }
      },
    })
    const reader = makeReader(fs, { openPacksMax: 3 })
    for (let round = 0; round < 3; round += 1) {
      for (const { location, stored } of locations) {
        expect(reader.read(location).equals(stored.raw)).toBe(true)
      }
    }
    expect(most).toBe(3)
    reader.forget(locations.at(-1)!.location.pack)
    expect(open.size).toBe(2)
    reader.close()
    expect(open.size).toBe(0)
  })
})
