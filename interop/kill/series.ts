/** Many trials, one more at a time than there are cores, their points spread by a seed. */
import { availableParallelism } from 'node:os'
import process from 'node:process'
import { SeededRandom } from '@openmaas/kernel/random'
import { choosePoint, type FaultPoint } from '../support/system-calls.ts'
import { Trial, type TrialOptions } from './trial.ts'

export interface SeriesOptions extends Omit<TrialOptions, 'lanes'> {
  readonly name: string
  readonly count: number
  /** Disturb it while it says that it is done, too. */
  readonly answers: boolean
  /** Disturbs and checks. @returns true when the fault was met, not passed by */
  readonly attempt: (trial: Trial, point: FaultPoint, random: SeededRandom) => Promise<boolean>
}

/** A failing seed is run again with OPENMAAS_SEED. */
export const SEED = Number(process.env['OPENMAAS_SEED'] ?? 1)

/** Errors that a failed run shows. */
const FAILURES_MAX = 5
/** Threads are scheduled as they are: the n-th call of one may not come. */
const MET_SHARE_MIN = 0.7

/** @throws Error when a trial fails, or when too few faults were met for the run to say much */
export async function runSeries(options: SeriesOptions): Promise<void> {
  const { name, count, origin } = options
  const byLanes = [await observe(options, 1), await observe(options, 2)]
  const failures: string[] = []
  let [met, next] = [0, 0]
  const work = async (): Promise<void> => {
    while (next < count && failures.length < FAILURES_MAX) {
      const number = next
      next += 1
      const random = new SeededRandom(SEED * 1_000_003 + number)
      const lanes = origin.operation === 'backup' ? 1 + random.below(2) : 1
      const point = choosePoint(byLanes[lanes - 1]!, random)
      try {
        using trial = new Trial(`${name}-${number}`, { ...options, lanes })
        if (await options.attempt(trial, point, random)) met += 1
      } catch (error) {
        const where = `${name} ${number}, seed ${SEED}, ${point.call} ${point.when}: ${point.line}`
        failures.push(`${where}\n${error instanceof Error ? error.stack : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, work))
  process.stdout.write(`${name}: ${count} points, ${met} met, ${failures.length} failed\n`)
  if (failures.length > 0) throw new Error(failures.join('\n\n'))
  if (met < count * MET_SHARE_MIN) throw new Error(`only ${met} of ${count} faults were met`)
}

async function observe(options: SeriesOptions, lanes: number): Promise<FaultPoint[]> {
  using trial = new Trial(`${options.name}-watched-${lanes}`, { ...options, lanes })
  // Awaited here: the trial goes away when this returns.
  return await trial.findPoints(options)
}
