import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { verifyBlockDevice } from '@openmaas/testkit/verify-block-device'
import { describe, expect, test } from 'vitest'
import { Crash, CrashFs } from './crash-fs.test-support.ts'
import { DIRTY_HEADER_SIZE, DIRTY_RECORD_SIZE, GRAIN_SIZE, GrainState } from './format.ts'
import { Overlay } from './overlay.ts'
import { createOverlay, prepareOverlay } from './prepare.ts'

const BOOT = '11111111-2222-3333-4444-555555555555'
const THIRD_BOOT = '77777777-2222-3333-4444-555555555555'
const OTHER_BOOT = '99999999-2222-3333-4444-555555555555'
const DIRECTORY = '/layer'
const SIZE = 1024 * 1024 + 128 * 1024 + 1536 // Two regions, and a last grain that is cut.

interface Site {
  readonly fs: CrashFs
  readonly content: Buffer
}

function makeSite(seed: number): Site {
  const fs = new CrashFs(new SeededRandom(seed))
  createOverlay(fs, DIRECTORY, SIZE)
  const content = Buffer.alloc(SIZE)
  for (let grain = 0; grain * GRAIN_SIZE < SIZE; grain += 1) {
    content.fill(grain % 3 === 0 ? 0 : 1 + ((grain + seed) % 250), grain * GRAIN_SIZE)
  }
  return { fs, content }
}

function openAt(site: Site, options: { bootId?: string; quotaBytes?: number } = {}): Overlay {
  const { bootId = BOOT, quotaBytes = 0 } = options
  const prepared = prepareOverlay({ fs: site.fs, directory: DIRECTORY, bootId, quotaBytes })
  const base = new MemoryDevice({ size: SIZE, content: site.content, readOnly: true })
  return new Overlay(prepared.handoff, base, { fs: site.fs, punchHole: site.fs.punch })
}

function readAll(overlay: Overlay): Buffer {
  const bytes = Buffer.alloc(overlay.size)
  overlay.read(0, bytes)
  return bytes
}

interface Change {
  readonly kind: 'write' | 'zero' | 'trim'
  readonly offset: number
  readonly length: number
  readonly fill: number
}

/** Small and large, aligned or not. */
function randomChange(random: SeededRandom): Change {
  const kind = (['write', 'write', 'write', 'zero', 'trim'] as const)[random.below(5)]!
  const unit = [1, 512, GRAIN_SIZE][random.below(3)]!
  const span = random.below(8) === 0 ? SIZE : 6 * GRAIN_SIZE
  const offset = random.below(Math.floor(SIZE / unit)) * unit
  const length = Math.min(SIZE - offset, (1 + random.below(Math.ceil(span / unit))) * unit)
  return { kind, offset, length, fill: 1 + random.below(255) }
}

function changeDevice(overlay: Overlay, change: Change): void {
  const { kind, offset, length, fill } = change
  if (kind === 'write') overlay.write(offset, Buffer.alloc(length, fill))
  else if (kind === 'zero') overlay.writeZeroes(offset, length)
  else overlay.trim(offset, length)
}

function changeModel(model: Buffer, change: Change): void {
  const { kind, offset, length, fill } = change
  const end = offset + length
  if (kind === 'write') return void model.fill(fill, offset, end)
  if (kind === 'zero') return void model.fill(0, offset, end)
  // A trim takes the whole grains in the range.
  const first = Math.ceil(offset / GRAIN_SIZE) * GRAIN_SIZE
  const stop = end === SIZE ? SIZE : Math.floor(end / GRAIN_SIZE) * GRAIN_SIZE
  if (first < stop) model.fill(0, first, stop)
}

/** Every grain is as it was in one of the versions. */
function expectOldOrNew(got: Buffer, versions: readonly Buffer[], message: string): void {
  for (let at = 0; at < SIZE; at += GRAIN_SIZE) {
    const end = Math.min(at + GRAIN_SIZE, SIZE)
    const known = versions.some((version) => version.compare(got, at, end, at, end) === 0)
    if (!known) expect.fail(`${message}: grain ${at / GRAIN_SIZE} is of no version`)
  }
}

interface History {
  /** After every operation since the last completed flush; the first is what was flushed. */
  versions: Buffer[]
  /** The operation that the crash cut short. */
  cut: Buffer | undefined
}

/** Runs until the crash comes, or to the end. */
function runUntilCrash(site: Site, random: SeededRandom): History & { crashed: boolean } {
  const history: History = { versions: [Buffer.from(site.content)], cut: undefined }
  try {
    const overlay = openAt(site)
    for (let i = 0; i < 25; i += 1) {
      const change = randomChange(random)
      const next = Buffer.from(history.versions.at(-1)!)
      changeModel(next, change)
      history.cut = next
      changeDevice(overlay, change)
      history.cut = undefined
      history.versions.push(next)
      const durable = random.below(5)
      if (durable === 0) overlay.flush()
      if (durable === 1 && random.below(3) === 0) overlay.compact()
      else if (durable !== 0) continue
      history.versions = [next]
    }
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    return { ...history, crashed: true }
  }
  return { ...history, crashed: false }
}

verifyBlockDevice('an overlay', () => {
  const site = makeSite(5)
  return {
    device: openAt(site),
    content: site.content,
    reopen: () => {
      site.fs.losePower()
      return openAt(site, { bootId: OTHER_BOOT })
    },
  }
})

describe('an overlay', () => {
  test('agrees with a byte array over random operations and engine restarts', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = new SeededRandom(seed)
      const site = makeSite(seed)
      const model = Buffer.from(site.content)
      let overlay = openAt(site)
      for (let i = 0; i < 60; i += 1) {
        const change = randomChange(random)
        changeDevice(overlay, change)
        changeModel(model, change)
        if (random.below(6) === 0) overlay.flush()
        if (random.below(25) === 0) overlay.compact()
        if (random.below(15) === 0) {
          site.fs.kill()
          overlay = openAt(site)
        }
        if (random.below(10) === 0) {
          expect(readAll(overlay).equals(model), `seed ${seed} step ${i}`).toBe(true)
        }
      }
      expect(readAll(overlay).equals(model), `seed ${seed}`).toBe(true)
      const written = overlay.map.count(0, overlay.map.grainCount, GrainState.written)
      expect(overlay.writtenBytes, `seed ${seed}`).toBe(written * GRAIN_SIZE)
    }
  })

  // Method: the process dies at any call; the next engine starts under the same boot id. Grains
  // of the operation that was cut short may be old or new.
  test('keeps every completed write when the engine is killed at any call', () => {
    let crashes = 0
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = new SeededRandom(seed)
      const site = makeSite(seed)
      site.fs.crashAt = site.fs.calls + 1 + random.below(120)
      const history = runUntilCrash(site, random)
      if (history.crashed) crashes += 1
      site.fs.kill()
      const versions = [history.versions.at(-1)!]
      if (history.cut !== undefined) versions.push(history.cut)
      expectOldOrNew(readAll(openAt(site)), versions, `seed ${seed}`)
    }
    expect(crashes).toBeGreaterThan(100)
  })

  test('after a power loss holds what was flushed, and of later writes the old or the new', () => {
    let crashes = 0
    for (let seed = 1; seed <= 250; seed += 1) {
      const random = new SeededRandom(seed * 31)
      const site = makeSite(seed)
      site.fs.crashAt = site.fs.calls + 1 + random.below(120)
      const history = runUntilCrash(site, random)
      if (history.crashed) crashes += 1
      site.fs.losePower()
      const versions = [...history.versions]
      if (history.cut !== undefined) versions.push(history.cut)
      const reopened = openAt(site, { bootId: OTHER_BOOT })
      expectOldOrNew(readAll(reopened), versions, `seed ${seed}`)
      // It goes on working, also through the next power loss.
      reopened.write(100, Buffer.alloc(GRAIN_SIZE, 7))
      const expected = readAll(reopened)
      reopened.flush()
      site.fs.losePower()
      const again = readAll(openAt(site, { bootId: THIRD_BOOT }))
      expect(again.equals(expected), `seed ${seed}, second loss`).toBe(true)
    }
    expect(crashes).toBeGreaterThan(120)
  })

  test('survives a kill during recovery and then a power loss', () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const random = new SeededRandom(seed)
      const site = makeSite(seed)
      const overlay = openAt(site)
      const model = Buffer.from(site.content)
      for (let i = 0; i < 10; i += 1) {
        const change = randomChange(random)
        changeDevice(overlay, change)
        changeModel(model, change)
      }
      site.fs.kill()
      site.fs.crashAt = site.fs.calls + 1 + random.below(12)
      try {
        openAt(site)
      } catch (error) {
        if (!(error instanceof Crash)) throw error
      }
      site.fs.kill()
      const recovered = openAt(site)
      expect(readAll(recovered).equals(model), `seed ${seed}`).toBe(true)
      recovered.flush()
      site.fs.losePower()
      expect(readAll(openAt(site, { bootId: OTHER_BOOT })).equals(model), `seed ${seed}`).toBe(true)
    }
  })

  test('drops unflushed records of another boot, and keeps them under the same', () => {
    const site = makeSite(1)
    openAt(site).write(0, Buffer.alloc(GRAIN_SIZE, 9))
    site.fs.kill()
    expect(readAll(openAt(site))[0]).toBe(9)
    site.fs.kill()
    expect(readAll(openAt(site, { bootId: OTHER_BOOT }))[0]).toBe(site.content[0])
  })

  test('stops writing for good when a flush fails, and still reads', () => {
    const site = makeSite(1)
    const overlay = openAt(site)
    overlay.write(0, Buffer.alloc(GRAIN_SIZE, 9))
    site.fs.failSyncAt = site.fs.syncs + 1
    const failed = expect.objectContaining({ code: 'OVERLAY_FAILED' })
    expect(() => overlay.flush()).toThrowError(failed)
    const syncs = site.fs.syncs
    expect(() => overlay.flush()).toThrowError(failed)
    expect(() => overlay.write(0, Buffer.alloc(1))).toThrowError(failed)
    expect(site.fs.syncs, 'no sync is tried twice').toBe(syncs)
    expect(readAll(overlay)[0]).toBe(9)
  })

  // Method: the disk is full at one call after another; the write is tried again afterwards.
  test('is as before when the disk is full at any call, and goes on when it is not', () => {
    let refused = 0
    for (let at = 1; at <= 60; at += 1) {
      const random = new SeededRandom(at)
      const site = makeSite(at)
      const overlay = openAt(site)
      const model = Buffer.from(site.content)
      site.fs.noSpaceAt = site.fs.calls + at
      for (let i = 0; i < 15; i += 1) {
        const change = randomChange(random)
        const attempt = (): void => {
          changeDevice(overlay, change)
          if (i % 4 === 0) overlay.flush()
          if (i % 7 === 0) overlay.compact()
        }
        try {
          attempt()
        } catch (error) {
          expect(isMaasError(error, 'FS_NO_SPACE'), String(error)).toBe(true)
          refused += 1
          attempt()
        }
        changeModel(model, change)
        expect(readAll(overlay).equals(model), `call ${at} step ${i}`).toBe(true)
      }
      overlay.flush()
      site.fs.losePower()
      expect(readAll(openAt(site, { bootId: OTHER_BOOT })).equals(model), `call ${at}`).toBe(true)
    }
    expect(refused).toBeGreaterThan(20)
  })

  test('refuses a write over its quota with OVERLAY_FULL, and takes one after a trim', () => {
    const overlay = openAt(makeSite(1), { quotaBytes: 4 * GRAIN_SIZE })
    overlay.write(0, Buffer.alloc(4 * GRAIN_SIZE, 1))
    const full = expect.objectContaining({ code: 'OVERLAY_FULL', category: 'exhausted' })
    expect(() => overlay.write(8 * GRAIN_SIZE, Buffer.of(1))).toThrowError(full)
    overlay.write(GRAIN_SIZE, Buffer.alloc(GRAIN_SIZE, 2)) // In place.
    overlay.trim(0, GRAIN_SIZE)
    overlay.write(8 * GRAIN_SIZE, Buffer.of(1))
    expect(overlay.writtenBytes).toBe(4 * GRAIN_SIZE)
  })

  test('is served by one process at a time', () => {
    const site = makeSite(1)
    openAt(site)
    expect(() => openAt(site)).toThrowError(expect.objectContaining({ code: 'MEDIUM_BUSY' }))
  })

  // Goal: damage of a synced batch is never taken for a torn tail. Three flushes, then every bit
  // of the first batch.
  test('reports damage in the middle of the journal instead of cutting it off', () => {
    for (let bit = 4096 * 8; bit < (4096 + 48) * 8; bit += 1) {
      const site = makeSite(1)
      const overlay = openAt(site)
      for (let i = 1; i <= 3; i += 1) {
        overlay.write(i * GRAIN_SIZE * 2, Buffer.alloc(GRAIN_SIZE, i))
        overlay.flush()
      }
      site.fs.damage('/layer/journal.a', bit)
      site.fs.losePower()
      expect(() => openAt(site, { bootId: OTHER_BOOT }), `bit ${bit}`).toThrowError(
        expect.objectContaining({ code: 'OVERLAY_INVALID', category: 'corrupt' }),
      )
    }
  })

  test('keeps the journal and the dirty file short under endless flushing', () => {
    const site = makeSite(1)
    const overlay = openAt(site)
    const sizes = { journal: 0, dirty: 0 }
    for (let i = 0; i < 30_000; i += 1) {
      // Alternating states, so that every flush has something to say.
      const offset = (i % 200) * GRAIN_SIZE
      if (Math.floor(i / 200) % 2 === 0) overlay.write(offset, Buffer.alloc(GRAIN_SIZE, 1))
      else overlay.trim(offset, GRAIN_SIZE)
      overlay.flush()
      for (const which of ['a', 'b']) {
        sizes.journal = Math.max(sizes.journal, site.fs.stat(`/layer/journal.${which}`)!.size)
      }
      sizes.dirty = Math.max(sizes.dirty, site.fs.stat('/layer/dirty')!.size)
    }
    expect(sizes.journal).toBeLessThan(1.1 * 1024 * 1024)
    expect(sizes.dirty).toBeLessThanOrEqual(DIRTY_HEADER_SIZE + 4096 * DIRTY_RECORD_SIZE)
  })
})
