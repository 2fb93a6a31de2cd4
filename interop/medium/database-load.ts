/** Load on a database whose every acknowledged commit can be told afterwards, and kills. */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@openmaas/testkit/wait-for'
import { findProcesses, kill, processesOf } from '../support/leftovers.ts'
import type { Outcome } from '../support/program.ts'

/** More than a writer gets done before it is killed. */
const STATEMENTS = 200_000
const PAUSE_MS = 300

export function statements(make: (number: number) => string): string {
  return Array.from({ length: STATEMENTS }, (_, number) => `${make(number)}\n`).join('')
}

/** The numbers that the client printed after the server had acknowledged them. */
export function acknowledged(outcome: Outcome): number[] {
  // A line without its end was not printed whole.
  return outcome.stdout.split('\n').slice(0, -1).map(Number)
}

/** Kills the engine again and again until `until` is settled. @returns how often */
export async function killEngines(mediumId: string, until: Promise<unknown>): Promise<number> {
  let kills = 0
  let ended = false
  void until.finally(() => (ended = true))
  while (!ended) {
    await delay(PAUSE_MS)
    const before = findProcesses(mediumId)
    if (before === undefined || ended) continue
    if (kill(before.engine)) kills += 1
    await waitFor('the next engine', () => {
      const engine = findProcesses(mediumId)?.engine
      return ended || (engine !== undefined && engine !== before.engine)
    })
  }
  return kills
}

/** Kills engine and keeper; neither gets to start the other again. */
export async function killDisk(mediumId: string): Promise<void> {
  const processes = await waitFor('engine and keeper', () => findProcesses(mediumId))
  process.kill(processes.keeper, 'SIGSTOP')
  for (const pid of processesOf(mediumId)) kill(pid)
  await waitFor('both are gone', () => processesOf(mediumId).length === 0)
}
