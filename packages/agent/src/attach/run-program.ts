/**
 * Runs a program of the system about a disk, with a limit of time. Whoever serves the disk may be
 * away, and a program that waits for it in the kernel cannot be ended: then it is left behind, and
 * ends when the disk answers or fails.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { MaasError } from '@openmaas/kernel/errors'

/** What a program says goes into an error as far as this. */
const SAID_MAX = 600
/** Where a service has no PATH with them: the programs of file systems. */
const SBIN = '/usr/sbin:/sbin'

export interface RunOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface ProgramResult {
  /** Exit status. */
  readonly status: number
  readonly stdout: string
  /** The end of what it said on stderr. */
  readonly said: string
}

/** @throws MaasError MISSING_PROGRAM, CANCELLED, MEDIUM_ATTACH_FAILED when it takes too long */
export async function runProgram(
  program: string,
  args: readonly string[],
  { timeoutMs, signal }: RunOptions,
): Promise<ProgramResult> {
  if (signal?.aborted === true) throw cancelled(program)
  const env = {
    ...process.env,
    PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:${SBIN}`,
    LC_ALL: 'C',
  }
  // In "/", so that no file system is kept busy.
  const child = spawn(program, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] })
  const givenUp = Promise.withResolvers<never>()
  const tooLong = (): void => {
    const details = { program, timeoutMs }
    givenUp.reject(new MaasError('MEDIUM_ATTACH_FAILED', `${program} did not end in time`, details))
  }
  const timer = setTimeout(tooLong, timeoutMs)
  const cancel = (): void => givenUp.reject(cancelled(program))
  signal?.addEventListener('abort', cancel)
  try {
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', (cause) => {
        const message = `${program} cannot be started`
        reject(new MaasError('MISSING_PROGRAM', message, { program }, { cause }))
      })
      child.once('exit', (status) => resolve(status ?? -1))
    })
    const whole = Promise.all([ended, text(child.stdout), text(child.stderr)])
    const [status, stdout, stderr] = await Promise.race([whole, givenUp.promise])
    return { status, stdout, said: stderr.slice(-SAID_MAX) }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
    child.stdout.destroy()
    child.stderr.destroy()
    child.kill('SIGKILL')
    child.unref()
  }
}

/** As runProgram, for a program that has to succeed. @throws MaasError MEDIUM_ATTACH_FAILED */
export async function requireProgram(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const { status, stdout, said } = await runProgram(program, args, options)
  if (status === 0) return stdout
  const last = said.trim().split('\n').at(-1) ?? ''
  const message = `${program} ended with status ${status}: ${last}`
  throw new MaasError('MEDIUM_ATTACH_FAILED', message, { program, args: args.join(' '), said })
}

function cancelled(program: string): MaasError {
  return new MaasError('CANCELLED', `${program} was cancelled`, { program })
}
