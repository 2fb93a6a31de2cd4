/**
 * The world of one overlay: an engine with up to three threads serves it, is killed, or loses
 * power, at any call of the disk; syncs fail and disks fill up. Promises: docs/formats/overlay.md.
 */
import type { MaasError } from '@openmaas/kernel/errors'
import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { GRAIN_SIZE } from '@openmaas/medium/overlay/format'
import { Overlay } from '@openmaas/medium/overlay/overlay'
import { createOverlay, prepareOverlay } from '@openmaas/medium/overlay/prepare'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { NO_FAULTS } from '../disk/faults.ts'
import type { FaultRates } from '../disk/faults.ts'
import { Crash, SimDisk } from '../disk/sim-disk.ts'
import { SimFs } from '../disk/sim-fs.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { zeroOverlayCounts } from './counts.ts'
import type { OverlayCounts } from './counts.ts'
import { DeviceModel } from './model.ts'
import type { Change } from './model.ts'

export interface OverlayWorldOptions {
  readonly seed: number
  readonly operations: number
  readonly trace?: (line: string) => void
}

const DIRECTORY = '/layer'
/** 40 grains, the last of them cut. */
const SIZE = 39 * GRAIN_SIZE + 1536
const CAPACITY = 4 * 1024 * 1024
/** Steps from one death to the next, at most. */
const LIFE_STEPS = 300

export class OverlayWorld {
  readonly counts: OverlayCounts = zeroOverlayCounts()
  readonly #options: OverlayWorldOptions
  readonly #random: SeededRandom
  readonly #disk: SimDisk
  readonly #base: MemoryDevice
  readonly #model: DeviceModel
  readonly #rates: FaultRates
  readonly #fills: boolean
  #boot = 1
  /** A sync has failed in this boot. */
  #hasFailed = false
  /** The change under way, for when the machine dies in it. */
  #cut: Change | undefined

  constructor(options: OverlayWorldOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#disk = new SimDisk({
      random: this.#random,
      clock: new SimClock(),
      capacity: CAPACITY,
      isPageAtomic: (name) => name === 'data',
      sparesAfterFailedSync: true,
    })
    const content = Buffer.alloc(SIZE)
    for (let grain = 0; grain * GRAIN_SIZE < SIZE; grain += 1) {
      content.fill(grain % 3 === 0 ? 0 : 200 + (grain % 50), grain * GRAIN_SIZE)
    }
    this.#base = new MemoryDevice({ size: SIZE, content, readOnly: true })
    this.#model = new DeviceModel(content)
    this.#rates = { ...NO_FAULTS }
    if (this.#random.below(3) === 0) this.#rates.dataSync = 0.01
    if (this.#random.below(4) === 0) this.#rates.write = 0.01
    this.#fills = this.#random.below(4) === 0
    const { trace } = options
    if (trace === undefined) return
    this.#disk.observer.onCall = (call, path) => trace(`${this.#disk.steps} ${call} ${path}`)
  }

  /** @throws Error that names the broken promise */
  run(): OverlayCounts {
    const fs = new SimFs(this.#disk)
    fs.makeDirectory(DIRECTORY)
    fs.syncDirectory('/')
    createOverlay(fs, DIRECTORY, SIZE)
    this.#disk.die()
    this.#disk.losePower()
    while (this.#disk.steps < this.#options.operations) this.#live()
    this.#verify()
    this.counts.seeds = 1
    this.counts.steps = this.#disk.steps
    return this.counts
  }

  /** One engine, from recovery to its end. */
  #live(): void {
    this.#disk.crashAt = this.#disk.steps + 1 + this.#random.below(LIFE_STEPS)
    this.#cut = undefined
    const fs = new SimFs(this.#disk)
    let isPrepared = false
    try {
      const engines = this.#open(fs)
      isPrepared = true
      this.#disk.rates = this.#rates
      for (;;) this.#operate(engines[this.#random.below(engines.length)]!)
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      if (!isPrepared) this.counts.prepareCrashes += 1
    }
    this.#disk.rates = NO_FAULTS
    this.#disk.take('layer', 0)
    this.#end()
  }

  #end(): void {
    const losesPower = this.#random.below(2) === 0
    this.#note(losesPower ? 'the power fails' : 'the engine is killed')
    if (losesPower) {
      this.counts.powerLosses += 1
      this.#disk.losePower()
      this.#boot += 1
      this.#hasFailed = false
      this.#model.settle(this.#look(), this.#cut)
      return
    }
    this.counts.kills += 1
    if (this.#hasFailed) {
      if (this.#cut !== undefined) this.#model.apply(this.#cut)
      return
    }
    if (this.#cut !== undefined) this.#model.applyPart(this.#cut, this.#look())
    this.#model.expectSame(this.#look(), 'kill')
  }

  #open(fs: SimFs): Overlay[] {
    const bootId = `00000000-0000-0000-0000-${String(this.#boot).padStart(12, '0')}`
    const { handoff } = prepareOverlay({ fs, directory: DIRECTORY, bootId })
    const threads = 1 + this.#random.below(3)
    const deps = { fs, punchHole: fs.punchHole }
    return Array.from({ length: threads }, () => new Overlay(handoff, this.#base, deps))
  }

  /** What the device holds, as an engine would show it that changes nothing. */
  #look(): Buffer {
    return this.#disk.quietly(() => {
      const fs = new SimFs(this.#disk)
      const [overlay] = this.#open(fs)
      const read = Buffer.alloc(SIZE)
      overlay!.read(0, read)
      fs.kill()
      return read
    })
  }

  #operate(overlay: Overlay): void {
    const choice = this.#random.below(20)
    try {
      if (choice < 12) this.#change(overlay)
      else if (choice < 16) this.#flush(overlay)
      else if (choice < 17) this.#compact(overlay)
      else if (choice < 19) this.#read(overlay)
      else if (this.#fills) this.#toggleSpace()
    } catch (error) {
      if (!isMaasError(error)) throw error
      this.#refused(overlay, error)
    }
  }

  #refused(overlay: Overlay, error: MaasError): void {
    this.#note(`refused: ${error.code}`)
    this.counts.refused += 1
    const expected = ['FS_NO_SPACE', 'FS_IO', 'OVERLAY_FAILED']
    if (!expected.includes(error.code)) throw error
    const cut = this.#cut
    this.#cut = undefined
    const read = Buffer.alloc(SIZE)
    this.#disk.quietly(() => overlay.read(0, read))
    if (overlay.failed) {
      // The kernel may show old bytes, new ones or a hole now: until the next boot nothing is
      // promised of what is read, and nothing is known to be durable that was not before.
      this.#hasFailed = true
      if (cut !== undefined) this.#model.apply(cut)
    } else {
      if (cut !== undefined) this.#model.applyPart(cut, read)
      this.#model.expectSame(read, 'a refused write')
    }
    // Nothing more comes of an overlay that has failed: the engine ends soon.
    if (overlay.failed && this.#random.below(3) === 0) this.#die()
  }

  #die(): void {
    this.#disk.die()
    throw new Crash()
  }

  #change(overlay: Overlay): void {
    const change = this.#makeChange()
    this.#note(JSON.stringify(change))
    this.#cut = change
    const { kind, offset, length, fill } = change
    if (kind === 'write') overlay.write(offset, Buffer.alloc(length, fill))
    else if (kind === 'zero') overlay.writeZeroes(offset, length)
    else overlay.trim(offset, length)
    this.#cut = undefined
    this.#model.apply(change)
    if (kind === 'write') this.counts.writes += 1
    else this.counts.trims += 1
  }

  /** Small and large, aligned or not. */
  #makeChange(): Change {
    const random = this.#random
    const kind = (['write', 'write', 'write', 'zero', 'trim'] as const)[random.below(5)]!
    const unit = [1, 512, GRAIN_SIZE][random.below(3)]!
    const span = random.below(8) === 0 ? SIZE : 4 * GRAIN_SIZE
    const offset = random.below(Math.floor(SIZE / unit)) * unit
    const length = Math.min(SIZE - offset, (1 + random.below(Math.ceil(span / unit))) * unit)
    return { kind, offset, length, fill: 1 + random.below(199) }
  }

  #flush(overlay: Overlay): void {
    try {
      overlay.flush()
    } catch (error) {
      if (isMaasError(error)) this.counts.failedFlushes += 1
      throw error
    }
    this.#note('flushed')
    this.#model.flush()
    this.counts.flushes += 1
  }

  #compact(overlay: Overlay): void {
    overlay.compact()
    this.#note('compacted')
    this.#model.flush()
    this.counts.compactions += 1
  }

  #read(overlay: Overlay): void {
    const read = Buffer.alloc(SIZE)
    overlay.read(0, read)
    if (!this.#hasFailed) this.#model.expectSame(read, 'read')
    this.counts.reads += 1
  }

  #toggleSpace(): void {
    const isFull = this.#disk.free('layer') < 4096
    this.#disk.take('layer', isFull ? 0 : this.#disk.free('layer') - this.#random.below(600))
  }

  /** The last look: as the last engine left it, and again after a last loss of power. */
  #verify(): void {
    if (!this.#hasFailed) this.#model.expectSame(this.#look(), 'the end')
    this.#disk.losePower()
    this.#boot += 1
    this.#model.settle(this.#look(), undefined)
  }

  #note(text: string): void {
    this.#options.trace?.(`${this.#disk.steps} -- ${text}`)
  }
}
