import { KiB } from '@openmaas/kernel/units'
import { SeededRandom } from '@openmaas/kernel/random'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { ChunkType } from '../chunk/chunk.ts'
import { ChunkHasher } from '../chunk/chunk-hasher.ts'
import { makePrimitives } from '../chunk/native-primitives.ts'
import { PayloadCodec } from '../chunk/payload-codec.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { packPath } from './path.ts'
import { PackReader } from './reader.ts'
import { readFooter, scanPack } from './scan.ts'
import { PackWriter } from './writer.ts'
import type { PoolId } from '@openmaas/kernel/ids'

const keys = new KeyRing(Buffer.alloc(32, 5), 'pol_01ARZ3NDEKTSV4RRFFQ69G5FAV' as PoolId)

describe('a pack', () => {
  test('gives back what was appended, through reader, footer and scan', () => {
    const fs = new MemoryFs()
    const random = new SeededRandom(1)
    const hasher = new ChunkHasher(keys.chunkIdKey)
    const codec = new PayloadCodec(makePrimitives())
    const place = () => ['/b0', '/b1']
    const writer = new PackWriter({ fs, random, keys, codec, hasher, kind: 'data', place })
    const raws = [
      Buffer.alloc(100, 'text '),
      random.bytes(70 * KiB),
      Buffer.alloc(300 * KiB, 'abc'),
      Buffer.from('x'),
    ]
    const ids = raws.map((raw) => hasher.hash(raw))
    const at = raws.map((raw, i) => writer.append(ChunkType.data, ids[i]!, raw)!)
    const sealed = writer.seal()!
    const reader = new PackReader({ fs, keys, codec, hasher })
    raws.forEach((raw, i) => {
      const location = { pack: sealed, chunkId: ids[i]!, rawLength: raw.length, ...at[i]! }
      expect(reader.read(location).equals(raw)).toBe(true)
    })
    const path = packPath('/b1', sealed.packId)
    const footer = readFooter(fs, path)
    expect(footer.records.map((record) => record.chunkId)).toEqual(ids)
    const scan = scanPack(fs, path)
    expect(scan.whole).toBe(true)
    expect(scan.records).toEqual(footer.records)
    expect(scan.hash).toEqual(sealed.hash)
  })
})
