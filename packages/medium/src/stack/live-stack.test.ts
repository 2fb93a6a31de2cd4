import type { LayerId } from '@openmaas/kernel/ids'
import { SeededRandom } from '@openmaas/kernel/random'
import type { ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { VolumeBuilder } from '@openmaas/pool/volume/builder'
import { expect, test } from 'vitest'
import { Crash, CrashFs } from '../overlay/crash-fs.test-support.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import { type BuiltStack, buildStack, type SnapshotDescription } from './build-stack.ts'
import { LiveStack } from './live-stack.ts'
import { prepareDescription } from './prepare-stack.ts'
import { sealMedium } from './seal-medium.ts'
import { settleFrozen } from './settle.ts'

const BOOT = '11111111-2222-3333-4444-555555555555'
const OTHER_BOOT = '99999999-2222-3333-4444-555555555555'
const GRAIN = 65_536
const SIZE = 8 * GRAIN

const layerId = (n: number): LayerId => `lay_${String(n).padStart(26, '0')}` as LayerId

class Site {
  readonly fs: CrashFs
  readonly chunks = new MemoryChunks()
  readonly store: LayerStore
  snapshot: SnapshotDescription
  live!: LiveStack
  /** As a thread of the engine has it; opened anew after each change. */
  stack!: BuiltStack

  constructor(seed: number) {
    this.fs = new CrashFs(new SeededRandom(seed))
    this.store = new LayerStore(this.fs, '/brick/media')
    const root = new VolumeBuilder(this.chunks, { size: SIZE }).finish().id.toString('hex')
    this.snapshot = { kind: 'volume', root }
  }

  start(layers: readonly LayerId[], bootId = BOOT, sizeBytes = 0): void {
    const { fs, store, chunks: source, snapshot } = this
    const record = { readOnly: false, layers, sizeBytes }
    const prepared = prepareDescription({ fs, store, source, snapshot, record, bootId })
    const reader = {} as ReaderHandoff
    const open = (handoff: Parameters<typeof buildStack>[0]) => {
      const { top, overlay, close } = this.#build(handoff)
      const overlayBytes = overlay?.writtenBytes ?? 0
      return { size: top.size, overlayBytes, flush: () => top.flush(), close }
    }
    this.live = new LiveStack({ ...prepared, fs, store, reader, bootId, open })
    this.reopen()
  }

  reopen(): void {
    this.stack = this.#build(this.live.handoff)
  }

  #build(description: Parameters<typeof buildStack>[0]): BuiltStack {
    return buildStack(description, { fs: this.fs, source: this.chunks, punchHole: this.fs.punch })
  }

  write(grain: number, fill: number): void {
    this.stack.top.write(grain * GRAIN, Buffer.alloc(GRAIN, fill))
  }

  grain(grain: number): Buffer {
    const bytes = Buffer.alloc(GRAIN)
    this.stack.top.read(grain * GRAIN, bytes)
    return bytes
  }
}

const filled = (fill: number): Buffer => Buffer.alloc(GRAIN, fill)

// Method: flushed and unflushed writes below, a write above; cut at every call of a freeze and the
// flush behind it. The record names the new layer from the first call on, as the engine's does.
test.each(['kill', 'power loss'])('a freeze cut short by a %s loses nothing it may not', (how) => {
  const layers = [layerId(1), layerId(2)]
  for (let cut = 1, done = false; !done; cut += 1) {
    const site = new Site(cut)
    site.start([layers[0]!])
    site.write(0, 1)
    site.stack.top.flush()
    site.write(1, 2)
    site.fs.crashAt = site.fs.calls + cut
    let above = false
    try {
      const next = site.live.prepareTop(layers[1]!, SIZE)
      const { frozen } = site.live.freeze(next, layers[0]!)
      site.reopen()
      site.write(2, 3)
      above = true
      settleFrozen(site.fs, site.store, frozen)
      site.stack.top.flush()
      done = true
    } catch (error) {
      expect(error).toBeInstanceOf(Crash)
    }
    const powerLoss = how === 'power loss'
    if (powerLoss) site.fs.losePower()
    else site.fs.kill()
    site.start(layers, powerLoss ? OTHER_BOOT : BOOT)
    expect(site.grain(0).equals(filled(1)), `cut ${cut}`).toBe(true)
    if (done || !powerLoss) expect(site.grain(1).equals(filled(2)), `cut ${cut}`).toBe(true)
    if (done || (above && !powerLoss)) {
      expect(site.grain(2).equals(filled(3)), `cut ${cut}`).toBe(true)
    }
    const rest = site.grain(3)
    expect(rest.equals(filled(0)), `cut ${cut}`).toBe(true)
  }
})

test('a flush fails for good when what was frozen below could not be made durable', () => {
  const site = new Site(1)
  site.start([layerId(1)])
  site.write(0, 1)
  const { frozen } = site.live.freeze(site.live.prepareTop(layerId(2), SIZE), layerId(1))
  site.reopen()
  site.write(1, 2)
  site.fs.failSyncAt = site.fs.syncs + 1
  const failed = expect.objectContaining({ code: 'OVERLAY_FAILED' })
  expect(() => settleFrozen(site.fs, site.store, frozen)).toThrowError(failed)
  expect(() => site.stack.top.flush()).toThrowError(failed)
  expect(() => site.write(2, 3)).toThrowError(failed)
  expect(site.grain(0).equals(filled(1))).toBe(true)
})

test('fifty freezes deep, grown on the way, it reads, seals and moves onto the seal as one', () => {
  const site = new Site(1)
  const random = new SeededRandom(1)
  const layers = [layerId(1)]
  site.start(layers)
  let model = Buffer.alloc(SIZE)
  const writeSome = (): void => {
    const bytes = random.bytes(1 + random.below(5000))
    const offset = random.below(model.length - bytes.length)
    site.stack.top.write(offset, bytes)
    bytes.copy(model, offset)
  }
  const readAll = (): Buffer => {
    const bytes = Buffer.alloc(site.stack.top.size)
    site.stack.top.read(0, bytes)
    return bytes
  }
  for (let depth = 2; depth <= 50; depth += 1) {
    writeSome()
    const grows = depth % 10 === 0
    if (grows) model = Buffer.concat([model, Buffer.alloc(GRAIN)])
    const next = site.live.prepareTop(layerId(depth), model.length)
    const changed = site.live.freeze(next, layers.at(-1)!)
    layers.push(layerId(depth))
    site.reopen()
    settleFrozen(site.fs, site.store, changed.frozen)
    changed.release()
    expect(readAll().equals(model), `depth ${depth}`).toBe(true)
  }
  const frozen = layers.slice(0, -1)
  const atSeal = Buffer.from(model)
  writeSome()
  const { fs, chunks, snapshot, store } = site
  const directories = frozen.map((id) => store.pathOf(id))
  const sealed = sealMedium(chunks, {
    fs,
    source: chunks,
    snapshot,
    directories,
    size: model.length,
  })
  site.snapshot = { kind: 'volume', root: sealed.id.toString('hex') }
  site.live.prepareRebase({} as ReaderHandoff, site.snapshot, frozen.length)()
  site.reopen()
  expect(store.release(frozen, new Set())).toEqual(frozen)
  expect(readAll().equals(model)).toBe(true)
  site.fs.kill()
  site.start(layers.slice(-1), BOOT, model.length)
  expect(readAll().equals(model)).toBe(true)
  site.stack.top.trim(0, model.length)
  expect(readAll().equals(Buffer.alloc(model.length))).toBe(true)
  expect(atSeal.length).toBe(SIZE + 5 * GRAIN)
})
