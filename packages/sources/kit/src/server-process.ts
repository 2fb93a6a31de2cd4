/**
 * A server process that survives the agent: in a session of its own, as its own user, its output
 * in a file, found again by pid and start time.
 *
 *   <run>/<name>.json   { pid, startTicks, bootId }   written before the server is waited for
 *   <run>/<name>.log    stdout and stderr of keeper and server
 *
 * `restart`: a keeper, a shell loop, starts the server again when it failed, also while no agent
 * runs. The record names the keeper, and the server is in the keeper's session. A server that
 * ends with exit code 0 was told to, and the keeper ends too.
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  fchownSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { OsUser } from './os-user.ts'
import { identityOf, programEnvironment, spawnError } from './run-program.ts'
import { readState, writeState } from './state-file.ts'

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

export interface ServerPlace {
  /** Directory of the host, not of the volume: VolumeLayout.run. */
  readonly run: string
  /** `server`, `receiver`: one of each name per place. */
  readonly name: string
}

export interface ServerCommand extends ServerPlace {
  readonly command: readonly string[]
  readonly user: OsUser | null
  readonly environment?: Readonly<Record<string, string>>
  readonly restart: boolean
}

const processRecord = z.object({
  pid: z.number().int().positive(),
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  startTicks: z.number(),
  bootId: z.string(),
})
export type ProcessRecord = z.output<typeof processRecord>

/** Exit code 0 ends the loop. One second: a server that cannot start must not burn a core. */
const KEEPER_SCRIPT = 'while ! "$@"; do sleep 1; done'
const POLL_MS = 20
/** Of a log that is told in an error. */
const LOG_TAIL_MAX = 4096

/**
 * Starts it unless it runs already.
 *
 * @throws MaasError MISSING_PROGRAM
 */
export async function startServer(server: ServerCommand): Promise<ProcessRecord> {
  const running = findServer(server)
  if (running !== null) return running
  const logPath = serverLog(server)
  // Where the server's user may write, it may have laid a link.
  const log = openSync(logPath, O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600)
  try {
    if (server.user !== null) fchownSync(log, server.user.uid, server.user.gid)
    const command = server.restart
      ? ['/bin/sh', '-c', KEEPER_SCRIPT, 'openmaas-keeper', ...server.command]
      : server.command
    const child = spawn(command[0]!, command.slice(1), {
      cwd: '/',
      detached: true, // A session of its own: it outlives the agent and its terminal.
      stdio: ['ignore', log, log],
      env: programEnvironment(server.environment),
      ...(server.user === null ? {} : identityOf(server.user)),
    })
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('spawn', resolve)
    })
    child.unref()
    const startTicks = startTicksOf(child.pid!)
    if (startTicks === null) throw startFailed(server)
    const record = { pid: child.pid!, startTicks, bootId: bootId() }
    writeState(recordPath(server), record)
    return record
  } catch (error) {
    throw spawnError(error, server.command)
  } finally {
    closeSync(log)
  }
}

/**
 * Whether keeper or server runs. A server whose keeper was killed counts: it is in the keeper's
 * session still, whose number the kernel gives to nobody else as long as a process is in it.
 *
 * @returns null when it does not run, or the pid is another process now
 */
export function findServer(place: ServerPlace): ProcessRecord | null {
  const record = readState(recordPath(place), processRecord)
  if (record === null || record.bootId !== bootId()) return null
  const startTicks = startTicksOf(record.pid)
  if (startTicks === record.startTicks) return record
  return startTicks === null && sessionMembers(record.pid).length > 0 ? record : null
}

export interface StopOptions {
  /** To the server: SIGTERM, SIGINT or SIGQUIT mean different shutdowns to PostgreSQL. */
  readonly signal: NodeJS.Signals
  /** Then all of the session is killed. */
  readonly timeoutMs: number
}

/**
 * Ends keeper and server, and waits until every process of the session is gone.
 *
 * @returns false when none ran
 */
export async function stopServer(
  place: ServerPlace,
  { signal, timeoutMs }: StopOptions,
): Promise<boolean> {
  const record = findServer(place)
  if (record === null) {
    rmSync(recordPath(place), { force: true })
    return false
  }
  const members = sessionMembers(record.pid)
  const server = members.find((pid) => pid !== record.pid) ?? record.pid
  if (server !== record.pid) killProcess(record.pid, 'SIGKILL') // Or it starts the next one.
  killProcess(server, signal)
  const deadline = performance.now() + timeoutMs
  while (sessionMembers(record.pid).length > 0) {
    if (performance.now() > deadline) {
      for (const pid of sessionMembers(record.pid)) killProcess(pid, 'SIGKILL')
    }
    await delay(POLL_MS)
  }
  rmSync(recordPath(place), { force: true })
  return true
}

/** Living processes of a session (field 6 of stat), zombies not counted; the leader first. */
export function sessionMembers(session: number): number[] {
  const pids: number[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = statFields(Number(name))
    if (fields !== null && Number(fields[3]) === session) pids.push(Number(name))
  }
  return pids.toSorted((a, b) => Number(b === session) - Number(a === session) || a - b)
}

/** Field 3 of proc_pid_stat(5) and on; null when it is gone or a zombie. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command name stands in parentheses and may hold anything, blanks too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : fields
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH') return null
    throw error
  }
}

export function startTicksOf(pid: number): number | null {
  const fields = statFields(pid)
  return fields === null ? null : Number(fields[19])
}

/** @returns false when it was gone */
export function killProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

export function serverLog(place: ServerPlace): string {
  return join(place.run, `${place.name}.log`)
}

/** The end of its log, for errors; empty when there is none. */
export async function serverLogTail(
  place: ServerPlace,
  sizeMax: number = LOG_TAIL_MAX,
): Promise<string> {
  let file
  try {
    file = await open(serverLog(place), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
  try {
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.min(size, sizeMax))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

function recordPath(place: ServerPlace): string {
  return join(place.run, `${place.name}.json`)
}

function startFailed(server: ServerCommand): MaasError {
  const message = `${server.command[0]} ended as soon as it was started`
  return new MaasError('DATABASE_START_FAILED', message, { log: serverLog(server) })
}

let thisBoot: string | undefined

function bootId(): string {
  thisBoot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return thisBoot
}
