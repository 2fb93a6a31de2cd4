/**
 * Runs a program of an engine to its end: bounded in time and output, ended when the order is
 * cancelled, and with the last words of its stderr in the error.
 *
 * A password never stands in the command, which every user of the host can read: it goes by
 * `environment` or in a file.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { MaasError } from '@openmaas/kernel/errors'
import type { OsUser } from './os-user.ts'

/** More output than this is no answer to anything a plug-in asks. */
export const PROGRAM_OUTPUT_MAX = 64 * 1024 * 1024
/** Of stderr, from its end: enough for the reason, little enough for an error's details. */
export const STDERR_TAIL_MAX = 4096
/** Between SIGTERM and SIGKILL: a cancelled order ends within 5 s. */
const TERMINATE_MS = 3000
/** Of a program whose caller gives no limit: none but a seed takes longer. */
export const PROGRAM_MS_DEFAULT = 5 * 60_000

export interface ProgramOptions {
  /** Null: the user of this process. */
  readonly user?: OsUser | null
  /** Added to a small environment: PATH, and LC_ALL=C so that messages are in English. */
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
  readonly signal?: AbortSignal | undefined
  /** Null: as long as it takes. */
  readonly timeoutMs?: number | null
  /** Exit codes that are answers; others are thrown. */
  readonly exitCodes?: readonly number[]
  /** Each line of stderr as it comes: progress. */
  readonly onStderrLine?: (line: string) => void
}

export interface ProgramOutcome {
  readonly exitCode: number
  readonly stdout: string
  /** Its tail. */
  readonly stderr: string
}

/**
 * @param command  program and arguments, no shell
 * @throws MaasError MISSING_PROGRAM, CANCELLED, DATABASE_PROGRAM_FAILED
 */
export async function runProgram(
  command: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramOutcome> {
  const { signal, timeoutMs = PROGRAM_MS_DEFAULT } = options
  if (signal?.aborted === true) throw cancelled(command)
  const child = spawn(command[0]!, command.slice(1), {
    cwd: '/', // So that no file system is kept busy.
    env: programEnvironment(options.environment),
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.user === null || options.user === undefined ? {} : identityOf(options.user)),
    detached: true, // A group of its own, so that what it started ends with it.
  })
  let ended: 'cancelled' | 'timeout' | 'output' | undefined
  let kill: NodeJS.Timeout | undefined
  const end = (why: typeof ended): void => {
    if (ended !== undefined) return
    ended = why
    killGroup(child.pid, 'SIGTERM')
    kill = setTimeout(() => killGroup(child.pid, 'SIGKILL'), TERMINATE_MS)
  }
  const cancel = (): void => end('cancelled')
  signal?.addEventListener('abort', cancel)
  const timer = timeoutMs === null ? undefined : setTimeout(() => end('timeout'), timeoutMs)
  const stdout: Buffer[] = []
  let size = 0
  child.stdout!.on('data', (bytes: Buffer) => {
    size += bytes.length
    if (size > PROGRAM_OUTPUT_MAX) end('output')
    else stdout.push(bytes)
  })
  const tail = new Tail(options.onStderrLine)
  child.stderr!.on('data', (bytes: Buffer) => tail.push(bytes.toString('utf8')))
  if (options.input !== undefined) {
    // A program that ends before it has read everything closes its end: its outcome tells why.
    child.stdin!.on('error', () => {})
    child.stdin!.end(options.input)
  }
  try {
    const [exitCode, by] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, name) => resolve([code, name]))
    })
    if (ended === 'cancelled') throw cancelled(command)
    if (ended === undefined && exitCode !== null && (options.exitCodes ?? [0]).includes(exitCode)) {
      return { exitCode, stdout: Buffer.concat(stdout).toString('utf8'), stderr: tail.text }
    }
    const how = ended === 'timeout' ? `took longer than ${timeoutMs} ms` : outcome(exitCode, by)
    const said = tail.text.trim()
    throw new MaasError(
      'DATABASE_PROGRAM_FAILED',
      `${nameOf(command)} ${how}${said === '' ? '' : `: ${lastLine(said)}`}`,
      { program: command[0], exitCode: exitCode ?? undefined, stderr: said },
    )
  } catch (error) {
    throw spawnError(error, command)
  } finally {
    clearTimeout(timer)
    clearTimeout(kill)
    signal?.removeEventListener('abort', cancel)
  }
}

/** What a program of an engine may know of this process's environment. */
export function programEnvironment(
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', ...more }
}

/** For spawn(). Only root can become somebody else. */
export function identityOf(user: OsUser): { uid?: number; gid?: number } {
  return process.getuid?.() === user.uid ? {} : { uid: user.uid, gid: user.gid }
}

/** ENOENT and EACCES of the program itself, in the words of the table. */
export function spawnError(error: unknown, command: readonly string[]): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code !== 'ENOENT' && code !== 'EACCES') return error as Error
  const message = `the program ${command[0]} is not installed or cannot be run`
  return new MaasError('MISSING_PROGRAM', message, { program: command[0] }, { cause: error })
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function cancelled(command: readonly string[]): MaasError {
  return new MaasError('CANCELLED', `${nameOf(command)} was cancelled`, {})
}

function nameOf(command: readonly string[]): string {
  return command[0]!.split('/').at(-1)!
}

function outcome(exitCode: number | null, signal: string | null): string {
  return exitCode === null ? `was ended by ${signal}` : `failed with exit code ${exitCode}`
}

/** The line that tells most: engines print the reason last, hints before it are in the details. */
function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const telling = lines.findLast((line) => /error|fatal|could not|panic/i.test(line))
  return (telling ?? lines.at(-1) ?? '').trim().slice(0, 500)
}

/** Keeps the end of a text, and hands out its lines. Progress lines may end in CR. */
class Tail {
  text = ''
  #line = ''
  readonly #onLine: ((line: string) => void) | undefined

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine
  }

  push(text: string): void {
    this.text = (this.text + text).slice(-STDERR_TAIL_MAX)
    if (this.#onLine === undefined) return
    const lines = (this.#line + text).split(/[\r\n]/)
    this.#line = lines.pop()!.slice(-STDERR_TAIL_MAX)
    for (const line of lines) if (line !== '') this.#onLine(line)
  }
}
