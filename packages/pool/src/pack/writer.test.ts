import { createDecipheriv, hkdfSync } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { blake3, Blake3Hasher } from '@napi-rs/blake-hash'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { KiB, MiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { CHUNK_SIZE_MAX, ChunkType } from '../chunk/chunk.ts'
import { NodePrimitives } from '../chunk/node-primitives.ts'
import { PayloadCodec } from '../chunk/payload-codec.ts'
import { checkReadable, hasher, listPacks, makeWriter, put, readAll } from './pack-fixture.ts'
import { packPath } from './path.ts'
import { readFooter } from './scan.ts'
import type { Fs } from '@openmaas/kernel/fs'
import type { Stored } from './pack-fixture.ts'
import type { SealedPack } from './writer.ts'

const RAWS = [
  Buffer.alloc(100, 'text '),
  makeData('random', 70 * KiB, 1),
  makeData('text', 300 * KiB, 2),
  makeData('databasePages', 64 * KiB, 3),
  makeData('random', CHUNK_SIZE_MAX, 4),
  Buffer.from('x'),
]

/** 32 bytes a line. */
const inLines = (hex: string) => hex.match(/.{1,64}/g)

describe('a sealed pack', () => {
  test('gives back every chunk, on every brick it was placed on', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs, { place: () => ['/b0', '/b1'] })
    const stored = RAWS.map((raw) => put(writer, raw))
    const pack = writer.seal()!
    expect(pack).toMatchObject({ kind: 'data', records: 6, bricks: ['/b0', '/b1'] })
    expect(pack.rawBytes).toBe(RAWS.reduce((sum, raw) => sum + raw.length, 0))
    expect(pack.size % 4096).toBe(0)
    checkReadable(fs, pack, stored)
  })

  test('has the bytes its page describes', () => {
    const fs = new MemoryFs()
    const random = { bytes: (count: number) => Buffer.alloc(count, 0x11) }
    const writer = makeWriter(fs, { random })
    put(writer, Buffer.from('hello'))
    put(writer, Buffer.from('x'))
    const pack = writer.seal()!
    const bytes = readAll(fs, packPath('/b0', pack.packId))
    expect({
      size: bytes.length,
      header: inLines(bytes.toString('hex', 0, 64)),
      firstRecord: inLines(bytes.toString('hex', 64, 64 + 52 + 5 + 16 + 4)),
      secondRecord: inLines(bytes.toString('hex', 141, 141 + 52 + 1 + 16 + 4)),
      zeros: bytes.subarray(214, 4096 - 64 - 104).every((byte) => byte === 0),
      table: inLines(bytes.toString('hex', 4096 - 64 - 104, 4096 - 64)),
      trailer: inLines(bytes.toString('hex', 4096 - 64)),
    }).toMatchInlineSnapshot(`
      {
        "firstRecord": [
          "4d5243310101000005000000150000001aef97ddf7c1e9d53cea1c7e8f1712ff",
          "5838217e0a323befcb7cd3b5f5dac843bd684eb6bbe603a46f2b1287976a85e5",
          "92587efd9601d328af923c2215",
        ],
        "header": [
          "4d4f535041434b31010100000000000001563e3ab5d3d6764c61efb99302bd5b",
          "11111111111111111111111111111111000000000000000000000000ca60100a",
        ],
        "secondRecord": [
          "4d5243310101000101000000110000006cb26c2abd8cf8ad840a3d49e02164c4",
          "c8fc47c2912839b0ae0d10c0a62c921d35c98ff089b0379a4850805fe46982d5",
          "3a3766579de5a82edd",
        ],
        "size": 4096,
        "table": [
          "1aef97ddf7c1e9d53cea1c7e8f1712ff5838217e0a323befcb7cd3b5f5dac843",
          "4000000015000000050000000100000095d787d06cb26c2abd8cf8ad840a3d49",
          "e02164c4c8fc47c2912839b0ae0d10c0a62c921d8d0000001100000001000000",
          "01000000cb409360",
        ],
        "trailer": [
          "02000000580f0000d600000001010000feb904fda5d9c6cf52064824fc5db898",
          "a182ee0e907c35e3073ce96799cf3640000000001dbc3d2f4b434150534f4d31",
        ],
        "zeros": true,
      }
    `)
  })

  test('can be decrypted with nothing but the pages of its formats', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs)
    const raws = [Buffer.from('first'), makeData('text', 20 * KiB, 1)]
    const ids = raws.map((raw) => put(writer, raw).chunkId)
    const pack = writer.seal()!
    const bytes = readAll(fs, packPath('/b0', pack.packId))
    // keys.md, pack.md: literal, without any code of ours.
    const poolId = Buffer.from('01563e3ab5d3d6764c61efb99302bd5b', 'hex')
    const hkdf = (key: Buffer, info: Buffer) =>
      Buffer.from(hkdfSync('sha256', key, poolId, info, 32))
    const packMaster = hkdf(Buffer.alloc(32, 5), Buffer.from('openmaas/1/pack'))
    const info = Buffer.concat([Buffer.from('openmaas/1/pack-key/'), pack.packId])
    const key = hkdf(packMaster, info)
    let offset = 64
    raws.forEach((raw, number) => {
      const header = bytes.subarray(offset, offset + 48)
      const length = header.readUInt32LE(12)
      const encoded = bytes.subarray(offset + 52, offset + 52 + length)
      const recordNumber = Buffer.from([number, 0, 0, 0])
      const nonce = Buffer.concat([recordNumber, Buffer.alloc(8)])
      const cipher = createDecipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(Buffer.concat([poolId, pack.packId, recordNumber, header]))
      cipher.setAuthTag(encoded.subarray(length - 16))
      const plain = Buffer.concat([cipher.update(encoded.subarray(0, length - 16)), cipher.final()])
      expect(header[6]).toBe(number)
      expect((number === 0 ? plain : zstdDecompressSync(plain)).equals(raw)).toBe(true)
      const chunkIdKey = hkdf(Buffer.alloc(32, 5), Buffer.from('openmaas/1/chunk-id'))
      expect(Blake3Hasher.newKeyed(chunkIdKey).update(raw).digestBuffer()).toEqual(ids[number])
      offset += 52 + length + 4
    })
    expect(blake3(bytes.subarray(0, -64))).toEqual(pack.hash)
  })

  test('reaches a real disk by direct I/O', () => {
    using directory = new TemporaryDirectory()
    const fs = new NodeFs()
    const writer = makeWriter(fs, { place: () => [directory.path] })
    const stored = RAWS.map((raw) => put(writer, raw))
    checkReadable(fs, writer.seal()!, stored)
  })

  test('is the same file whichever primitives encoded it, when nothing is compressed', () => {
    const sizes = [1, 1000, 60_000]
    const hashes = [undefined, new PayloadCodec(new NodePrimitives())].map((codec) => {
      const writer = makeWriter(new MemoryFs(), codec === undefined ? {} : { codec })
      for (const size of sizes) put(writer, makeData('random', size, size))
      return writer.seal()?.hash.toString('hex')
    })
    expect(hashes[0]).toBe(hashes[1])
  })

  test('is followed by another one from the same writer, without a trace of the first', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs)
    put(writer, makeData('random', 900 * KiB, 5))
    const first = writer.seal()!
    const stored = [put(writer, Buffer.from('little'))]
    const second = writer.seal()!
    expect(second.packId).not.toEqual(first.packId)
    expect(second).toMatchObject({ size: 4096, records: 1, rawBytes: 6 })
    const bytes = readAll(fs, packPath('/b0', second.packId))
    const gap = bytes.subarray(64 + 56 + 16 + 6, 4096 - 64 - 52)
    expect(gap.every((byte) => byte === 0)).toBe(true)
    checkReadable(fs, second, stored)
  })

  test('holds only chunks of its kind', () => {
    const writer = makeWriter(new MemoryFs())
    const raw = Buffer.from('a node')
    expect(() => writer.append(ChunkType.treeNode, hasher.hash(raw), raw)).toThrow('its kind')
  })
})

describe('a writer', () => {
  test('says when the pack is full, and always takes a chunk into an empty one', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs)
    const packs: SealedPack[] = []
    const stored: Stored[][] = [[]]
    for (let i = 0; i < 12; i += 1) {
      const raw = makeData('random', CHUNK_SIZE_MAX - i, 100 + i)
      const chunkId = hasher.hash(raw)
      let at = writer.append(ChunkType.data, chunkId, raw)
      if (at === undefined) {
        packs.push(writer.seal()!)
        stored.push([])
        at = writer.append(ChunkType.data, chunkId, raw)!
      }
      stored.at(-1)!.push({ raw, chunkId, at })
    }
    packs.push(writer.seal()!)
    expect(packs.map((pack) => pack.records)).toEqual([3, 3, 3, 3])
    packs.forEach((pack, i) => {
      expect(pack.size).toBeLessThanOrEqual(4 * MiB)
      checkReadable(fs, pack, stored[i]!)
    })
  })

  test('counts the table of very many small records as part of the size', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs, { sizeMax: 2 * MiB })
    const raw = Buffer.alloc(4)
    let count = 0
    for (;;) {
      raw.writeUInt32LE(count)
      if (writer.append(ChunkType.data, hasher.hash(raw), raw) === undefined) break
      count += 1
    }
    const pack = writer.seal()!
    // 56 + 16 + 4 bytes of record, 52 of table.
    expect(count).toBe(Math.floor((2 * MiB - 128) / 128))
    expect(pack.size).toBe(2 * MiB)
    expect(readFooter(fs, packPath('/b0', pack.packId)).records.length).toBe(count)
  })

  test('syncs each file, then its directory, and a new directory once', () => {
    const log: string[] = []
    const names = new Map<unknown, string>()
    const fs = new Proxy(new MemoryFs() as Fs, {
      get(target, name: keyof Fs) {
        const method = target[name].bind(target) as (...values: unknown[]) => unknown
        return (...values: unknown[]) => {
          const result = method(...values)
          if (name === 'open') names.set(result, String(values[0]))
          log.push(`${name} ${names.get(values[0]) ?? String(values[0])}`)
          return result
        }
      },
    })
    const random = { bytes: (count: number) => Buffer.alloc(count, 0x22).fill(log.length, 15) }
    const writer = makeWriter(fs, { random, place: () => ['/b0', '/b1'] })
    const paths = [1, 2].map(() => {
      put(writer, Buffer.from('x'))
      const { packId } = writer.seal()!
      return ['/b0', '/b1'].map((brick) => packPath(brick, packId))
    })
    const steps = (path: string, directories: string[]): string[] => [
      `dataSync ${path}`,
      ...directories.map((directory) => `syncDirectory ${directory}`),
    ]
    expect(log.filter((line) => line.includes('ync'))).toEqual([
      ...steps(paths[0]![0]!, ['/b0/packs/22', '/b0/packs']),
      ...steps(paths[0]![1]!, ['/b1/packs/22', '/b1/packs']),
      ...steps(paths[1]![0]!, ['/b0/packs/22']),
      ...steps(paths[1]![1]!, ['/b1/packs/22']),
    ])
  })

  test('writes pieces while it fills, and the same file whatever their size', () => {
    const hashes = [4096, 256 * KiB, 4 * MiB].map((pieceSize) => {
      const fs = new MemoryFs()
      const writer = makeWriter(fs, { pieceSize })
      const stored = RAWS.map((raw) => put(writer, raw))
      const pack = writer.seal()!
      checkReadable(fs, pack, stored)
      return pack.hash.toString('hex')
    })
    expect(new Set(hashes).size).toBe(1)
  })

  test('makes no file for nothing', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs)
    expect(writer.seal()).toBeUndefined()
    expect(writer.size).toBe(0)
    expect(listPacks(fs, '/b0')).toEqual([])
  })

  test('removes its file when it is abandoned, and starts anew', () => {
    const fs = new MemoryFs()
    const writer = makeWriter(fs)
    put(writer, makeData('random', CHUNK_SIZE_MAX, 6))
    put(writer, makeData('random', CHUNK_SIZE_MAX, 7))
    expect(listPacks(fs, '/b0').length).toBe(1)
    writer.abandon()
    expect(listPacks(fs, '/b0')).toEqual([])
    const stored = [put(writer, Buffer.from('after'))]
    checkReadable(fs, writer.seal()!, stored)
  })

  test('does not count a chunk whose encoding does not read back', () => {
    class Flipping extends NodePrimitives {
      override encrypt(...[operation, source, target]: Parameters<NodePrimitives['encrypt']>) {
        const copy = Buffer.from(source)
        copy[copy.length >> 1]! ^= 1
        super.encrypt(operation, copy, target)
      }
    }
    const writer = makeWriter(new MemoryFs(), { codec: new PayloadCodec(new Flipping()) })
    for (const raw of [makeData('random', 1000, 8), makeData('text', 20_000, 8)]) {
      expect(() => put(writer, raw)).toThrow(expect.objectContaining({ code: 'ENCODE_MISMATCH' }))
      expect(() => put(writer, raw)).toThrow('not used again')
      return
    }
  })

  test('does not count a chunk that changed between its id and its encoding', () => {
    const writer = makeWriter(new MemoryFs())
    const expected = expect.objectContaining({ code: 'ENCODE_MISMATCH' })
    const wrong = hasher.hash(Buffer.from('before'))
    expect(() => writer.append(ChunkType.data, wrong, Buffer.from('after!'))).toThrow(expected)
  })

  test('lets an error that is none of the file system pass as it is', () => {
    class Crash extends Error {}
    const base = new MemoryFs()
    const fs = Object.assign(Object.create(base) as Fs, {
      open: () => {
        throw new Crash('power loss')
      },
      makeDirectory: () => undefined,
    })
    const writer = makeWriter(fs)
    put(writer, Buffer.from('x'))
    expect(() => writer.seal()).toThrow(Crash)
  })
})
