/**
 * Goal: when a system call on the pool fails with EIO, ENOSPC or EMFILE, the command never says
 * that it succeeded when it did not, never loses anything, and names the failure by a code of the
 * error table with the exit code that belongs to it.
 *
 * OPENMAAS_ERRNO_POINTS sets how many points in all ("npm run torture": 20,000), OPENMAAS_SEED
 * which ones.
 */
import process from 'node:process'
import { afterAll, beforeAll, test } from 'vitest'
import { ERROR_CATEGORIES, ERRORS, type ErrorCode } from '@openmaas/kernel/errors'
import type { SeededRandom } from '@openmaas/kernel/random'
import { requires } from '@openmaas/testkit/requires'
import { errorOf } from '../support/command-line.ts'
import { describe, type Outcome } from '../support/program.ts'
import { Site } from '../support/site.ts'
import { failAt, type FaultPoint } from '../support/system-calls.ts'
import { type OperationName, setStage, type Stage } from './operations.ts'
import { runSeries } from './series.ts'

const POINTS = Number(process.env['OPENMAAS_ERRNO_POINTS'] ?? 100)
const POINT_MS = 20_000
const SHARES: readonly (readonly [OperationName, number])[] = [
  ['backup', 0.55],
  ['gc', 0.25],
  ['init', 0.1],
  ['delete', 0.1],
]
/** What each call may fail with; EIO for all others. A failed close has closed all the same. */
const ERRNOS: Readonly<Record<string, readonly string[]>> = {
  openat: ['EIO', 'EMFILE', 'ENOSPC', 'EACCES'],
  pwrite64: ['EIO', 'ENOSPC'],
  write: ['EIO', 'ENOSPC'],
  mkdir: ['EIO', 'ENOSPC'],
  rename: ['EIO', 'ENOSPC'],
  fdatasync: ['EIO', 'ENOSPC'],
  fsync: ['EIO', 'ENOSPC'],
}

requires({ programs: ['strace'], linux: true }, () => {
  let site: Site
  let stage: Stage

  beforeAll(async () => {
    site = await Site.make({ inMemory: true })
    stage = await setStage(site)
  })
  afterAll(() => site[Symbol.asyncDispose]())

  test.each(SHARES)(
    '%s with a call that fails says so and loses nothing',
    (operation, share) =>
      runSeries({
        name: `${operation} errno`,
        site,
        stage,
        origin: stage.origins[operation],
        count: Math.ceil(POINTS * share),
        // The runtime's own wake-ups are writes as well, and it aborts when one fails.
        answers: false,
        attempt: async (trial, point, random) => {
          const outcome = await trial.disturb(failAt(point, chooseErrno(point, random)))
          if (hitTheRuntime(outcome) || hitTheSource(outcome)) return false
          checkAnswer(outcome)
          await trial.check(outcome, random)
          return true
        },
      }),
    POINTS * POINT_MS,
  )
})

function chooseErrno({ call }: FaultPoint, random: SeededRandom): string {
  const errnos = ERRNOS[call] ?? ['EIO']
  return errnos[random.below(errnos.length)]!
}

/**
 * Calls come in another order at times, since threads load their code beside each other: this one
 * was of Node itself, which read a module or its cache of compiled code. Nothing of ours ran.
 */
function hitTheRuntime({ signal, stderr }: Outcome): boolean {
  if (signal === 'SIGABRT') return stderr.includes('node::CompileCacheHandler')
  return stderr.includes('(node:internal/modules/esm/load:')
}

/** Or of a file that was backed up: the run says so with exit code 6 and names the file. */
function hitTheSource({ exitCode, stdout }: Outcome): boolean {
  return exitCode === 6 && /"status":"warnings".*"warnings":\[\{"kind":"unreadable"/.test(stdout)
}

/** Success, or an error of the table with its exit code. What else there is to say, check() says. */
function checkAnswer(outcome: Outcome): void {
  if (outcome.exitCode === 0) return
  const error = errorOf(outcome)
  if (error === undefined) throw new Error(`without an error code it ${describe(outcome)}`)
  const row = ERRORS[error.code as ErrorCode] as (typeof ERRORS)[ErrorCode] | undefined
  if (row === undefined || error.code === 'INTERNAL') {
    throw new Error(`with ${error.code} it ${describe(outcome)}`)
  }
  if (outcome.exitCode !== ERROR_CATEGORIES[row.category].exit) {
    throw new Error(`with another exit code than that of ${error.code} it ${describe(outcome)}`)
  }
}
