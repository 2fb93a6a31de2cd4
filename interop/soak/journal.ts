/** What happened, as it happens and in the end: times, faults, jobs that failed. */
import { appendFileSync, writeFileSync } from 'node:fs'

export const CHECK_KINDS = ['newest', 'second', 'transaction', 'boundary', 'synchronous'] as const
export type CheckKind = (typeof CHECK_KINDS)[number]

/** A check that gave up could not be made: nothing was compared. */
export type CheckEnd = 'equal' | 'unequal' | 'gaveUp'

export class Journal {
  readonly #path: string
  readonly faults: string[] = []
  readonly failedJobs: { kind: string; id: string; problem: string }[] = []
  readonly kills = new Map<string, number>()
  /** From the return of what was killed until the standby had all that production had. */
  readonly healMs: { victim: string; ms: number }[] = []
  readonly #checks = new Map<CheckKind, Record<CheckEnd, number>>()
  readonly createMs: number[] = []

  constructor(path: string) {
    this.#path = path
    writeFileSync(path, '')
  }

  say(text: string): void {
    const line = `${new Date().toISOString().slice(11, 19)} ${text}\n`
    appendFileSync(this.#path, line)
    process.stdout.write(line)
  }

  fault(text: string): void {
    this.faults.push(text)
    this.say(`FAULT ${text}`)
  }

  killed(victim: string): void {
    this.kills.set(victim, (this.kills.get(victim) ?? 0) + 1)
  }

  checked(kind: CheckKind, end: CheckEnd): void {
    const ends = this.ends(kind)
    this.#checks.set(kind, { ...ends, [end]: ends[end] + 1 })
  }

  ends(kind: CheckKind): Readonly<Record<CheckEnd, number>> {
    return this.#checks.get(kind) ?? { equal: 0, unequal: 0, gaveUp: 0 }
  }

  /** Recovered and compared, however that ended. */
  compared(kind: CheckKind): number {
    const { equal, unequal } = this.ends(kind)
    return equal + unequal
  }
}

export function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  if (sorted.length === 0) return 'none'
  const at = (part: number): string =>
    ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) / 1000).toFixed(1)
  return `median ${at(0.5)} s, p90 ${at(0.9)} s, longest ${at(1)} s`
}

export const wordsOf = (error: unknown): string =>
  error instanceof Error
    ? `${error.message}${error.cause === undefined ? '' : ` (${wordsOf(error.cause)})`}`
    : String(error)
