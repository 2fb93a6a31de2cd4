/** For the tests of this folder: a pool's keys, writers and readers over any Fs. */
import { isDeepStrictEqual } from 'node:util'
import { assert } from '@openmaas/kernel/assert'
import { SeededRandom } from '@openmaas/kernel/random'
import { fsError } from '@openmaas/kernel/fs-errors'
import { MiB } from '@openmaas/kernel/units'
import type { Fs } from '@openmaas/kernel/fs'
import type { PoolId } from '@openmaas/kernel/ids'
import { ChunkType } from '../chunk/chunk.ts'
import { ChunkHasher } from '../chunk/chunk-hasher.ts'
import { makePrimitives } from '../chunk/native-primitives.ts'
import { PayloadCodec } from '../chunk/payload-codec.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { packPath } from './path.ts'
import { PackReader } from './reader.ts'
import { readFooter, scanPack } from './scan.ts'
import { PackWriter } from './writer.ts'
import type { PackReaderOptions, RecordLocation } from './reader.ts'
import type { AppendedRecord, PackWriterOptions, SealedPack } from './writer.ts'

export const keys = new KeyRing(Buffer.alloc(32, 5), 'pol_01ARZ3NDEKTSV4RRFFQ69G5FAV' as PoolId)
export const hasher = new ChunkHasher(keys.chunkIdKey)

export function makeWriter(fs: Fs, options: Partial<PackWriterOptions> = {}): PackWriter {
  return new PackWriter({
    fs,
    random: new SeededRandom(1),
    keys,
    codec: new PayloadCodec(makePrimitives()),
    hasher,
    kind: 'data',
    place: () => ['/b0'],
    sizeMax: 4 * MiB,
    ...options,
  })
}

export function makeReader(fs: Fs, options: Partial<PackReaderOptions> = {}): PackReader {
  return new PackReader({ fs, keys, codec: new PayloadCodec(makePrimitives()), hasher, ...options })
}

export interface Stored {
  readonly raw: Buffer
  readonly chunkId: Buffer
  readonly at: AppendedRecord
}

export function put(writer: PackWriter, raw: Buffer): Stored {
  const chunkId = hasher.hash(raw)
  const at = writer.append(ChunkType.data, chunkId, raw)
  if (at === undefined) throw new Error('the pack of this test holds its chunks')
  return { raw, chunkId, at }
}

export function locate(
  pack: Pick<SealedPack, 'packId' | 'bricks'>,
  stored: Stored,
): RecordLocation {
  return { pack, chunkId: stored.chunkId, rawLength: stored.raw.length, ...stored.at }
}

export function readAll(fs: Fs, path: string): Buffer {
  const file = fs.open(path, 'read')
  const bytes = Buffer.alloc(fs.size(file))
  fs.read(file, bytes, 0)
  fs.close(file)
  return bytes
}

/** File names of all packs on a brick. */
export function listPacks(fs: Fs, brick: string): string[] {
  if (fs.stat(`${brick}/packs`) === undefined) return []
  const directories = fs.readDirectory(`${brick}/packs`)
  return directories.flatMap((name) => fs.readDirectory(`${brick}/packs/${name}`)).toSorted()
}

/** Reads a pack in every way there is, on every brick. @throws AssertionFailure */
export function checkReadable(fs: Fs, pack: SealedPack, stored: readonly Stored[]): void {
  for (const brick of pack.bricks) {
    const reader = makeReader(fs)
    for (const one of stored) {
      const raw = reader.read(locate({ ...pack, bricks: [brick] }, one))
      assert(raw.equals(one.raw), `${brick}: record ${one.at.recordNumber} reads back`)
    }
    reader.close()
    const path = packPath(brick, pack.packId)
    const scan = scanPack(fs, path)
    assert(scan.whole && scan.size === pack.size && scan.hash.equals(pack.hash), `${path} is whole`)
    assert(isDeepStrictEqual(scan.records, readFooter(fs, path).records), 'scan and footer agree')
    const ids = scan.records.map((record) => record.chunkId)
    assert(
      isDeepStrictEqual(
        ids,
        stored.map((one) => one.chunkId),
      ),
      'all records, in order',
    )
  }
}

/** Names of the calls that change something, or make a change durable. */
export const WRITE_CALLS = [
  'makeDirectory',
  'open',
  'write',
  'dataSync',
  'syncDirectory',
  'close',
] as const

/**
 * An Fs on which the n-th call of those names fails with an errno. Everything after `failFirst`
 * calls and before `failFirst + failCount` fails.
 */
export function makeFaultyFs(
  fs: Fs,
  fault: { errno: string; failFirst: number; failCount: number; only?: string },
): { fs: Fs; calls: string[] } {
  const calls: string[] = []
  const failing = new Proxy(fs, {
    get(target, name: keyof Fs) {
      const method = target[name].bind(target) as (...values: unknown[]) => unknown
      if (!WRITE_CALLS.some((call) => call === name)) return method
      return (...values: unknown[]) => {
        if (fault.only !== undefined && fault.only !== name) return method(...values)
        const number = calls.length
        calls.push(name)
        if (number < fault.failFirst || number >= fault.failFirst + fault.failCount) {
          return method(...values)
        }
        // A failed write may have written a part; a failed close has closed.
        if (name === 'close') method(...values)
        if (name === 'write') {
          method(values[0], (values[1] as Buffer).subarray(0, 4096), values[2])
        }
        throw fsError(fault.errno, name, typeof values[0] === 'string' ? values[0] : undefined)
      }
    },
  })
  return { fs: failing, calls }
}
