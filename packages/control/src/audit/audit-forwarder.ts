/**
 * Forwards every row to a syslog server, in order, from where it stood before a restart. While
 * the server is away the rows wait in the catalog; the wait doubles up to five minutes.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { Rounds } from '@openmaas/kernel/rounds'
import type { Catalog } from '../catalog/catalog.ts'
import type { SettingsStore } from '../auth/settings-store.ts'
import { auditSyslog } from './audit-export.ts'
import { log } from './log.ts'
import { SyslogSender } from './syslog-sender.ts'
import type { SyslogTarget } from './syslog-sender.ts'

const KEY = 'audit.syslog.seq'
const BATCH_ROW_COUNT = 100
const POLL_MS = 5000
const WAIT_MAX_MS = 5 * 60_000

export class AuditForwarder {
  readonly #catalog: Catalog
  readonly #clock: Clock
  readonly #settings: SettingsStore
  #sender: SyslogSender | undefined
  #targetText = ''
  readonly #rounds = new Rounds({
    everyMs: POLL_MS,
    round: () => this.tick(),
    onError: (error) => log.error('syslog failed', { error }),
  })
  #failures = 0
  #notBeforeMs = 0

  constructor(catalog: Catalog, clock: Clock, settings: SettingsStore) {
    this.#catalog = catalog
    this.#clock = clock
    this.#settings = settings
  }

  start(): void {
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
    await this.#sender?.[Symbol.asyncDispose]()
    this.#sender = undefined
  }

  /** Sends what is new. Never throws: what failed is tried again. */
  async tick(): Promise<void> {
    if (this.#clock.monotonicMs() < this.#notBeforeMs) return
    try {
      const { auditSyslog: target } = await this.#settings.load()
      await this.#aim(target)
      if (this.#sender !== undefined) await this.#forward(this.#sender)
      this.#failures = 0
    } catch (error) {
      this.#failures += 1
      const waitMs = Math.min(POLL_MS * 2 ** this.#failures, WAIT_MAX_MS)
      this.#notBeforeMs = this.#clock.monotonicMs() + waitMs
      log.error('syslog failed', { failures: this.#failures, waitMs, error })
    }
  }

  async #aim(target: SyslogTarget | null): Promise<void> {
    const text = JSON.stringify(target)
    if (text === this.#targetText) return
    await this.#sender?.[Symbol.asyncDispose]()
    this.#sender = target === null ? undefined : new SyslogSender(target)
    this.#targetText = text
  }

  async #forward(sender: SyslogSender): Promise<void> {
    let seq = await this.#loadSeq()
    for (;;) {
      const rows = await this.#catalog.db
        .selectFrom('audit')
        .selectAll()
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(BATCH_ROW_COUNT)
        .execute()
      if (rows.length === 0) return
      await sender.send(rows.map((row) => auditSyslog(row)))
      seq = rows.at(-1)!.seq
      await this.#saveSeq(seq)
    }
  }

  async #loadSeq(): Promise<number> {
    const row = await this.#catalog.db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', KEY)
      .executeTakeFirst()
    return Number(row?.value ?? 0)
  }

  async #saveSeq(seq: number): Promise<void> {
    const value = String(seq)
    await this.#catalog.db
      .insertInto('meta')
      .values({ key: KEY, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute()
  }
}
