/**
 * Faults at the n-th system call of an unmodified program, by strace: a kill, or an errno. The
 * program is watched once first, so that the calls chosen are ones it makes on the pool.
 *
 * strace counts the calls of each thread apart, and the first thread that reaches n has the fault.
 */
import { readFileSync } from 'node:fs'
import type { SeededRandom } from '@openmaas/kernel/random'

export interface FaultPoint {
  readonly call: string
  /** From 1. */
  readonly when: number
  /** What the watched run did there, for the message of a failed test. */
  readonly line: string
}

/** Calls that change something, and the chance of each against the others. */
export const CHANGING_CALLS = [
  'fdatasync',
  'fsync',
  'pwrite64',
  'write',
  'rename',
  'unlink',
  'mkdir',
  'rmdir',
  'ftruncate',
  'fallocate',
  'flock',
] as const
export const READING_CALLS = ['openat', 'close', 'pread64', 'getdents64'] as const
const CALLS: readonly string[] = [...CHANGING_CALLS, ...READING_CALLS]

export interface WatchOptions {
  /** Where strace writes what it sees. */
  readonly output: string
  /** False: children and threads go their own way, unwatched. */
  readonly follow?: boolean
}

/** In front of a command: watches it. */
export function watch({ output, follow = true }: WatchOptions): string[] {
  return [...strace(follow), '-y', '-o', output, '-e', `trace=${CALLS.join(',')}`]
}

/** In front of a command: SIGKILL at the point, before the call is made. */
export function killAt({ call, when }: FaultPoint, follow = true): string[] {
  const inject = `inject=${call}:signal=KILL:when=${when}`
  return [...strace(follow), '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject]
}

/** In front of a command: the call fails, and is not made. */
export function failAt({ call, when }: FaultPoint, errno: string): string[] {
  const inject = `inject=${call}:error=${errno}:when=${when}`
  // The other calls go unseen, which halves what the program costs.
  return [...strace(true), '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject]
}

function strace(follow: boolean): string[] {
  // --seccomp-bpf would be faster: with it strace 6.1 injects errors, and no signals.
  return ['strace', ...(follow ? ['-f'] : []), '-qq']
}

/**
 * The points of a watched run at which a thread is the first to make its n-th such call, and
 * makes it on a path that holds one of the words.
 */
export function findPoints(output: string, words: readonly string[]): FaultPoint[] {
  const reached = new Map<string, number>()
  const counts = new Map<string, number>()
  const points: FaultPoint[] = []
  for (const line of readFileSync(output, 'latin1').split('\n')) {
    const match = /^(?:(\d+) +)?([a-z0-9]+)\(/.exec(line)
    if (match === null) continue // The end of a call that was begun before, or a signal.
    const call = match[2]!
    const thread = `${match[1] ?? ''} ${call}`
    const when = (counts.get(thread) ?? 0) + 1
    counts.set(thread, when)
    if (when <= (reached.get(call) ?? 0)) continue
    reached.set(call, when)
    const text = line.replace(/"\.\.\..*$/, '')
    if (words.some((word) => text.includes(word))) points.push({ call, when, line })
  }
  return points
}

/** A call at random, four times out of five one that changes something, then one of its points. */
export function choosePoint(points: readonly FaultPoint[], random: SeededRandom): FaultPoint {
  const changing = random.below(5) !== 0
  const group: readonly string[] = changing ? CHANGING_CALLS : READING_CALLS
  const calls = [...new Set(points.map(({ call }) => call))].filter((call) => group.includes(call))
  const call = calls[random.below(calls.length)]
  const candidates = points.filter((point) => call === undefined || point.call === call)
  const chosen = candidates[random.below(candidates.length)]
  if (chosen === undefined) throw new Error('the watched run made no call on the pool')
  return chosen
}
