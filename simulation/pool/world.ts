/**
 * One simulated world: a pool on a disk that fails, its users, and the deaths of its owner.
 *
 *   create ─▶ life ─▶ death ─▶ life ─▶ … ─▶ last rites
 *              │ open and recover, check all invariants, then tasks until the machine dies,
 *              │ the log fails or the owner closes
 *
 * Everything follows from the seed. Steps are calls to the disk and turns of tasks; the machine
 * may die at any of them, during recovery, too.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { Pool } from '@openmaas/pool/pool/pool'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { SimDisk } from '../disk/sim-disk.ts'
import { SimFs } from '../disk/sim-fs.ts'
import { Scheduler } from '../harness/scheduler.ts'
import { SimClock } from '../harness/sim-clock.ts'
import { SimRandom } from '../harness/sim-random.ts'
import { SHARED_CONTENTS } from './content.ts'
import { zeroCounts } from './counts.ts'
import type { Counts } from './counts.ts'
import { checkIndex, checkLog, checkPacks, checkSnapshots, readWhole } from './invariants.ts'
import type { Site } from './invariants.ts'
import { doom } from './doom.ts'
import { settleWorld } from './last-rites.ts'
import { Oracle } from './oracle.ts'
import { BRICK_CAPACITY, makeProfile } from './profile.ts'
import type { Profile } from './profile.ts'
import { chooseTask } from './task-list.ts'
import type { TaskContext } from './tasks.ts'
import { Weather } from './weather.ts'

export interface WorldOptions {
  readonly seed: number
  /** Steps of the machine. */
  readonly operations: number
  readonly trace?: (line: string) => void
}

/** Key derivation by passphrase costs 50 ms; worlds are opened by their master key. */
const PASSPHRASE = 'a passphrase'
/** Opens in a row that faults may spoil before the weather must clear up. */
const FAILED_OPENS_MAX = 5

export class PoolWorld {
  readonly counts: Counts = zeroCounts()
  readonly #options: WorldOptions
  readonly #random: SeededRandom
  /** The product's randomness is its own, so that a change of a task does not change all ids. */
  readonly #productRandom: SimRandom
  readonly #clock = new SimClock()
  readonly #disk: SimDisk
  readonly #profile: Profile
  readonly #oracle = new Oracle()
  readonly #weather: Weather
  readonly #site: Site
  #masterKey: Buffer = Buffer.alloc(0)
  #nextContent = SHARED_CONTENTS
  #failedOpens = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#productRandom = new SimRandom(options.seed ^ 0x5eed)
    this.#profile = makeProfile(this.#random)
    const { bricks } = this.#profile
    this.#disk = new SimDisk({
      random: this.#random,
      clock: this.#clock,
      capacity: BRICK_CAPACITY,
    })
    this.#weather = new Weather(this.#disk, this.#clock, this.#random, this.#profile, this.counts)
    this.#site = { disk: this.#disk, bricks, oracle: this.#oracle }
    const { trace } = options
    if (trace === undefined) return
    this.#disk.observer.onCall = (call, path) => trace(`${this.#disk.steps} ${call} ${path}`)
  }

  /** @throws Error that names the broken invariant, or the product's own unexpected error */
  async run(): Promise<Counts> {
    await this.#create()
    while (this.#disk.steps < this.#options.operations) await this.#live()
    await this.#lastRites()
    this.counts.seeds = 1
    this.counts.steps = this.#disk.steps
    this.counts.failedSyncs = this.#disk.counts.failedSyncs
    this.counts.failedCalls = this.#disk.counts.failedCalls
    this.counts.noSpace = this.#disk.counts.noSpace
    return this.counts
  }

  async #create(): Promise<void> {
    const { bricks, redundancy } = this.#profile
    const fs = new SimFs(this.#disk)
    for (const brick of bricks) fs.makeDirectory(brick)
    fs.syncDirectory('/')
    this.#note(JSON.stringify(this.#profile))
    const created = await Pool.create({
      bricks,
      redundancy,
      passphrase: PASSPHRASE,
      fs,
      clock: this.#clock,
      random: this.#productRandom,
    })
    this.#masterKey = created.masterKey
    this.#die(true)
  }

  async #live(): Promise<void> {
    const calm = this.#failedOpens >= FAILED_OPENS_MAX
    this.#weather.beforeLife(calm)
    // One in five dies while it recovers; recovery takes 50 steps and more.
    const diesEarly = this.#random.below(5) === 0
    const stepsLeft = diesEarly ? 1 + this.#random.below(150) : Number.POSITIVE_INFINITY
    this.#disk.crashAt = this.#disk.steps + stepsLeft
    const outcome = await this.#serve()
    this.#note(`the life ends: ${outcome}`)
    if (outcome === 'dead') this.counts.crashes += 1
    this.#die(this.#random.below(10) < 7)
  }

  /** From opening to the end of the owner, however it ends. */
  async #serve(): Promise<'dead' | 'idle'> {
    const fs = new SimFs(this.#disk)
    const scheduler = new Scheduler(this.#random, this.#disk)
    const life = new Life(fs, scheduler)
    scheduler.spawn('open', async () => {
      try {
        life.pool = await this.#open(fs, scheduler.turn)
      } catch (error) {
        if (!isMaasError(error) || !this.#weather.struck()) throw error
        this.#note(`open failed: ${error.code} ${error.message}`)
        this.counts.failedOpens += 1
        this.#failedOpens += 1
      }
    })
    const outcome = await scheduler.run(() => this.#between(life))
    if (outcome === 'dead' && life.pool === undefined) this.counts.recoveryCrashes += 1
    return outcome
  }

  async #open(fs: SimFs, turn: () => Promise<void>): Promise<Pool> {
    const { bricks, tuning } = this.#profile
    const pool = await Pool.open({
      path: bricks[0]!,
      unlock: { masterKey: this.#masterKey },
      fs,
      clock: this.#clock,
      random: this.#productRandom,
      yieldTurn: turn,
      tuning,
      degraded: this.#disk.lostBrick !== undefined,
    })
    this.#failedOpens = 0
    this.counts.opens += 1
    this.#weather.logRestored()
    this.#note(`opened, epoch ${pool.core.state.ownerEpoch}, ${pool.core.state.sequence} records`)
    this.#disk.quietly(() => this.#check(pool, true))
    if (this.#random.below(10) === 0) await this.#readWithoutFirstBrick(pool)
    this.#weather.opened(pool)
    this.#disk.crashAt = this.#disk.steps + 1 + this.#random.below(this.#profile.lifeSteps)
    return pool
  }

  #check(pool: Pool, settle: boolean): void {
    checkLog(this.#site)
    checkPacks(this.#site, pool, this.#weather.isWhole)
    checkSnapshots(this.#site, pool, settle)
    if (this.#random.below(4) === 0) checkIndex(this.#site, pool)
    this.counts.checks += 1
  }

  /** I12: with a mirror, readers do without any brick; the first also holds index and lock. */
  async #readWithoutFirstBrick(pool: Pool): Promise<void> {
    const { bricks, redundancy } = this.#profile
    const isWhole = this.#weather.isWhole && this.#disk.lostBrick === undefined
    if (redundancy === 'single' || !isWhole) return
    const fs = new SimFs(this.#disk)
    const unlock = { masterKey: pool.masterKey }
    const options = { path: bricks[1]!, unlock, fs, clock: this.#clock }
    const reader = await this.#withoutFirstBrick(() => PoolReader.open(options))
    this.#withoutFirstBrick(() => {
      for (const row of reader.snapshots()) readWhole(reader.chunks, row.root, this.#oracle)
    })
    if (reader.snapshots().length !== pool.snapshots().length) {
      throw new Error('I12: snapshots are missing without the first brick')
    }
    this.counts.degradedReads += 1
  }

  #withoutFirstBrick<T>(look: () => T): T {
    this.#disk.lostBrick = this.#profile.bricks[0]!.slice(1)
    try {
      return this.#disk.quietly(look)
    } finally {
      this.#disk.lostBrick = undefined
    }
  }

  /** Before each turn of a life: time passes, things break, users come. */
  #between(life: Life): void {
    const { pool, scheduler } = life
    this.#clock.advance(this.#random.below(60_000))
    if (pool === undefined) return
    if (this.#disk.steps >= this.#options.operations) return this.#disk.die()
    const hasFailed = pool.core.log.failure !== undefined
    if (!life.isEnding && (hasFailed || this.#random.below(400) === 0)) {
      life.isEnding = true
      const waitForTasks = hasFailed || this.#random.below(2) === 0
      scheduler.spawn('close', () => this.#close(life, waitForTasks))
    }
    this.#weather.duringLife(pool)
    if (life.isEnding || scheduler.taskCount >= this.#profile.taskCount) return
    const { name, run } = chooseTask(this.#random, this.#profile.habit)
    scheduler.spawn(name, () => run(this.#contextFor(life, pool)))
  }

  async #close({ pool, scheduler }: Life, waitForTasks: boolean): Promise<void> {
    while (waitForTasks && scheduler.taskCount > 1) await scheduler.turn()
    try {
      await pool!.close()
    } catch (error) {
      const isExpected = isMaasError(error) && (this.#weather.struck() || pool!.core.log.failure)
      if (!isExpected) throw error
      this.#note(`close failed: ${error.code}`)
    }
  }

  #contextFor(life: Life, pool: Pool): TaskContext {
    return {
      pool,
      fs: life.fs,
      disk: this.#disk,
      clock: this.#clock,
      random: this.#random,
      oracle: this.#oracle,
      counts: this.counts,
      profile: this.#profile,
      weather: this.#weather,
      turn: life.scheduler.turn,
      fresh: () => {
        this.#nextContent += 1
        return this.#nextContent
      },
      note: (text) => this.#note(text),
      isEnding: () => life.isEnding,
      isExcused: () => this.#weather.struck(),
    }
  }

  #die(losesPower: boolean): void {
    this.#weather.stopWatching()
    this.#disk.die()
    if (!losesPower) return
    this.counts.powerLosses += 1
    this.#clock.reboot()
    this.#disk.losePower()
  }

  /** The weather clears up; everything promised must be there, and garbage must go away. */
  async #lastRites(): Promise<void> {
    this.#weather.clear()
    const fs = new SimFs(this.#disk)
    const scheduler = new Scheduler(this.#random, this.#disk)
    scheduler.spawn('last rites', async () => {
      const pool = await this.#open(fs, scheduler.turn)
      this.#disk.crashAt = Number.POSITIVE_INFINITY
      const life = new Life(fs, scheduler)
      life.pool = pool
      await settleWorld(this.#contextFor(life, pool), this.#site)
      await pool.close()
      if (this.#random.below(3) === 0) await doom(this.#contextFor(life, pool), this.#site)
      if (fs.openCount > 0) throw new Error(`${fs.openCount} files are left open`)
    })
    await scheduler.run(() => this.#clock.advance(1000))
    this.#disk.die()
  }

  #note(text: string): void {
    this.#options.trace?.(`${this.#disk.steps} -- ${text}`)
  }
}

class Life {
  readonly fs: SimFs
  readonly scheduler: Scheduler
  pool: Pool | undefined
  isEnding = false

  constructor(fs: SimFs, scheduler: Scheduler) {
    this.fs = fs
    this.scheduler = scheduler
  }
}
