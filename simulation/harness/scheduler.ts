/**
 * Runs asynchronous tasks one turn at a time, in an order drawn from a seed. A task gives up its
 * turn where it awaits `turn()`, and the product's code where it awaits `yieldTurn`; everything
 * between two such places is one turn, as in a real process.
 *
 * Every turn is a step of the disk, so the machine may die there, too. Then the tasks are simply
 * never continued: that is what dying is.
 */
import type { SeededRandom } from '@openmaas/kernel/random'
import { Crash } from '../disk/sim-disk.ts'
import type { SimDisk } from '../disk/sim-disk.ts'

/** Turns in a row in which nobody can go on: a task awaits what nobody will do. */
const IDLE_TURNS_MAX = 3

export class Scheduler {
  readonly #random: SeededRandom
  readonly #disk: SimDisk
  readonly #epoch: number
  readonly #waiting: (() => void)[] = []
  readonly #running = new Set<string>()
  #taskCount = 0
  #failure: { readonly error: unknown; readonly task: string } | undefined

  constructor(random: SeededRandom, disk: SimDisk) {
    this.#random = random
    this.#disk = disk
    this.#epoch = disk.epoch
  }

  readonly turn = (): Promise<void> =>
    new Promise((resolve) => {
      this.#waiting.push(resolve)
    })

  get taskCount(): number {
    return this.#running.size
  }

  get dead(): boolean {
    return this.#disk.epoch !== this.#epoch
  }

  /** The task's error ends the run, unless the machine died of which it may be the echo. */
  spawn(name: string, task: () => Promise<void>): void {
    this.#taskCount += 1
    const label = `${name} ${this.#taskCount}`
    this.#running.add(label)
    const observe = async (): Promise<void> => {
      try {
        await task()
      } catch (error) {
        if (!this.dead) this.#failure ??= { error, task: label }
      } finally {
        this.#running.delete(label)
      }
    }
    // `observe` catches everything itself.
    void observe()
  }

  /**
   * Runs until the machine is dead or no task is left.
   * @param between called before each turn: spawns tasks, moves the clock
   * @throws what a task threw, and an Error when all tasks are stuck
   */
  async run(between: () => void): Promise<'dead' | 'idle'> {
    let idle = 0
    let tasksBefore = 0
    for (;;) {
      await settled()
      if (this.dead) return 'dead'
      if (this.#failure !== undefined) throw this.#failure.error
      between()
      if (this.#waiting.length === 0) {
        if (this.#running.size === 0) return 'idle'
        // A task that has just been spawned may end without ever waiting.
        idle = this.#taskCount === tasksBefore ? idle + 1 : 0
        tasksBefore = this.#taskCount
        if (idle > IDLE_TURNS_MAX) throw new Error(`stuck: ${[...this.#running].join(', ')}`)
        continue
      }
      idle = 0
      if (this.#diesNow()) return 'dead'
      const index = this.#random.below(this.#waiting.length)
      const last = this.#waiting.pop()!
      if (index === this.#waiting.length) last()
      else {
        this.#waiting[index]!()
        this.#waiting[index] = last
      }
    }
  }

  #diesNow(): boolean {
    try {
      if (this.#disk.step('turn', '')) this.#disk.die()
    } catch (error) {
      if (!(error instanceof Crash)) throw error
    }
    return this.dead
  }
}

/** After all microtasks: whatever could run without a new turn has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
