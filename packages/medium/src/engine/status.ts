/**
 * What the engine says about itself, in `<medium>/engine.json` and `engine.log`. The status is
 * replaced atomically, never synced, true only while the process with that pid and start time
 * lives.
 *
 * Both stand on the pool's disk, which may be full. What cannot be said there must not end an
 * engine: programs that read its medium would wait in the kernel until somebody makes room.
 */
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
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

/**
 * On a full disk it takes the place of the last status; where that, too, needs room, the last one
 * stays. The first status of a medium must be written: the generations count from it.
 *
 * @throws NodeJS.ErrnoException
 */
export function writeStatus(mediumDirectory: string, status: EngineStatus): void {
  const target = statusPath(mediumDirectory)
  const text = JSON.stringify(status)
  try {
    writeFileSync(`${target}.new`, text, { mode: 0o600 })
    renameSync(`${target}.new`, target)
  } catch (error) {
    if (!isFull(error)) throw error
    rmSync(`${target}.new`, { force: true })
    overwrite(target, text)
  }
}

/** Within the block that the file has, which a disk that is full still takes. */
function overwrite(target: string, text: string): void {
  const fd = openSync(target, 'r+')
  try {
    const before = readFileSync(fd)
    // Blanks over what was longer: at no time are there two statuses in it.
    const bytes = Buffer.from(text.padEnd(before.length))
    const isWhole = writeSync(fd, bytes, 0, bytes.length, 0) === bytes.length
    if (!isWhole) writeSync(fd, before, 0, before.length, 0)
    ftruncateSync(fd, isWhole ? Buffer.byteLength(text) : before.length)
  } catch (error) {
    if (!isFull(error)) throw error
  } finally {
    closeSync(fd)
  }
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** An engine whose log takes nothing goes on. Node would end it, and there is nobody to tell. */
export function outliveLog(): void {
  process.stderr.on('error', () => {})
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
