/**
 * Runs a command and says what it cost: wall time, CPU time of it and everything it waited for,
 * and the peak of the memory of its whole process tree.
 *
 * CPU time is bash's `time`. Memory is looked at every SAMPLE_MS: the larger of the largest sum of
 * resident sets over the tree and the largest peak of one process (VmHWM, which the kernel keeps).
 * Pages shared between processes count in each.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Command {
  readonly file: string
  readonly parameters: readonly string[]
  readonly directory?: string
  readonly environment?: Readonly<Record<string, string>>
}

export interface Cost {
  readonly wallMs: number
  readonly userMs: number
  readonly systemMs: number
  readonly peakBytes: number
  readonly output: string
}

/** Looking costs ten microseconds for each process; this often it does not disturb. */
const SAMPLE_MS = 50
/** How much of a failed command's words is shown. */
const ERROR_TAIL = 2000

/** `a | b` as one command that fails when any part fails. */
export function pipeline(script: string, ...parameters: readonly string[]): Command {
  return {
    file: 'bash',
    parameters: ['-c', `set -o pipefail; ${script}`, 'pipeline', ...parameters],
  }
}

/** @throws Error with the command's own words when it fails */
export async function measure(command: Command): Promise<Cost> {
  const directory = mkdtempSync(join(tmpdir(), 'openmaas-bench-'))
  const paths = ['out', 'error', 'time'].map((name) => join(directory, name))
  const [out, error, time] = paths.map((path) => openSync(path, 'w')) as [number, number, number]
  const script = 'TIMEFORMAT="%R %U %S"; { time "$@" 2>&4; } 2>&3'
  const child = spawn('bash', ['-c', script, 'measure', command.file, ...command.parameters], {
    stdio: ['ignore', out, 'ignore', time, error],
    env: { ...process.env, ...command.environment },
    ...(command.directory !== undefined && { cwd: command.directory }),
  })
  for (const file of [out, error, time]) closeSync(file)
  const memory = new MemoryWatch(child.pid!)
  try {
    const code = await new Promise<number | null>((settle, reject) => {
      child.once('error', reject)
      child.once('exit', settle)
    })
    const [output, words, times] = paths.map((path) => readFileSync(path, 'utf8'))
    if (code !== 0) {
      const line = [command.file, ...command.parameters].join(' ')
      throw new Error(`${line} ended with ${code}: ${words!.slice(-ERROR_TAIL)}`)
    }
    const [wall, user, system] = times!
      .trim()
      .split(/\s+/)
      .map((part) => Number(part) * 1000)
    return {
      wallMs: wall!,
      userMs: user!,
      systemMs: system!,
      peakBytes: memory.peakBytes,
      output: output!,
    }
  } finally {
    memory.stop()
    rmSync(directory, { recursive: true })
  }
}

/** The peak of a process tree, the roots included, while it lives. */
export class MemoryWatch {
  peakBytes = 0
  readonly #roots: readonly number[]
  readonly #timer: NodeJS.Timeout

  constructor(...roots: readonly number[]) {
    this.#roots = roots
    this.#timer = setInterval(() => this.look(), SAMPLE_MS)
  }

  look(): void {
    const seen = new Set<number>()
    let sum = 0
    for (const root of this.#roots) sum += this.#add(root, seen)
    this.peakBytes = Math.max(this.peakBytes, sum)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #add(pid: number, seen: Set<number>): number {
    if (seen.has(pid)) return 0
    seen.add(pid)
    const status = readProc(`/proc/${pid}/status`)
    let sum = kilobytes(status, 'VmRSS')
    this.peakBytes = Math.max(this.peakBytes, kilobytes(status, 'VmHWM'))
    const children = readProc(`/proc/${pid}/task/${pid}/children`)
    for (const child of children.split(' ').filter(Boolean)) sum += this.#add(Number(child), seen)
    return sum
  }
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
}

/** @returns nothing for a process that is gone */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH') return ''
    throw error
  }
}

/** Of an even number: the mean of the two in the middle. @returns NaN of none */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
