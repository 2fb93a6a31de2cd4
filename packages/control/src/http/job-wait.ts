/** Holding an answer until a job has ended: `?wait=30s`. One subscription for all who wait. */
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogEvent, EventFeed } from '../catalog/events.ts'

/** Answers that are held at once; more than the connections that any proxy keeps for us. */
export const WAITING_MAX = 2000

export class JobWaiter implements Disposable {
  readonly #catalog: Catalog
  readonly #events: EventFeed
  readonly #waiting = new Map<string, Set<() => void>>()
  #subscription: Promise<() => void> | undefined
  #count = 0

  constructor(catalog: Catalog, events: EventFeed) {
    this.#catalog = catalog
    this.#events = events
  }

  /** Returns when the job has ended, the time is over, or the client gone; never fails. */
  async wait(jobId: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#count >= WAITING_MAX || signal.aborted) return
    this.#count += 1
    try {
      this.#subscription ??= this.#events.subscribe((events) => this.#receive(events))
      await this.#subscription
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiters = this.#waiting.get(jobId) ?? new Set()
      this.#waiting.set(jobId, waiters.add(resolve))
      const timer = setTimeout(resolve, timeoutMs)
      signal.addEventListener('abort', () => resolve(), { once: true })
      // Asked after the subscription, so that an end in between is not missed.
      if (!(await this.#hasEnded(jobId))) await promise
      clearTimeout(timer)
      waiters.delete(resolve)
      if (waiters.size === 0) this.#waiting.delete(jobId)
    } finally {
      this.#count -= 1
    }
  }

  [Symbol.dispose](): void {
    for (const waiters of this.#waiting.values()) for (const resolve of waiters) resolve()
    this.#waiting.clear()
    void this.#subscription?.then((end) => end())
    this.#subscription = undefined
  }

  #receive(events: readonly CatalogEvent[]): void {
    for (const { type, subject } of events) {
      if (type !== 'job.ended') continue
      for (const resolve of this.#waiting.get(subject) ?? []) resolve()
    }
  }

  async #hasEnded(jobId: string): Promise<boolean> {
    const row = await this.#catalog.db
      .selectFrom('job')
      .select('endedAt')
      .where('id', '=', jobId)
      .executeTakeFirst()
    return row === undefined || row.endedAt !== null
  }
}
