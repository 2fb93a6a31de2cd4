import { SeededRandom } from '@openmaas/kernel/random'
import { TiB } from '@openmaas/kernel/units'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { verifyBlockDevice } from '@openmaas/testkit/verify-block-device'
import { describe, expect, test } from 'vitest'
import { ChunkType } from '../chunk/chunk.ts'
import { MemoryChunks } from '../tree/memory-chunks.test-support.ts'
import { VolumeBuilder } from './builder.ts'
import { diffVolumes } from './diff.ts'
import { EntryState, MapNode } from './node.ts'
import { decodeVolumeRoot, encodeVolumeRoot } from './root.ts'
import { sealVolume } from './seal.ts'
import { VolumeView } from './view.ts'
import { visitVolume } from './visit.ts'

const GRAIN = 4096

/** Grain → fill byte; 0 is zeros. */
type Model = Map<number, number>

function build(chunks: MemoryChunks, size: number, model: Model, parent?: Buffer): { id: Buffer } {
  const builder = new VolumeBuilder(chunks, {
    size,
    grainSize: GRAIN,
    parent: parent && { source: chunks, root: parent },
  })
  for (const [grain, fill] of [...model].toSorted(([a], [b]) => a - b)) {
    builder.put(grain, Buffer.alloc(Math.min(GRAIN, size - grain * GRAIN), fill))
  }
  return builder.finish()
}

function readFill(view: VolumeView, grain: number): number {
  const bytes = Buffer.alloc(Math.min(GRAIN, view.size - grain * GRAIN))
  view.read(grain * GRAIN, bytes)
  expect(bytes.every((byte) => byte === bytes[0])).toBe(true)
  return bytes[0]!
}

function countReferences(chunks: MemoryChunks, root: Buffer): { seen: Set<string>; total: number } {
  const seen = new Set([root.toString('hex')])
  const { chunkCount } = visitVolume(chunks, root, {
    enter: (id) => (seen.add(id.toString('hex')), true),
    leaf: (id) => void seen.add(id.toString('hex')),
  })
  return { seen, total: chunkCount }
}

describe('a volume snapshot', () => {
  test('has the bytes of its page', () => {
    const node = new MapNode(0)
    node.set(0, { state: EntryState.zero })
    node.set(1, { state: EntryState.chunk, id: Buffer.alloc(32, 0xaa) })
    const bytes = node.encode()
    expect(bytes.subarray(0, 34).toString('hex')).toBe(`4d564e3101000100${'00'.repeat(24)}0900`)
    expect(bytes.subarray(288).toString('hex')).toBe('aa'.repeat(32))
    expect(bytes.length).toBe(320)
    expect(MapNode.decode(bytes, 0).encode().equals(bytes)).toBe(true)
  })

  test('has a root of 128 bytes, of which no single-bit damage in the head is believed', () => {
    const top = {
      state: EntryState.chunk,
      id: Buffer.alloc(32, 0xbb),
      counts: { chunks: 5, nodes: 2 },
    }
    const base = { kind: 'tree' as const, root: Buffer.alloc(32, 0xcc), freeBytes: 7 }
    const root = { size: 65536 * 2000, grainSize: 65536, level: 1, top, base }
    const bytes = encodeVolumeRoot(root)
    expect(bytes.subarray(0, 24).toString('hex')).toBe(
      '4d565231010102010000d007000000000000010000000000',
    )
    expect(decodeVolumeRoot(bytes)).toEqual(root)
    for (let bit = 0; bit < 8 * 8; bit += 1) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodeVolumeRoot(damaged), `bit ${bit}`).toThrowError(
        expect.objectContaining({ code: 'VOLUME_INVALID' }),
      )
    }
  })

  test('agrees with a map of grains, over generations of changes and growth', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = new SeededRandom(seed)
      const chunks = new MemoryChunks()
      const model: Model = new Map()
      let size = GRAIN * (1 + random.below(5000)) + (random.below(2) === 0 ? 0 : 512)
      let root: Buffer | undefined
      for (let generation = 0; generation < 4; generation += 1) {
        if (random.below(3) === 0) size += GRAIN * random.below(2_000_000)
        const grains = Math.ceil(size / GRAIN)
        const changes: Model = new Map()
        for (let i = random.below(40); i >= 0; i -= 1) {
          const start = random.below(random.below(2) === 0 ? Math.min(grains, 3000) : grains)
          changes.set(start, random.below(4) === 0 ? 0 : 1 + random.below(200))
        }
        for (const [grain, fill] of changes) model.set(grain, fill)
        root = build(chunks, size, changes, root).id
        const view = new VolumeView(chunks, root)
        for (const [grain, fill] of model) {
          // A grain that was last and cut: what came behind it when the device grew is zeros.
          const first = Buffer.alloc(1)
          view.read(grain * GRAIN, first)
          expect(first[0], `seed ${seed} grain ${grain}`).toBe(fill)
        }
        const probe = random.below(grains)
        if (!model.has(probe)) expect(readFill(view, probe), `seed ${seed}`).toBe(0)
      }
      // The same content built at once is the same snapshot, whatever the way to it.
      const { seen, total } = countReferences(chunks, root!)
      expect(total, `seed ${seed}`).toBeGreaterThanOrEqual(seen.size)
    }
  })

  test('built by changes has the same map as built at once', () => {
    const chunks = new MemoryChunks()
    const size = GRAIN * 5000
    const first = build(
      chunks,
      size,
      new Map([
        [3, 1],
        [1030, 2],
        [4999, 3],
      ]),
    ).id
    const changed = build(
      chunks,
      size,
      new Map([
        [3, 9],
        [2000, 4],
      ]),
      first,
    ).id
    const atOnce = build(
      chunks,
      size,
      new Map([
        [3, 9],
        [1030, 2],
        [2000, 4],
        [4999, 3],
      ]),
    ).id
    expect(changed.equals(atOnce)).toBe(true)
    expect([...diffVolumes(chunks, first, changed)]).toEqual([
      { offset: 3 * GRAIN, length: GRAIN },
      { offset: 2000 * GRAIN, length: GRAIN },
    ])
  })

  test('of 2 TiB with one changed grain writes three nodes and a root', () => {
    const chunks = new MemoryChunks()
    const builder = new VolumeBuilder(chunks, { size: 2 * TiB })
    builder.putZero(0, 2 ** 25 - 1)
    builder.put(2 ** 25 - 1, Buffer.alloc(65536, 1))
    const first = builder.finish()
    expect(chunks.chunks.size).toBe(5)
    const parent = { source: chunks, root: first.id }
    const second = new VolumeBuilder(chunks, { size: 2 * TiB, parent })
    second.put(12345678, Buffer.alloc(65536, 2))
    second.finish()
    const types = [...chunks.chunks.values()].map((chunk) => chunk.type)
    expect(types.filter((type) => type === ChunkType.volumeMap).length).toBe(4 + 4)
    const view = new VolumeView(chunks, first.id)
    expect(view.blockStatus(0, 2 * TiB)).toEqual([
      { offset: 0, length: 2 * TiB - 65536, hole: true, zero: true },
      { offset: 2 * TiB - 65536, length: 65536, hole: false, zero: false },
    ])
  })

  test('names a node that is not what the entry above it says', () => {
    const chunks = new MemoryChunks()
    const { id } = build(
      chunks,
      GRAIN * 5000,
      new Map([
        [3, 1],
        [1030, 2],
      ]),
    )
    const leaf = [...chunks.chunks.values()].find(({ raw }) => raw.length === 320)!
    leaf.raw.writeUInt16LE(2, 6)
    expect(() => countReferences(chunks, id)).toThrowError(
      expect.objectContaining({ code: 'VOLUME_INVALID', category: 'corrupt' }),
    )
  })
})

verifyBlockDevice(
  'a volume snapshot',
  () => {
    const chunks = new MemoryChunks()
    const content = Buffer.alloc(300 * GRAIN + 512)
    const model: Model = new Map()
    for (let grain = 0; grain < 301; grain += 1 + (grain % 3)) model.set(grain, grain % 200)
    for (const [grain, fill] of model) {
      content.fill(fill, grain * GRAIN, Math.min(content.length, (grain + 1) * GRAIN))
    }
    return { device: new VolumeView(chunks, build(chunks, content.length, model).id), content }
  },
  { readOnly: true },
)

describe('sealing', () => {
  // Method: random byte ranges change on a copy of the parent's content.
  test('gives a snapshot that reads as the device did, and reads no grain that did not change', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = new SeededRandom(seed)
      const chunks = new MemoryChunks()
      const size = 64 * GRAIN * 4 + 1536
      const content = Buffer.alloc(size, 0x11)
      const before = sealVolume(chunks, {
        device: new MemoryDevice({ size, content: Buffer.from(content) }),
        changed: [{ offset: 0, length: size }],
        grainSize: 4 * GRAIN,
      })
      const changed: { offset: number; length: number; zero: boolean }[] = []
      let touched = 0
      for (let at = random.below(9); at < size / 512 - 1; at += 1 + random.below(400)) {
        const length = Math.min(1 + random.below(120), Math.floor(size / 512) - at)
        const zero = random.below(3) === 0
        changed.push({ offset: at * 512, length: length * 512, zero })
        content.fill(zero ? 0 : 1 + random.below(200), at * 512, (at + length) * 512)
        at += length
        touched += length * 512 + 2 * 4 * GRAIN
      }
      const device = new MemoryDevice({ size, content: Buffer.from(content) })
      const parent = { source: chunks, root: before.id }
      const sealed = sealVolume(chunks, { device, changed, parent, grainSize: 4 * GRAIN })
      const got = Buffer.alloc(size)
      new VolumeView(chunks, sealed.id).read(0, got)
      expect(got.equals(content), `seed ${seed}`).toBe(true)
      expect(sealed.readBytes, `seed ${seed}`).toBeLessThanOrEqual(touched)
    }
  })
})
