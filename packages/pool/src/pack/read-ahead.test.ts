import { SeededRandom } from '@openmaas/kernel/random'
import { KiB, MiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { hasher, locate, makeReader, makeWriter, put } from './pack-fixture.ts'
import { packPath } from './path.ts'
import { ReadAhead } from './read-ahead.ts'
import type { Fs } from '@openmaas/kernel/fs'

const FILE_SIZE = 6 * MiB
const CONTENT = makeData('random', FILE_SIZE, 5)
const CONTENTS = [CONTENT, Buffer.from(CONTENT.toReversed())]

function makeFile() {
  const fs = new MemoryFs()
  fs.makeDirectory('/d')
  for (const name of ['/d/a', '/d/b']) {
    const file = fs.open(name, 'create')
    fs.write(file, CONTENTS[name === '/d/a' ? 0 : 1]!, 0)
    fs.close(file)
  }
  let calls = 0
  const counting: Fs = Object.assign(Object.create(fs) as MemoryFs, {
    read: (file: number, target: Uint8Array, offset: number) => {
      calls += 1
      return fs.read(file, target, offset)
    },
  })
  const files = [fs.open('/d/a', 'read'), fs.open('/d/b', 'read')]
  return { fs: counting, files, contents: CONTENTS, calls: () => calls }
}

describe('reading ahead', () => {
  test('records in order cost a call per MiB, not one each', () => {
    const { fs, files, contents, calls } = makeFile()
    const ahead = new ReadAhead(fs)
    const scratch = Buffer.alloc(MiB)
    let recordNumber = 0
    for (let offset = 64; offset + 7000 <= FILE_SIZE; offset += 7000) {
      const place = { file: files[0]!, offset, length: 7000, recordNumber }
      expect(ahead.read(place, scratch).equals(contents[0]!.subarray(offset, offset + 7000))).toBe(
        true,
      )
      recordNumber += 1
    }
    expect(recordNumber).toBeGreaterThan(850)
    expect(calls()).toBeLessThan(14)
  })

  test('single records far apart are read exactly', () => {
    const { fs, files, calls } = makeFile()
    const lengths: number[] = []
    const exact: Fs = Object.assign(Object.create(fs) as Fs, {
      read: (file: number, target: Uint8Array, offset: number) => {
        lengths.push(target.length)
        return fs.read(file, target, offset)
      },
    })
    const ahead = new ReadAhead(exact)
    for (const offset of [5 * MiB, 64, 3 * MiB, 1 * MiB, 4 * MiB]) {
      const place = { file: files[0]!, offset, length: 5000, recordNumber: 0 }
      ahead.read(place, Buffer.alloc(MiB))
    }
    expect(lengths).toEqual([5000, 5000, 5000, 5000, 5000])
    expect(calls()).toBe(5)
  })

  test('whatever the order, the bytes are those of the file', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const { fs, files, contents } = makeFile()
      const random = new SeededRandom(seed)
      const ahead = new ReadAhead(fs)
      const scratch = Buffer.alloc(MiB)
      const next = [64, 64]
      for (let i = 0; i < 300; i += 1) {
        const which = random.below(2)
        const jump = random.below(8) === 0
        const offset = jump ? random.below(FILE_SIZE) : next[which]! + random.below(3) * 900
        const length = 1 + random.below(jump ? 300 * KiB : 20 * KiB)
        const place = { file: files[which]!, offset, length, recordNumber: i }
        const expected = contents[which]!.subarray(offset, offset + length)
        const message = `seed ${seed}, read ${i} of ${length} at ${offset}`
        expect(ahead.read(place, scratch).equals(expected), message).toBe(true)
        next[which] = Math.min(offset + length, FILE_SIZE)
        if (random.below(40) === 0) ahead.forget(files[which]!)
      }
    }
  })
})

describe('the next record', () => {
  function makePack() {
    const fs = new MemoryFs()
    const writer = makeWriter(fs)
    const stored = Array.from({ length: 40 }, (_, i) => put(writer, makeData('text', 3000, i + 1)))
    return { fs, stored, pack: writer.seal()! }
  }

  test('is located without an index once records are read in order', () => {
    const { fs, stored, pack } = makePack()
    const reader = makeReader(fs)
    expect(reader.locateNext(stored[0]!.chunkId)).toBeUndefined()
    const locations = stored.map((each) => locate(pack, each))
    reader.read(locations[0]!)
    reader.read(locations[1]!)
    for (let i = 2; i < stored.length; i += 1) {
      expect(reader.locateNext(hasher.hash(Buffer.from('another')))).toBeUndefined()
      const found = reader.locateNext(stored[i]!.chunkId)!
      expect({ ...found, pack: undefined }).toEqual({ ...locations[i]!, pack: undefined })
      expect(found.pack).toBe(pack)
      expect(reader.read(found).equals(stored[i]!.raw)).toBe(true)
    }
    expect(reader.locateNext(stored[3]!.chunkId)).toBeUndefined()
    reader.close()
    expect(reader.locateNext(stored[3]!.chunkId)).toBeUndefined()
  })

  test('is not believed when its header is damaged, and not kept when its bytes were', () => {
    const { fs, stored, pack } = makePack()
    const path = packPath('/b0', pack.packId)
    const damage = (offset: number, value: number): void => {
      const file = fs.open(path, 'readWrite')
      fs.write(file, Buffer.from([value]), offset)
      fs.close(file)
    }
    const { offset } = stored[2]!.at
    damage(offset + 12, 0xff) // Of the encoded length, before it is read ahead.
    const reader = makeReader(fs)
    reader.read(locate(pack, stored[0]!))
    reader.read(locate(pack, stored[1]!))
    expect(reader.locateNext(stored[2]!.chunkId)).toBeUndefined()
    expect(() => reader.read(locate(pack, stored[2]!))).toThrow('header checksum')
    damage(offset + 12, stored[2]!.at.encodedLength & 0xff) // Repaired behind our back.
    expect(reader.read(locate(pack, stored[2]!)).equals(stored[2]!.raw)).toBe(true)
  })
})
