/**
 * Goal: kill -9 at the n-th system call of the real command, during init, backup, deletion,
 * collection, and during the recovery from such a kill, loses nothing that was acknowledged; the
 * next command recovers by itself and fsck finds the pool whole.
 *
 * OPENMAAS_KILL_POINTS sets how many points in all ("npm run torture": 10,000), OPENMAAS_SEED
 * which ones.
 */
import process from 'node:process'
import { afterAll, beforeAll, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { requires } from '@openmaas/testkit/requires'
import type { Outcome } from '../support/program.ts'
import { Site } from '../support/site.ts'
import { choosePoint, killAt } from '../support/system-calls.ts'
import { type OperationName, type Origin, setStage, type Stage } from './operations.ts'
import { runSeries, SEED } from './series.ts'
import { Trial } from './trial.ts'

const POINTS = Number(process.env['OPENMAAS_KILL_POINTS'] ?? 204)
/** What a point takes at the most, all in all, on a slow machine under load. */
const POINT_MS = 20_000

/** Parts of POINTS. */
const SHARES: readonly (readonly [OperationName, number])[] = [
  ['backup', 0.45],
  ['gc', 0.22],
  ['init', 0.09],
  ['delete', 0.09],
]
const RECOVERY_SHARE = 0.15

requires({ programs: ['strace'], linux: true }, () => {
  let site: Site
  let stage: Stage

  beforeAll(async () => {
    site = await Site.make({ inMemory: true })
    stage = await setStage(site)
  })
  afterAll(() => site[Symbol.asyncDispose]())

  const series = (name: string, origin: Origin, count: number): Promise<void> =>
    runSeries({
      name,
      site,
      stage,
      origin,
      count,
      answers: true,
      attempt: async (trial, point, random) => {
        const outcome = await trial.disturb(killAt(point))
        await trial.check(outcome, random)
        return wasKilled(outcome)
      },
    })

  test.each(SHARES)(
    '%s is killed at system calls and loses nothing',
    (operation, share) => series(operation, stage.origins[operation], Math.ceil(POINTS * share)),
    POINTS * POINT_MS,
  )

  test(
    'the recovery from a kill is killed and loses nothing',
    async () => {
      const random = new SeededRandom(SEED)
      const { backup } = stage.origins
      for (const round of [0, 1, 2]) {
        // A pool as a kill leaves it becomes the one the next command begins on.
        using trial = new Trial(`torn-${round}`, { site, stage, origin: backup, lanes: 2 })
        using watched = new Trial(`watched-${round}`, { site, stage, origin: backup, lanes: 2 })
        const points = (await watched.findPoints({ answers: true })).filter(
          ({ call }) => call !== 'openat',
        )
        await trial.disturb(killAt(choosePoint(points, random)))
        const torn: Origin = { ...backup, pool: trial.pool }
        await series(`recovery ${round}`, torn, Math.ceil((POINTS * RECOVERY_SHARE) / 3))
      }
    },
    POINTS * POINT_MS,
  )
})

const wasKilled = ({ signal, exitCode }: Outcome): boolean =>
  signal === 'SIGKILL' || exitCode === 137
