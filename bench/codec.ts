/**
 * What one core does to chunks on their way into a pack and back, without any disk.
 *
 *     node bench/codec.ts
 *
 * put = id + compress + encrypt + decrypt + decompress + id again + CRC + pack hash (PackWriter on
 * a file system that takes everything); get = read, verify, decrypt, decompress, id (PackReader).
 * MB = 10⁶ bytes of raw data. Each figure is the median of REPEATS runs over the same data.
 */
import { randomFillSync } from 'node:crypto'
import { KiB, MiB } from '@openmaas/kernel/units'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { ChunkHasher } from '@openmaas/pool/chunk/chunk-hasher'
import { makePrimitives } from '@openmaas/pool/chunk/native-primitives'
import { NodePrimitives } from '@openmaas/pool/chunk/node-primitives'
import { PayloadCodec } from '@openmaas/pool/chunk/payload-codec'
import { Chunker, CUT_COUNT_MAX } from '@openmaas/pool/chunker/chunker'
import { KeyRing } from '@openmaas/pool/keys/key-ring'
import { PackReader } from '@openmaas/pool/pack/reader'
import { PackWriter } from '@openmaas/pool/pack/writer'
import { makeData } from '@openmaas/testkit/data'
import type { PoolId } from '@openmaas/kernel/ids'
import type { Fs } from '@openmaas/kernel/fs'
import type { Primitives } from '@openmaas/pool/chunk/primitives'
import { median } from './measure.ts'

const REPEATS = 5
const DATA_SIZE = 32 * MiB
const SIZES = [
  { name: '10 KB', bytes: 10_000 },
  { name: '64 KiB', bytes: 64 * KiB },
  { name: '256 KiB', bytes: 256 * KiB },
]
const KINDS = ['text', 'databasePages', 'random'] as const

const keys = new KeyRing(Buffer.alloc(32, 7), 'pol_01ARZ3NDEKTSV4RRFFQ69G5FAV' as PoolId)

/** One file in memory that keeps what is written; enough for one pack at a time. */
function makeSink(): Fs {
  const bytes = Buffer.alloc(64 * MiB)
  const none = (): void => undefined
  const sink = {
    open: () => 1,
    close: none,
    write: (_file: number, source: Uint8Array, offset: number) => bytes.set(source, offset),
    read: (_file: number, target: Buffer, offset: number) => bytes.copy(target, 0, offset),
    dataSync: none,
    syncDirectory: none,
    makeDirectory: none,
  }
  return sink as unknown as Fs
}

function measure(bytes: number, run: () => void): number {
  run()
  const rates = Array.from({ length: REPEATS }, () => {
    const begin = performance.now()
    run()
    return bytes / (performance.now() - begin) / 1000
  })
  return Math.round(median(rates))
}

interface Row {
  readonly data: string
  readonly chunk: string
  readonly codec: string
  readonly putMBps: number
  readonly getMBps: number
  readonly ratio: number
}

function measurePack(kind: (typeof KINDS)[number], size: number, primitives: Primitives): Row {
  const data = makeData(kind, DATA_SIZE, 11)
  const codec = new PayloadCodec(primitives)
  const hasher = new ChunkHasher(keys.chunkIdKey)
  const fs = makeSink()
  const random = { bytes: (count: number) => randomFillSync(Buffer.alloc(count)) }
  const writer = new PackWriter({
    fs,
    random,
    keys,
    codec,
    hasher,
    kind: 'data',
    place: () => ['/none'],
  })
  const count = Math.floor(DATA_SIZE / size)
  let pack: { packId: Buffer; bricks: readonly string[]; size: number } = {
    packId: Buffer.alloc(16),
    bricks: ['/none'],
    size: 0,
  }
  let records: { id: Buffer; recordNumber: number; offset: number; encodedLength: number }[] = []
  const put = (): void => {
    records = []
    for (let i = 0; i < count; i += 1) {
      const raw = data.subarray(i * size, (i + 1) * size)
      const id = hasher.hash(raw)
      const at = writer.append(ChunkType.data, id, raw)
      if (at === undefined) throw new Error('the pack holds the data')
      records.push({ id, ...at })
    }
    pack = writer.seal() ?? pack
  }
  const putMBps = measure(count * size, put)
  const reader = new PackReader({ fs, keys, codec, hasher })
  const target = Buffer.allocUnsafeSlow(size)
  const getMBps = measure(count * size, () => {
    for (const { id, ...at } of records) {
      reader.read({ pack, chunkId: id, rawLength: size, ...at }, target)
    }
  })
  const ratio = Math.round((100 * count * size) / pack.size) / 100
  return { data: kind, chunk: '', codec: primitives.name, putMBps, getMBps, ratio }
}

function measureChunker(): { data: string; MBps: number; meanKiB: number }[] {
  const chunker = new Chunker(keys.chunkerKey)
  const lengths = new Uint32Array(CUT_COUNT_MAX)
  return KINDS.map((kind) => {
    const size = chunker.input.length
    makeData(kind, size, 12).copy(chunker.input)
    let count = 0
    const MBps = measure(size, () => {
      count = chunker.cut(chunker.input, size, lengths)
    })
    return { data: kind, MBps, meanKiB: Math.round(size / count / KiB) }
  })
}

export function run(): { packs: Row[]; chunker: ReturnType<typeof measureChunker> } {
  const packs: Row[] = []
  for (const kind of KINDS) {
    for (const { name, bytes } of SIZES) {
      for (const primitives of [makePrimitives(), new NodePrimitives()]) {
        packs.push({ ...measurePack(kind, bytes, primitives), chunk: name })
      }
    }
  }
  return { packs, chunker: measureChunker() }
}

if (import.meta.main) {
  const { packs, chunker } = run()
  console.log('one core, MB/s of raw data')
  console.table(packs)
  console.table(chunker)
}
