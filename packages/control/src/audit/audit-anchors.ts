/**
 * Anchors: the head of the chain, written down outside of the table, so that rows missing at the
 * end and chains computed anew are found (docs/internals/audit.md). One JSON line each in
 * `audit.anchors` in the data directory, synced, and an event.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { Rounds } from '@openmaas/kernel/rounds'
import { appendEvent } from '../catalog/events.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { appendAudit, loadAuditHead } from './audit-log.ts'
import type { AuditAnchor } from './audit-verify.ts'
import { log } from './log.ts'

const ANCHOR_EVERY_MS = 60_000
/** NTP slews by less in a minute; a step of more is told. */
const CLOCK_JUMP_MS = 5000
/** Two years of a line a minute; then every second one goes, the oldest and newest stay. */
const ANCHOR_COUNT_MAX = 1_000_000

const anchorLine = z.object({ seq: z.number(), hash: z.string(), at: z.number() })

export class AuditAnchors {
  readonly #catalog: Catalog
  readonly #clock: Clock
  readonly #path: string
  #lastSeq = 0
  #lines = 0
  #clocks: { readonly wallMs: number; readonly monotonicMs: number } | undefined
  readonly #rounds = new Rounds({
    everyMs: ANCHOR_EVERY_MS,
    round: () => this.#writeNew(),
    onError: (error) => log.error('anchor failed', { error }),
  })

  /** @param path `<data>/audit.anchors` */
  constructor(catalog: Catalog, clock: Clock, path: string) {
    this.#catalog = catalog
    this.#clock = clock
    this.#path = path
    const known = this.read()
    this.#lines = known.length
    this.#lastSeq = known.at(-1)?.seq ?? 0
  }

  /** What was written down; a line that a crash cut off is none. */
  read(): AuditAnchor[] {
    if (!existsSync(this.#path)) return []
    return readFileSync(this.#path, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const parsed = anchorLine.safeParse(parseJson(line))
        return parsed.success ? [parsed.data] : []
      })
  }

  start(): void {
    this.#rounds.start()
  }

  /** Writes the last one. */
  async stop(): Promise<void> {
    await this.#rounds.stop()
    try {
      await this.tick()
    } catch (error) {
      log.error('anchor failed', { error })
    }
  }

  /** @throws what the catalog or the disk throws */
  tick(): Promise<void> {
    return this.#rounds.now()
  }

  async #writeNew(): Promise<void> {
    await this.#watchClock()
    const head = await loadAuditHead(this.#catalog.db)
    if (head === null || head.seq === this.#lastSeq) return
    const at = this.#clock.wallMs()
    // The line break in front ends a line that a crash cut off.
    this.#append(`\n${JSON.stringify({ seq: head.seq, hash: head.hash, at })}\n`)
    this.#lastSeq = head.seq
    const data = { seq: head.seq, hash: head.hash }
    const event = { topic: 'audit', type: 'audit.anchored', subject: 'audit', labels: {}, data }
    await this.#catalog.transaction((trx) =>
      appendEvent(trx, { ...event, topic: 'audit' }, this.#clock),
    )
  }

  /** Somebody set the clock: times of rows before and after do not compare. */
  async #watchClock(): Promise<void> {
    const now = { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() }
    const before = this.#clocks
    this.#clocks = now
    if (before === undefined) return
    const jumpMs = now.wallMs - before.wallMs - (now.monotonicMs - before.monotonicMs)
    if (Math.abs(jumpMs) <= CLOCK_JUMP_MS) return
    await this.#catalog.transaction(async (trx) => {
      const entry = {
        actor: 'system',
        address: '',
        action: 'clock.jump',
        object: 'server',
        outcome: 'failed',
        requestId: '',
        after: { jumpMs: Math.round(jumpMs) },
        reason: 'the clock of the server was set: order by number, not by time',
      } as const
      await appendAudit(trx, entry, this.#clock)
    })
  }

  #append(line: string): void {
    if (this.#lines >= ANCHOR_COUNT_MAX) this.#thin()
    writeSynced(this.#path, 'a', line)
    this.#lines += 1
  }

  #thin(): void {
    const kept = this.read().filter((_, index) => index % 2 === 0)
    const draft = `${this.#path}.new`
    writeSynced(draft, 'w', kept.map((anchor) => `\n${JSON.stringify(anchor)}\n`).join(''))
    renameSync(draft, this.#path)
    this.#lines = kept.length
  }
}

function writeSynced(path: string, flags: 'a' | 'w', text: string): void {
  const file = openSync(path, flags, 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
