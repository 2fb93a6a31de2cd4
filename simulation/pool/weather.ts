/**
 * What befalls the machine: faults by rates, damage at rest, bricks that go and come back, full
 * disks, jumping clocks. Never more at once than the redundancy is for: while one copy of anything
 * is missing or bad, nothing else is damaged until a scrub has found everything whole.
 */
import type { SeededRandom } from '@openmaas/kernel/random'
import { logDirectories } from '@openmaas/pool/log/mirrors'
import { packPath } from '@openmaas/pool/pack/path'
import type { Pool } from '@openmaas/pool/pool/pool'
import { NO_FAULTS } from '../disk/faults.ts'
import type { SimDisk } from '../disk/sim-disk.ts'
import type { SimClock } from '../harness/sim-clock.ts'
import type { Counts } from './counts.ts'
import type { Profile } from './profile.ts'

const HOUR_MS = 3_600_000

export class Weather {
  readonly #disk: SimDisk
  readonly #clock: SimClock
  readonly #random: SeededRandom
  readonly #profile: Profile
  readonly #counts: Counts
  /** Every pack has all its copies, as far as anybody can know. */
  #packsWhole = true
  #logWhole = true
  #failuresBefore = 0
  #isFull = false
  #isCalm = false
  /** Rises with every damage, so that a scrub knows whether one came while it ran. */
  damageCount = 0

  constructor(
    disk: SimDisk,
    clock: SimClock,
    random: SeededRandom,
    profile: Profile,
    counts: Counts,
  ) {
    this.#disk = disk
    this.#clock = clock
    this.#random = random
    this.#profile = profile
    this.#counts = counts
  }

  get isWhole(): boolean {
    return this.#packsWhole
  }

  /** True when the disk has done anything wrong since the life began. */
  struck(): boolean {
    return this.faulted() || !this.#packsWhole
  }

  /** The same without damage at rest, which redundancy is to hide. */
  faulted(): boolean {
    const { failedCalls, noSpace } = this.#disk.counts
    return failedCalls + noSpace > this.#failuresBefore || this.#isFull
  }

  beforeLife(calm: boolean): void {
    const { rates, bricks, losesBricks } = this.#profile
    const { failedCalls, noSpace } = this.#disk.counts
    this.#failuresBefore = failedCalls + noSpace
    // Recovery makes many calls in a row: with faults in each life, few owners would ever open.
    this.#disk.rates = calm || this.#random.below(4) > 0 ? NO_FAULTS : rates
    this.#isCalm = calm
    this.#clock.advance(this.#random.below(4) === 0 ? this.#random.below(30 * HOUR_MS) : 1000)
    if (calm) this.#freeSpace()
    this.#moveBricks(losesBricks && !calm)
    // Reads fail on one brick at a time, and only while the other copies are good.
    const faulty = this.#brickName(this.#random.below(bricks.length))
    this.#disk.faultyBrick = this.#packsWhole && this.#logWhole ? faulty : undefined
    if (this.#profile.damages) this.#damageLog()
  }

  duringLife(pool: Pool): void {
    if (this.#profile.jumpsClocks && this.#random.below(300) === 0) {
      const hours = [1, 20, 30, 5000, -1, -30][this.#random.below(6)]!
      this.#clock.jump(hours * HOUR_MS)
      this.#counts.clockJumps += 1
    }
    if (this.#profile.fillsDisks && this.#random.below(80) === 0) this.#toggleSpace()
    if (this.#profile.damages && this.#random.below(60) === 0) this.#damagePack(pool)
  }

  /** Recovery has brought all log mirrors there are to the same bytes. */
  logRestored(): void {
    if (this.#disk.lostBrick === undefined) this.#logWhole = true
  }

  /** A scrub read every copy, repaired what it could, and says that all is well. */
  packsRepaired(damageCountBefore: number): void {
    if (this.#disk.lostBrick !== undefined || damageCountBefore !== this.damageCount) return
    this.#packsWhole = true
  }

  /** Copies that a new pack does not get: degraded. */
  noteIncomplete(): void {
    this.#packsWhole = false
  }

  opened(pool: Pool): void {
    this.#disk.rates = this.#isCalm ? NO_FAULTS : this.#profile.rates
    this.#watchRemovals(pool)
  }

  /** I5: no pack file goes away while the log says that it is there. */
  #watchRemovals(pool: Pool): void {
    this.#disk.observer.onRemove = (path, kind) => {
      const match = /\/packs\/[0-9a-f]{2}\/([0-9a-f]{32})$/.exec(path)
      if (match === null) return
      const { state } = pool.core
      const packNo = state.packNumbers.get(match[1]!)
      const row = packNo === undefined ? undefined : state.packs.get(packNo)
      if (row === undefined || row.state === 'deleted') return
      // A repair sets a bad copy aside: one at rest, or one whose brick did not let it be read.
      // Until the repair has ended there is a copy less.
      if (kind === 'rename' && this.struck()) {
        this.#packsWhole = false
        return
      }
      throw new Error(`I5: ${path} is removed, and the log says ${row.state}`)
    }
  }

  /** The owner is dead: what its state said means nothing now. */
  stopWatching(): void {
    delete this.#disk.observer.onRemove
  }

  /** For the last rites: everything that was taken away comes back. */
  clear(): void {
    this.#freeSpace()
    this.#isCalm = true
    this.#disk.rates = NO_FAULTS
    this.#disk.lostBrick = undefined
    this.#disk.faultyBrick = undefined
    const { failedCalls, noSpace } = this.#disk.counts
    this.#failuresBefore = failedCalls + noSpace
  }

  #brickName(index: number): string {
    return this.#profile.bricks[index]!.slice(1)
  }

  #moveBricks(mayLose: boolean): void {
    if (this.#disk.lostBrick !== undefined) {
      if (!mayLose || this.#random.below(3) === 0) this.#disk.lostBrick = undefined
      return
    }
    if (!mayLose || !this.#packsWhole || !this.#logWhole || this.#random.below(4) > 0) return
    // The first brick holds index and lock: without it there is no owner, only readers.
    const index = 1 + this.#random.below(this.#profile.bricks.length - 1)
    this.#disk.lostBrick = this.#brickName(index)
    this.#packsWhole = false
    this.#logWhole = false
    this.#counts.lostBricks += 1
  }

  #damageLog(): void {
    if (!this.#logWhole || !this.#packsWhole || this.#random.below(4) > 0) return
    const directories = logDirectories(this.#profile.bricks)
    const directory = directories[this.#random.below(directories.length)]!
    this.#disk.damage(`${directory}/00000001.log`)
    this.#logWhole = false
    this.#counts.damages += 1
  }

  #damagePack(pool: Pool): void {
    if (!this.#packsWhole || !this.#logWhole) return
    const packs = pool.core.state.livePacks()
    const pack = packs[this.#random.below(packs.length)]
    if (pack === undefined) return
    const brick = pack.bricks[this.#random.below(pack.bricks.length)]!
    const path = packPath(this.#profile.bricks[brick]!, Buffer.from(pack.packId, 'hex'))
    if (this.#disk.find(path) === undefined) return
    this.#disk.damage(path)
    this.#disk.faultyBrick = undefined
    this.#packsWhole = false
    this.damageCount += 1
    this.#counts.damages += 1
  }

  #toggleSpace(): void {
    if (this.#isFull) return this.#freeSpace()
    const index = this.#random.below(this.#profile.bricks.length)
    const name = this.#brickName(index)
    const left = this.#random.below(3) === 0 ? 0 : this.#random.below(400_000)
    this.#disk.take(name, Math.max(0, this.#disk.free(name) - left))
    this.#isFull = true
  }

  #freeSpace(): void {
    for (const index of this.#profile.bricks.keys()) this.#disk.take(this.#brickName(index), 0)
    this.#isFull = false
  }
}
