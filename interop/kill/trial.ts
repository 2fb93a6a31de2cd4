/**
 * One trial: an operation on a copy of its pool is disturbed; then the pool must recover by
 * itself at the next command, hold everything that was acknowledged, byte for byte, and be found
 * whole by fsck.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { type SeededRandom, systemRandom } from '@openmaas/kernel/random'
import { Pool } from '@openmaas/pool/pool/pool'
import { type BackupResult, type CommandLine, errorOf } from '../support/command-line.ts'
import { directoryContents, pointsOf, type StoredPoint } from '../support/contents.ts'
import { describe, type Outcome, run } from '../support/program.ts'
import { PASSPHRASE, type Site } from '../support/site.ts'
import { type FaultPoint, findPoints, watch } from '../support/system-calls.ts'
import { argumentsOf, type Origin, type Stage } from './operations.ts'

export interface TrialOptions {
  readonly site: Site
  readonly stage: Stage
  readonly origin: Origin
  readonly lanes: number
}

export class Trial implements Disposable {
  readonly pool: string
  readonly cli: CommandLine
  readonly #options: TrialOptions
  readonly #directory: string

  constructor(name: string, options: TrialOptions) {
    this.#options = options
    this.#directory = options.site.join('trials', name)
    mkdirSync(this.#directory, { recursive: true })
    this.pool = join(this.#directory, 'pool')
    this.cli = options.site.commandLine(this.pool)
    const { pool } = options.origin
    if (pool !== undefined) cpSync(pool, this.pool, { recursive: true })
  }

  /** Runs the operation behind a wrapper such as strace. */
  disturb(wrapper: readonly string[]): Promise<Outcome> {
    const { origin, stage, lanes } = this.#options
    const args = argumentsOf(origin.operation, stage, { pool: this.pool, lanes })
    return this.cli.begin(args, wrapper, { limitMs: DISTURBED_MS }).ended
  }

  /**
   * The points at which the operation can be disturbed: its calls on the pool.
   *
   * @param options.answers its words on stdout too; a socket, as spawn makes it
   */
  async findPoints(options: { answers: boolean }): Promise<FaultPoint[]> {
    const output = join(this.#directory, 'calls')
    const outcome = await this.disturb(watch({ output }))
    if (outcome.exitCode !== 0) throw new Error(`undisturbed, it ${describe(outcome)}`)
    return findPoints(output, [this.pool, ...(options.answers ? ['write(1<socket:'] : [])])
  }

  /**
   * @param outcome of the disturbed operation
   * @param random  decides whether the points are restored by the command, too
   * @throws Error saying what does not hold
   */
  async check(outcome: Outcome, random: SeededRandom): Promise<void> {
    const { origin, stage } = this.#options
    const known = new Map(origin.points)
    const acknowledged = acknowledgement(outcome)
    if (origin.operation === 'init') await this.#initAgain()
    // The next command recovers by itself.
    const again = ['backup', stage.source, '--lanes', '1']
    const next = await this.cli.json<BackupResult>(again, [0, 6])
    demand(next.status === 'complete', `the next backup: ${next.status}`)
    if (origin.operation === 'gc') await this.cli.json(['pool', 'gc', '--yes', '--approve'])
    const points = await this.#inspect()
    const present = new Set<string>(points.map(({ id }) => id))
    demand(present.has(next.id), 'the next point is missing')
    for (const id of known.keys()) {
      if (origin.operation === 'delete' && id === stage.doomed) {
        demand(acknowledged === undefined || !present.has(id), `${id} came back`)
      } else demand(present.has(id), `point ${id} is missing`)
    }
    if (origin.operation === 'backup' && acknowledged?.id !== undefined) {
      demand(present.has(acknowledged.id), `acknowledged point ${acknowledged.id} is missing`)
    }
    for (const point of points) {
      const expected = known.get(point.id) ?? stage.contents
      demand(point.contents === expected, `point ${point.id} reads back otherwise`)
    }
    if (random.below(RESTORE_ONE_IN) === 0) await this.#restore(next.id, stage.contents)
  }

  /**
   * Fsck with data, and what the points hold. In this process, by the code of the command: a start
   * of its own would cost more than both.
   */
  async #inspect(): Promise<StoredPoint[]> {
    const pool = await Pool.open({
      path: this.pool,
      unlock: { passphrase: PASSPHRASE },
      fs: new NodeFs(),
      clock: systemClock,
      random: systemRandom,
    })
    try {
      const { healthy, problems } = await pool.fsck({ level: 'data' })
      demand(healthy, `fsck finds damage: ${JSON.stringify(problems.slice(0, 5))}`)
      return pointsOf(pool)
    } finally {
      await pool.close()
    }
  }

  /** An init that was cut short is begun again; one that was done says so. */
  async #initAgain(): Promise<void> {
    const again = await this.cli.attempt(['pool', 'init', this.pool])
    if (again.exitCode === 0 || errorOf(again)?.code === 'POOL_EXISTS') return
    throw new Error(`the next init ${describe(again)}`)
  }

  async #restore(id: string, expected: string): Promise<void> {
    const target = join(this.#directory, 'restored')
    await this.cli.json(['restore', id, '--to', target, '--lanes', '1'])
    demand(directoryContents(target) === expected, `point ${id} was restored otherwise`)
    await run(['rm', '-rf', target])
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** A traced command takes three seconds: one that takes this long waits for what never comes. */
const DISTURBED_MS = 120_000
/** Restoring costs as much as the rest of a trial. */
const RESTORE_ONE_IN = 8

function demand(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise)
}

/** What the command told its user that it had done, if it came to that. */
function acknowledgement({ stdout }: Outcome): { id?: string } | undefined {
  return stdout.endsWith('}\n') ? (JSON.parse(stdout) as { id?: string }) : undefined
}
