/**
 * What the engine says about itself, in `<medium>/engine.json`: replaced atomically, never
 * synced, true only while the process with that pid and start time lives.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { ErrorMessage } from '@openmaas/kernel/error-message'

export interface EngineStatus {
  readonly pid: number
  /** Start of the process in kernel ticks since boot: tells a reused pid from the engine. */
  readonly processStart: number
  readonly keeperPid: number
  /** How often the engine has been started for this medium. */
  readonly generation: number
  readonly state: 'starting' | 'serving' | 'failed' | 'ended'
  readonly error?: ErrorMessage
}

const statusPath = (mediumDirectory: string): string => path.join(mediumDirectory, 'engine.json')

export function writeStatus(mediumDirectory: string, status: EngineStatus): void {
  const target = statusPath(mediumDirectory)
  writeFileSync(`${target}.new`, JSON.stringify(status), { mode: 0o600 })
  renameSync(`${target}.new`, target)
}

/** @returns undefined when the engine has never said anything. */
export function readStatus(mediumDirectory: string): EngineStatus | undefined {
  try {
    return JSON.parse(readFileSync(statusPath(mediumDirectory), 'utf8')) as EngineStatus
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Field 22 of /proc/<pid>/stat.
 *
 * @returns undefined when there is no such process, or only its corpse
 */
export function processStart(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command name stands in parentheses and may hold anything, blanks too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : Number(fields[19])
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

/** True while the engine that wrote the status still runs. */
export function engineRuns(status: EngineStatus | undefined): boolean {
  return status !== undefined && processStart(status.pid) === status.processStart
}
