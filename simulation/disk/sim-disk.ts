/**
 * The storage of one simulated machine: all files of all bricks, with page cache and medium. The
 * processes that use it are `SimFs` (sim-fs.ts). Every call of any of them is one step here, and
 * may be the one at which the machine dies.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import type { SeededRandom } from '@openmaas/kernel/random'
import type { FaultRates } from './faults.ts'
import { NO_FAULTS } from './faults.ts'
import { SimDirectory } from './sim-directory.ts'
import type { SimNode } from './sim-directory.ts'
import { SECTOR, SimFile } from './sim-file.ts'

/** Thrown out of the call at which the machine dies, and of every later one of its processes. */
export class Crash extends Error {
  constructor() {
    super('the simulated machine is gone')
  }
}

export interface SimDiskOptions {
  readonly random: SeededRandom
  readonly clock: Clock
  /** Bytes of each top directory ("brick"). */
  readonly capacity?: number
  /** Files of which the format relies on pages being old or new as a whole. */
  readonly isPageAtomic?: (name: string) => boolean
  /**
   * The machine does not die in the step after a failed sync. An overlay writes a mark then; what
   * a kill in that microsecond does is known and accepted (docs/formats/overlay.md).
   */
  readonly sparesAfterFailedSync?: boolean
}

export interface DiskCounts {
  failedSyncs: number
  failedCalls: number
  noSpace: number
  damages: number
}

export interface DiskObserver {
  /** A name is about to go (unlink, or rename away). Throws what the simulation reports. */
  onRemove?(path: string, kind: 'unlink' | 'rename'): void
  onCall?(call: string, path: string): void
}

export class SimDisk {
  readonly random: SeededRandom
  readonly clock: Clock
  readonly root: SimDirectory
  readonly counts: DiskCounts = { failedSyncs: 0, failedCalls: 0, noSpace: 0, damages: 0 }
  observer: DiskObserver = {}
  /** Steps taken; file-system calls and turns of the scheduler alike. */
  steps = 0
  /** The step that kills the machine. */
  crashAt = Number.POSITIVE_INFINITY
  rates: FaultRates = NO_FAULTS
  /** The brick whose reads may fail; and the one that is not there at all. */
  faultyBrick: string | undefined
  lostBrick: string | undefined
  readonly #options: SimDiskOptions
  readonly #used = new Map<string, number>()
  /** Bytes somebody else has taken, by brick. */
  readonly #taken = new Map<string, number>()
  readonly #dirtyFiles = new Set<SimFile>()
  readonly #dirtyDirectories = new Set<SimDirectory>()
  #epoch = 0
  #quiet = false

  constructor(options: SimDiskOptions) {
    this.#options = options
    this.random = options.random
    this.clock = options.clock
    this.root = new SimDirectory(options.clock.wallMs())
  }

  /** Rises with each death: a process of an earlier epoch is dead. */
  get epoch(): number {
    return this.#epoch
  }

  /**
   * Counts a step. @returns true when the machine dies right after what the call does
   * @throws Crash when it dies before
   */
  step(call: string, path: string): boolean {
    if (this.#quiet) return false
    this.steps += 1
    this.observer.onCall?.(call, path)
    if (this.steps < this.crashAt) return false
    if (this.random.below(2) === 0) return true
    this.die()
    throw new Crash()
  }

  /** The simulation itself looks: no step is counted, nothing fails and nobody dies meanwhile. */
  quietly<T>(look: () => T): T {
    const before = this.#quiet
    this.#quiet = true
    try {
      return look()
    } finally {
      this.#quiet = before
    }
  }

  /** All processes end here; nothing they do afterwards has an effect. */
  die(): void {
    this.#epoch += 1
    this.crashAt = Number.POSITIVE_INFINITY
    for (const file of this.#locked.splice(0)) file.lockedBy = undefined
  }

  readonly #locked: SimFile[] = []

  noteLock(file: SimFile): void {
    this.#locked.push(file)
  }

  /** After `die`: what was not synced is old, new or torn. Without this the page cache stays. */
  losePower(): void {
    for (const directory of this.#dirtyDirectories) directory.losePower(this.random)
    for (const file of this.#dirtyFiles) file.losePower(this.random)
    this.#dirtyDirectories.clear()
    this.#dirtyFiles.clear()
    this.#recount()
  }

  syncFailed(): void {
    this.counts.failedSyncs += 1
    if (this.#options.sparesAfterFailedSync === true && this.crashAt === this.steps + 1) {
      this.crashAt += 1
    }
  }

  makeFile(name: string): SimFile {
    const pageAtomic = this.#options.isPageAtomic?.(name) === true
    return new SimFile(this.clock.wallMs(), pageAtomic)
  }

  noteFile(file: SimFile): void {
    if (file.dirty) this.#dirtyFiles.add(file)
    else this.#dirtyFiles.delete(file)
  }

  noteDirectory(directory: SimDirectory): void {
    if (directory.dirty) this.#dirtyDirectories.add(directory)
    else this.#dirtyDirectories.delete(directory)
  }

  /** Names are relative to the root; "" is the root itself. */
  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.root
    for (const name of split(path)) {
      node = node?.kind === 'directory' ? node.get(name) : undefined
    }
    return node
  }

  /** True when the fault comes up now. */
  strikes(kind: keyof FaultRates): boolean {
    const rate = this.rates[kind]
    if (this.#quiet || rate === 0 || this.random.unit() >= rate) return false
    this.counts.failedCalls += 1
    return true
  }

  free(brick: string): number {
    const { capacity = 2 ** 40 } = this.#options
    return capacity - (this.#used.get(brick) ?? 0) - (this.#taken.get(brick) ?? 0)
  }

  /** @returns false when the brick is full */
  allocate(brick: string, bytes: number): boolean {
    if (bytes > 0 && this.free(brick) < bytes) return false
    this.#used.set(brick, (this.#used.get(brick) ?? 0) + bytes)
    return true
  }

  /** Somebody else fills the disk, or cleans up. */
  take(brick: string, bytes: number): void {
    this.#taken.set(brick, bytes)
  }

  /** Damages a file at rest: one bit, or one sector zeroed or taken from elsewhere in the file. */
  damage(path: string): void {
    const file = this.find(path)
    assert(file?.kind === 'file' && file.durableSize > 0, 'only a file with bytes is damaged')
    const offset = this.random.below(file.durableSize)
    const kind = this.random.below(8)
    const start = Math.floor(offset / SECTOR) * SECTOR
    const sector = Buffer.from(file.durable.subarray(start, start + SECTOR))
    const before = Buffer.from(sector)
    if (kind === 0) sector.fill(0)
    else if (kind === 1) {
      const other = Math.floor(this.random.below(file.durableSize) / SECTOR) * SECTOR
      file.durable.copy(sector, 0, other, other + SECTOR)
    }
    // A sector that happens to be what it was before is no damage: flip a bit then, too.
    if (sector.equals(before)) sector[offset - start]! ^= 1 << this.random.below(8)
    file.damage(start, sector.subarray(0, Math.min(SECTOR, file.durableSize - start)))
    this.counts.damages += 1
  }

  #recount(): void {
    this.#used.clear()
    const sizeOf = (node: SimNode): number => {
      if (node.kind === 'file') return node.size
      let sum = 0
      for (const [, child] of node.nodes()) sum += sizeOf(child)
      return sum
    }
    for (const [brick, node] of this.root.nodes()) this.#used.set(brick, sizeOf(node))
  }
}

export function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '')
}
