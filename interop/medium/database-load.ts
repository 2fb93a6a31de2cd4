/** Load on a database whose every acknowledged commit can be told afterwards, and kills. */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@openmaas/testkit/wait-for'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import { findProcesses, kill, processesOf } from '../support/leftovers.ts'
import type { Outcome } from '../support/program.ts'

/** More than a writer gets done before it is killed. */
const STATEMENTS = 200_000
/** Time to serve requests and to have some in flight: its threads begin a little after it does. */
const PAUSE_MS = 1200

export function statements(make: (number: number) => string): string {
  return Array.from({ length: STATEMENTS }, (_, number) => `${make(number)}\n`).join('')
}

/** The numbers that the client printed after the server had acknowledged them. */
export function acknowledged(outcome: Outcome): number[] {
  // A line without its end was not printed whole.
  return outcome.stdout.split('\n').slice(0, -1).map(Number)
}

/** Kills the engine again and again until `until` is settled. @returns how often */
export async function killEngines(directory: string, until: Promise<unknown>): Promise<number> {
  let kills = 0
  let ended = false
  void until.finally(() => (ended = true))
  while (!ended) {
    await delay(PAUSE_MS)
    // One that is not serving yet would be killed before it ever answers a request.
    const serving = await waitFor('an engine that serves', () => ended || servingEngine(directory))
    if (serving !== true && kill(serving)) kills += 1
  }
  return kills
}

/** @returns its pid, or undefined while there is none */
function servingEngine(directory: string): number | undefined {
  const status = readStatus(directory)
  return status?.state === 'serving' && engineRuns(status) ? status.pid : undefined
}

/** Kills engine and keeper; neither gets to start the other again. */
export async function killDisk(mediumId: string): Promise<void> {
  const processes = await waitFor('engine and keeper', () => findProcesses(mediumId))
  process.kill(processes.keeper, 'SIGSTOP')
  for (const pid of processesOf(mediumId)) kill(pid)
  await waitFor('both are gone', () => processesOf(mediumId).length === 0)
}
