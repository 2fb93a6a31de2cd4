/** What the load wrote down: every commit by its number, with its time and place in the log. */
import { closeSync, openSync, readSync } from 'node:fs'
import { lsn } from '@openmaas/source-postgres/lsn'
import { waitFor } from '@openmaas/testkit/wait-for'

export interface Commit {
  readonly seq: number
  readonly aid: number
  readonly delta: number
  readonly xid: string
  /** The client was told before its connection broke, if it did. */
  readonly isAcknowledged: boolean
  readonly atMs: number
  /** The log had at least this length when it was committed, and after it at most this. */
  readonly lsn: bigint
}

interface Line {
  readonly kind: 'ack' | 'found' | 'at' | 'lost'
  readonly seq: number
  readonly aid: number
  readonly delta: number
  readonly xid: string
  readonly atMs: number
  readonly lsn: string
}

/** Production that was killed is back within this time, and then the load looks up what it did. */
const SETTLE_MS = 180_000

export class Oracle {
  readonly #path: string
  readonly #begun = new Map<number, Line>()
  readonly #commits: Commit[] = []
  readonly #early = new Map<number, Commit>()
  /** Acknowledged, and not there when production was back. */
  readonly lost: number[] = []
  #offset = 0
  #rest = ''

  constructor(path: string) {
    this.#path = path
  }

  /** By their numbers, from 1 and without a gap. */
  read(): readonly Commit[] {
    const file = openSync(this.#path, 'r')
    try {
      const buffer = Buffer.alloc(1 << 20)
      for (;;) {
        const count = readSync(file, buffer, 0, buffer.length, this.#offset)
        if (count === 0) break
        this.#offset += count
        const lines = (this.#rest + buffer.toString('utf8', 0, count)).split('\n')
        this.#rest = lines.pop()!
        for (const line of lines) this.#take(JSON.parse(line) as Line)
      }
    } finally {
      closeSync(file)
    }
    return this.#commits
  }

  /** The last number that a client was told; all before it are committed, too. */
  acknowledged(): number {
    const begun = [...this.#begun.values(), ...this.#early.values()]
    return begun.reduce((last, { seq }) => Math.max(last, seq), this.read().length)
  }

  /** Everything committed until then is known. */
  async until(atMs: number): Promise<readonly Commit[]> {
    const known = (): boolean => (this.read().at(-1)?.atMs ?? 0) > atMs
    await waitFor(`the load has gone on past ${atMs}`, known, { timeoutMs: SETTLE_MS })
    return this.#commits.slice(0, this.#countUntil(atMs))
  }

  /** The first `count` commits. */
  async first(count: number): Promise<readonly Commit[]> {
    const known = (): boolean => this.read().length >= count
    await waitFor(`commit ${count} is known`, known, { timeoutMs: SETTLE_MS })
    return this.#commits.slice(0, count)
  }

  #countUntil(atMs: number): number {
    const beyond = this.#commits.findIndex((commit) => commit.atMs > atMs)
    return beyond < 0 ? this.#commits.length : beyond
  }

  #take(line: Line): void {
    if (line.kind === 'lost') {
      this.lost.push(line.seq)
      return
    }
    if (line.kind !== 'at') {
      this.#begun.set(line.seq, line)
      return
    }
    const { seq, atMs } = line
    const { aid, delta, xid, kind } = this.#begun.get(seq)!
    this.#begun.delete(seq)
    const isAcknowledged = kind === 'ack'
    this.#early.set(seq, { seq, aid, delta, xid, isAcknowledged, atMs, lsn: lsn(line.lsn) })
    for (;;) {
      const next = this.#early.get(this.#commits.length + 1)
      if (next === undefined) return
      this.#early.delete(next.seq)
      this.#commits.push(next)
    }
  }
}
