/** What the load wrote down: every commit by its number, with its time and place in the log. */
import { closeSync, openSync, readSync } from 'node:fs'
import { waitFor } from '@openmaas/testkit/wait-for'

export interface Commit {
  readonly seq: number
  readonly aid: number
  readonly delta: number
  /** Its id; null when nobody knows it, since the connection broke that made it. */
  readonly transaction: string | null
  /** The client was told before its connection broke, if it did. */
  readonly isAcknowledged: boolean
  /** Whatever time production's log has for it lies in between. */
  readonly beginMs: number
  readonly endMs: number
  /** The log that ends there has it. */
  readonly place: bigint
}

interface Line {
  readonly kind: 'ack' | 'found' | 'at' | 'lost'
  readonly seq: number
  readonly aid: number
  readonly delta: number
  readonly transaction: string | null
  readonly beginMs: number
  readonly endMs: number
  readonly place: string
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

  /**
   * How many commits a database as of that time has at least and at most. Waits until everything
   * committed until then is known.
   */
  async countsAt(atMs: number): Promise<{ readonly least: number; readonly most: number }> {
    const known = (): boolean => (this.read().at(-1)?.beginMs ?? 0) > atMs
    await waitFor(`the load has gone on past ${atMs}`, known, { timeoutMs: SETTLE_MS })
    return {
      least: this.#commits.findLastIndex(({ endMs }) => endMs <= atMs) + 1,
      most: this.#commits.findLastIndex(({ beginMs }) => beginMs <= atMs) + 1,
    }
  }

  /** How many commits a log that ends there has at least. */
  countUntil(place: bigint): number {
    return this.read().findLastIndex((commit) => commit.place <= place) + 1
  }

  /** The first `count` commits. */
  async first(count: number): Promise<readonly Commit[]> {
    const known = (): boolean => this.read().length >= count
    await waitFor(`commit ${count} is known`, known, { timeoutMs: SETTLE_MS })
    return this.#commits.slice(0, count)
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
    const { seq, transaction, beginMs, endMs } = line
    const { aid, delta, kind } = this.#begun.get(seq)!
    this.#begun.delete(seq)
    const isAcknowledged = kind === 'ack'
    const times = { beginMs, endMs }
    const place = BigInt(line.place)
    this.#early.set(seq, { seq, aid, delta, transaction, isAcknowledged, ...times, place })
    for (;;) {
      const next = this.#early.get(this.#commits.length + 1)
      if (next === undefined) return
      this.#early.delete(next.seq)
      this.#boundBefore(next)
      this.#commits.push(next)
    }
  }

  /** One that was only found later was committed, at the latest, when the next one began. */
  #boundBefore({ beginMs }: Commit): void {
    const before = this.#commits.at(-1)
    if (before === undefined || before.transaction !== null) return
    const endMs = Math.max(before.beginMs, Math.min(before.endMs, beginMs))
    this.#commits[this.#commits.length - 1] = { ...before, endMs }
  }
}
