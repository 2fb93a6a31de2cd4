/**
 * Requests that were refused, in the audit log: gathered and written by batches, since somebody
 * who knocks at every door must not make the catalog write as often as he knocks.
 */
import type { Clock } from '@openmaas/kernel/clock'
import type { Catalog } from '../catalog/catalog.ts'
import type { Refusal } from '../http/server-options.ts'
import { appendAudit } from './audit-log.ts'
import { log } from './log.ts'

/** Of one batch; of more, the count is kept. */
const BATCH_COUNT_MAX = 100
const BATCH_EVERY_MS = 1000

export class RefusalRecorder {
  readonly #catalog: Catalog
  readonly #clock: Clock
  #waiting: Refusal[] = []
  #dropped = 0
  #timer: NodeJS.Timeout | undefined

  constructor(catalog: Catalog, clock: Clock) {
    this.#catalog = catalog
    this.#clock = clock
  }

  /** Never throws and never waits. */
  record(refused: Refusal): void {
    if (this.#waiting.length >= BATCH_COUNT_MAX) this.#dropped += 1
    else this.#waiting.push(refused)
    this.#timer ??= setTimeout(() => void this.flush(), BATCH_EVERY_MS).unref()
  }

  /** At the end of the server, too. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const rows = this.#waiting
    const dropped = this.#dropped
    this.#waiting = []
    this.#dropped = 0
    if (rows.length === 0) return
    try {
      await this.#catalog.transaction(async (trx) => {
        for (const { path, code, ...entry } of rows) {
          const row = { ...entry, object: path, outcome: 'refused', reason: code } as const
          await appendAudit(trx, row, this.#clock)
        }
        if (dropped === 0) return
        const entry = { actor: 'system', address: '', requestId: '', object: 'server' } as const
        const after = { count: dropped }
        const row = { ...entry, action: 'refusals.more', outcome: 'refused', after } as const
        await appendAudit(trx, row, this.#clock)
      })
    } catch (error) {
      log.error('refusals lost', { count: rows.length + dropped, error })
    }
  }
}
