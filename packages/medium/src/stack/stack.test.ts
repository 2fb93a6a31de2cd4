import type { LayerId } from '@openmaas/kernel/ids'
import { SeededRandom } from '@openmaas/kernel/random'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { VolumeBuilder } from '@openmaas/pool/volume/builder'
import { volumeManifest } from '@openmaas/pool/volume/manifest'
import { VolumeView } from '@openmaas/pool/volume/view'
import { visitVolume } from '@openmaas/pool/volume/visit'
import { describe, expect, test } from 'vitest'
import { RandomTree } from '../ext4/random-tree.test-support.ts'
import { CrashFs } from '../overlay/crash-fs.test-support.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import {
  buildStack,
  type BuiltStack,
  openSnapshot,
  type SnapshotDescription,
} from './build-stack.ts'
import { prepareDescription } from './prepare-stack.ts'
import { sealMedium } from './seal-medium.ts'

const BOOT = '11111111-2222-3333-4444-555555555555'
const OTHER_BOOT = '99999999-2222-3333-4444-555555555555'
const SIZE = 40 * 65536 + 512

interface Site {
  readonly fs: CrashFs
  readonly chunks: MemoryChunks
  readonly store: LayerStore
  readonly snapshot: SnapshotDescription
  readonly content: Buffer
}

const layerId = (n: number): LayerId => `lay_${String(n).padStart(26, '0')}` as LayerId

function makeSite(seed: number): Site {
  const fs = new CrashFs(new SeededRandom(seed))
  const chunks = new MemoryChunks()
  const content = Buffer.alloc(SIZE)
  const builder = new VolumeBuilder(chunks, { size: SIZE })
  for (let grain = 0; grain * 65536 < SIZE; grain += 2) {
    const end = Math.min(SIZE, (grain + 1) * 65536)
    content.fill(grain + 1, grain * 65536, end)
    builder.put(grain, content.subarray(grain * 65536, end))
  }
  const root = builder.finish().id.toString('hex')
  const store = new LayerStore(fs, '/brick/media')
  return { fs, chunks, store, snapshot: { kind: 'volume', root }, content }
}

function open(site: Site, layers: LayerId[], bootId = BOOT): BuiltStack & { dispose(): void } {
  const { fs, store, chunks: source, snapshot } = site
  const record = { readOnly: false, layers }
  const prepared = prepareDescription({ fs, store, source, snapshot, record, bootId })
  const stack = buildStack(prepared.description, { fs, source, punchHole: fs.punch })
  return {
    ...stack,
    dispose: () => {
      stack.close()
      prepared.overlay?.close()
      site.fs.kill()
    },
  }
}

function writeSome(random: SeededRandom, stack: BuiltStack, model: Buffer): void {
  for (let i = 0; i < 4; i += 1) {
    const offset = random.below(SIZE - 1)
    const length = Math.min(SIZE - offset, 1 + random.below(30_000))
    const fill = random.below(256)
    if (random.below(4) === 0) stack.top.writeZeroes(offset, length)
    else stack.top.write(offset, Buffer.alloc(length, fill))
    model.fill(0, offset, offset + length)
    const readBack = Buffer.alloc(length)
    stack.top.read(offset, readBack)
    readBack.copy(model, offset)
    expect(readBack.every((byte) => byte === readBack[0])).toBe(true)
  }
}

function readAll(stack: BuiltStack): Buffer {
  const bytes = Buffer.alloc(SIZE)
  stack.top.read(0, bytes)
  return bytes
}

describe('a stack of layers', () => {
  // Goal: each clone sees what stood below it when it was made, and its own writes only. Method:
  // fifty generations, each with a sibling; every state is kept and compared at the end.
  test('gives every clone of a clone its own content, fifty deep', () => {
    const site = makeSite(1)
    const random = new SeededRandom(7)
    const model = Buffer.from(site.content)
    const layers: LayerId[] = []
    const kept: { layers: LayerId[]; content: Buffer }[] = []
    for (let depth = 0; depth < 50; depth += 1) {
      layers.push(layerId(depth * 2))
      const stack = open(site, layers)
      expect(readAll(stack).equals(model), `depth ${depth}`).toBe(true)
      writeSome(random, stack, model)
      stack.dispose()
      if (depth % 10 !== 5) continue
      const sibling = [...layers, layerId(depth * 2 + 1)]
      const content = Buffer.from(model)
      const clone = open(site, sibling)
      writeSome(random, clone, content)
      clone.top.flush()
      clone.dispose()
      kept.push({ layers: sibling, content })
    }
    for (const { layers: chain, content } of kept) {
      const stack = open(site, chain, OTHER_BOOT)
      expect(readAll(stack).equals(content), `clone on ${chain.length} layers`).toBe(true)
      stack.dispose()
    }
    const deep = open(site, [...layers, layerId(999)])
    const before = site.fs.calls
    deep.top.read(0, Buffer.alloc(4096))
    expect(site.fs.calls - before, 'reads of files for one grain').toBeLessThanOrEqual(1)
    deep.dispose()
  })

  test('freezes what lies below durably: a power loss right after takes nothing of it', () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const site = makeSite(seed)
      const random = new SeededRandom(seed)
      const model = Buffer.from(site.content)
      const first = open(site, [layerId(1)])
      writeSome(random, first, model)
      first.dispose() // Not flushed: the freeze must do it.
      open(site, [layerId(1), layerId(2)])
      site.fs.losePower()
      const again = open(site, [layerId(1), layerId(2)], OTHER_BOOT)
      expect(readAll(again).equals(model), `seed ${seed}`).toBe(true)
    }
  })

  test('keeps a layer while a medium lists it, and removes it with the last', () => {
    const site = makeSite(1)
    const [a, b, c] = [layerId(1), layerId(2), layerId(3)] as const
    open(site, [a]).dispose()
    open(site, [a, b]).dispose()
    open(site, [a, c]).dispose()
    expect(site.store.release([a, b], new Set([a, c]))).toEqual([b])
    expect(site.store.list()).toEqual([a, c])
    open(site, [a, c]).dispose()
    expect(site.store.release([a, c], new Set())).toEqual([a, c])
    expect(site.store.list()).toEqual([])
  })

  test('never replaces a layer that holds writes but has lost its record', () => {
    const site = makeSite(1)
    const stack = open(site, [layerId(1)])
    stack.top.write(0, Buffer.of(1))
    stack.dispose()
    site.fs.unlink(`${site.store.pathOf(layerId(1))}/layer.json`)
    expect(() => open(site, [layerId(1)])).toThrowError(
      expect.objectContaining({ code: 'OVERLAY_INVALID' }),
    )
  })

  test('refuses writes to a read-only medium', () => {
    const site = makeSite(1)
    const { fs, store, chunks: source, snapshot } = site
    const record = { readOnly: true, layers: [] }
    const { description } = prepareDescription({
      fs,
      store,
      source,
      snapshot,
      record,
      bootId: BOOT,
    })
    const stack = buildStack(description, { fs, source })
    expect(stack.top.readOnly).toBe(true)
    expect(() => stack.top.write(0, Buffer.of(1))).toThrowError(
      expect.objectContaining({ code: 'DEVICE_READ_ONLY' }),
    )
  })
})

describe('sealing a medium', () => {
  test('gives a snapshot with its content, of which only changed grains were read', () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const site = makeSite(seed)
      const random = new SeededRandom(seed)
      const model = Buffer.from(site.content)
      const layers = [layerId(1), layerId(2)]
      const first = open(site, layers.slice(0, 1))
      writeSome(random, first, model)
      first.dispose()
      const second = open(site, layers)
      writeSome(random, second, model)
      second.dispose()
      for (const id of layers) site.store.freeze(id, BOOT)
      const directories = layers.map((id) => site.store.pathOf(id))
      const { fs, chunks, snapshot } = site
      const options = { fs, source: chunks, snapshot, directories, size: SIZE }
      const sealed = sealMedium(chunks, options)
      const got = Buffer.alloc(SIZE)
      new VolumeView(chunks, sealed.id).read(0, got)
      expect(got.equals(model), `seed ${seed}`).toBe(true)
      expect(sealed.readBytes, `seed ${seed}`).toBeLessThan(SIZE / 2)
      // Sealing again without a change gives the same root.
      expect(sealMedium(chunks, options).id.equals(sealed.id)).toBe(true)
    }
  })

  // Method: a tree, written on as a disk and sealed; the sealed point plugged, written on and
  // sealed again. Both read as their disks did, and a visit of the second finds the tree too.
  test('of a tree stands on the tree, and so does the next one sealed from it', () => {
    for (let seed = 1; seed <= 1; seed += 1) {
      const random = new SeededRandom(seed)
      const fs = new CrashFs(random)
      const chunks = new MemoryChunks()
      const store = new LayerStore(fs, '/brick/media')
      const tree = new RandomTree(chunks, random).write()
      let snapshot: SnapshotDescription = {
        kind: 'tree',
        root: tree.toString('hex'),
        freeBytes: 0,
      }
      const { size } = openSnapshot(chunks, snapshot)
      const model = Buffer.alloc(size)
      openSnapshot(chunks, snapshot).read(0, model)
      for (let generation = 1; generation <= 2; generation += 1) {
        const layer = layerId(generation)
        const record = { readOnly: false, layers: [layer] }
        const options = { fs, store, source: chunks, snapshot, record, bootId: BOOT }
        const { description, overlay } = prepareDescription(options)
        const stack = buildStack(description, { fs, source: chunks, punchHole: fs.punch })
        for (let i = 0; i < 20; i += 1) {
          const bytes = random.bytes(1 + random.below(9000))
          const offset = random.below(size - bytes.length)
          stack.top.write(offset, bytes)
          bytes.copy(model, offset)
        }
        stack.close()
        overlay!.close()
        fs.kill()
        store.freeze(layer, BOOT)
        const directories = [store.pathOf(layer)]
        const sealed = sealMedium(chunks, { fs, source: chunks, snapshot, directories, size })
        snapshot = { kind: 'volume', root: sealed.id.toString('hex') }
        const got = Buffer.alloc(size)
        openSnapshot(chunks, snapshot).read(0, got)
        expect(got.equals(model), `seed ${seed} generation ${generation}`).toBe(true)
        const entered = new Set<string>()
        const { chunkCount } = visitVolume(chunks, sealed.id, {
          enter: (id) => entered.size < entered.add(id.toString('hex')).size,
          leaf: () => {},
        })
        expect(entered.has(tree.toString('hex'))).toBe(true)
        const { summary } = volumeManifest(chunks, sealed.root)
        expect(summary['chunks']! + summary['nodes']!).toBe(chunkCount)
      }
    }
  })
})
