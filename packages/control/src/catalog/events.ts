/**
 * What happened, in order: an outbox. The event is written in the transaction of the change it
 * tells of, so neither is ever without the other; SSE, webhooks and alerts read from here.
 * Sequence numbers ascend in commit order (catalog.ts), so a reader misses none.
 */
import type { Kysely, Selectable } from 'kysely'
import type { EventTopic } from '@openmaas/api/resources/event'
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import type { Catalog } from './catalog.ts'
import type { CatalogTables } from './schema.ts'

export interface NewEvent {
  readonly topic: EventTopic
  /** `job.progress`, `point.created`. */
  readonly type: string
  /** Id of what it is about. */
  readonly subject: string
  /** Labels of the subject: whoever may not see those does not get the event. */
  readonly labels: Readonly<Record<string, string>>
  readonly data: Readonly<Record<string, unknown>>
}

export interface CatalogEvent extends NewEvent {
  readonly seq: number
  readonly at: number
}

/** Events in one answer of `since`; whoever lags asks again. */
export const EVENT_PAGE_MAX = 500
/** Other control servers on the same PostgreSQL commit without our knowing. */
const POLL_MS = 1000

/** @param db a transaction: the one of the change */
export async function appendEvent(
  db: Kysely<CatalogTables>,
  event: NewEvent,
  clock: Clock,
): Promise<void> {
  assert(db.isTransaction, 'an event is written in the transaction of its change')
  await db
    .insertInto('event')
    .values({
      at: clock.wallMs(),
      topic: event.topic,
      type: event.type,
      subject: event.subject,
      labelsJson: JSON.stringify(event.labels),
      dataJson: JSON.stringify(event.data),
    })
    .execute()
}

/** Events older than this many milliseconds go; who resumes from before them starts anew. */
export async function pruneEvents(
  db: Kysely<CatalogTables>,
  olderThan: number,
  clock: Clock,
): Promise<void> {
  const before = clock.wallMs() - olderThan
  await db.deleteFrom('event').where('at', '<', before).execute()
}

function parseEvent(row: Selectable<CatalogTables['event']>): CatalogEvent {
  return {
    seq: row.seq,
    at: row.at,
    topic: row.topic as EventTopic,
    type: row.type,
    subject: row.subject,
    labels: JSON.parse(row.labelsJson) as Record<string, string>,
    data: JSON.parse(row.dataJson) as Record<string, unknown>,
  }
}

export interface SinceOptions {
  readonly topics?: readonly EventTopic[]
  readonly limit?: number
}

export type EventListener = (events: readonly CatalogEvent[]) => void

/** Reads the outbox, and tells listeners about what is new. */
export class EventFeed implements AsyncDisposable {
  readonly #catalog: Catalog
  readonly #onError: (error: unknown) => void
  readonly #listeners = new Set<EventListener>()
  /** The newest event that the listeners know of; unknown while there are none. */
  #seen: number | undefined
  #reading: Promise<void> | undefined
  #again = false
  #stop: (() => void) | undefined

  /** @param options.onError the catalog could not be read; the feed tries again by itself */
  constructor(catalog: Catalog, options: { readonly onError: (error: unknown) => void }) {
    this.#catalog = catalog
    this.#onError = options.onError
  }

  /** Events after that number, oldest first. */
  async since(seq: number, options: SinceOptions = {}): Promise<CatalogEvent[]> {
    let query = this.#catalog.db.selectFrom('event').selectAll().where('seq', '>', seq)
    if (options.topics !== undefined) query = query.where('topic', 'in', options.topics)
    const limit = Math.min(options.limit ?? EVENT_PAGE_MAX, EVENT_PAGE_MAX)
    const rows = await query.orderBy('seq').limit(limit).execute()
    return rows.map((row) => parseEvent(row))
  }

  /** Number of the newest event, 0 when there is none. */
  async newest(): Promise<number> {
    const row = await this.#catalog.db
      .selectFrom('event')
      .select((e) => e.fn.max('seq').as('seq'))
      .executeTakeFirst()
    return row?.seq ?? 0
  }

  /**
   * Tells the listener about every event from now on, in order, in batches.
   *
   * @returns the way out, when the first event to come is sure to be told
   */
  async subscribe(listener: EventListener): Promise<() => void> {
    if (this.#stop === undefined) this.#start()
    this.#seen ??= await this.newest()
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#end()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
    this.#end()
    await this.#reading
  }

  #start(): void {
    const release = this.#catalog.onCommit(() => this.#wake())
    const timer = setInterval(() => this.#wake(), POLL_MS)
    timer.unref()
    this.#stop = () => {
      release()
      clearInterval(timer)
    }
  }

  #end(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#seen = undefined
  }

  #wake(): void {
    this.#again = true
    this.#reading ??= this.#readAll()
      .catch((error: unknown) => this.#onError(error))
      .finally(() => {
        this.#reading = undefined
      })
  }

  async #readAll(): Promise<void> {
    while (this.#again && this.#seen !== undefined) {
      this.#again = false
      const events = await this.since(this.#seen)
      const last = events.at(-1)
      if (last === undefined || this.#seen === undefined) continue
      this.#seen = Math.max(this.#seen, last.seq)
      this.#again ||= events.length === EVENT_PAGE_MAX
      for (const listener of this.#listeners) listener(events)
    }
  }
}
