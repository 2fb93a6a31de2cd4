/** Running programs: their output, exit code and signal, without blocking the test's own loop. */
import { spawn, type ChildProcess } from 'node:child_process'
import process from 'node:process'
import { describeHang, killFamily } from './hang.ts'

/** More output than this is a program gone mad, not a result. */
const OUTPUT_MAX = 64 * 1024 * 1024
/** The longest command of any test takes half a minute; one that takes this long hangs. */
const COMMAND_MS = 5 * 60_000

export interface Outcome {
  /** Null when a signal ended it. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly input?: string
  /** After this long it is killed with all it started, and what it waited for is reported. */
  readonly limitMs?: number
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  /** What it has printed until now. */
  output(): string
}

/** Starts a program; its output is collected. */
export function start(command: readonly string[], options: RunOptions = {}): Running {
  const [program, ...args] = command
  const child = spawn(program!, args, {
    cwd: options.directory ?? '/',
    env: { ...process.env, LC_ALL: 'C', ...options.environment },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  const parts: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] }
  let size = 0
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.on('data', (bytes: Buffer) => {
      size += bytes.length
      if (size > OUTPUT_MAX) child.kill('SIGKILL')
      else parts[name].push(bytes)
    })
  }
  if (options.input !== undefined) {
    // A program that is killed while we feed it closes its end: that is its outcome, not ours.
    child.stdin!.on('error', () => {})
    child.stdin!.end(options.input)
  }
  const text = (name: 'stdout' | 'stderr'): string => Buffer.concat(parts[name]).toString('utf8')
  const ended = new Promise<Outcome>((resolve, reject) => {
    const { limitMs } = options
    const timer =
      limitMs === undefined
        ? undefined
        : setTimeout(() => {
            const state = child.pid === undefined ? 'it did not start' : describeHang(child.pid)
            reject(new Error(`${command.join(' ')} hangs after ${limitMs} ms\n${state}`))
            if (child.pid !== undefined) killFamily(child.pid)
          }, limitMs)
    child.on('error', reject)
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer)
      resolve({ exitCode, signal, stdout: text('stdout'), stderr: text('stderr') })
    })
  })
  return { child, ended, output: () => text('stdout') }
}

/** As start(), for a command that ends by itself. */
export async function attempt(command: readonly string[], options?: RunOptions): Promise<Outcome> {
  return start(command, { limitMs: COMMAND_MS, ...options }).ended
}

/** @returns stdout. @throws Error with everything it said, when it fails */
export async function run(command: readonly string[], options?: RunOptions): Promise<string> {
  const outcome = await attempt(command, options)
  if (outcome.exitCode === 0) return outcome.stdout
  throw new Error(`${command.join(' ')} ${describe(outcome)}`)
}

export function describe({ exitCode, signal, stdout, stderr }: Outcome): string {
  const end = signal === null ? `ended with ${exitCode}` : `was ended by ${signal}`
  return `${end}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`
}
