/**
 * Events to webhooks, at least once. Two steps, each safe to be killed in:
 *
 *   fan out   events after the webhook's `lastSeq` → rows of `delivery`, in one transaction
 *   send      due rows are claimed by moving their `nextAt` ahead; what is killed while it sends
 *             is sent again after that time, with the same id
 *
 * One receiver gets its deliveries one after the other, several receivers at once. A receiver
 * that fails is tried again after longer and longer pauses, and delays nobody else.
 */
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import { Rounds } from '@openmaas/kernel/rounds'
import type { ServerKey } from '../auth/server-key.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogEvent, EventFeed } from '../catalog/events.ts'
import { log } from '../http/log.ts'
import { type Post, type Posted, type WebhookMessage, postMessage } from './post.ts'
import {
  countWaiting,
  type DeliveryRow,
  parseTopics,
  WAITING_COUNT_MAX,
  type WebhookRow,
} from './webhook-repository.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
/** Pauses after each failure, about a day in all: a receiver that is repaired next morning. */
export const RETRY_PAUSES_MS = [
  5 * SECOND_MS,
  30 * SECOND_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  HOUR_MS,
  3 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
]
/** Longer than one attempt may take, so that no other server takes it meanwhile. */
const CLAIM_MS = 60 * SECOND_MS
/** Events turned into deliveries in one transaction. */
const FAN_OUT_MAX = 500
/** Of one receiver in one round. */
const SEND_MAX = 100
const DELIVERY_KEPT_MS = 30 * 24 * HOUR_MS
/** Many a second, and of use to nobody a moment later. */
const LEFT_OUT = new Set(['job.progress'])
const TICK_MS = 1000

export interface DispatcherOptions {
  readonly catalog: Catalog
  readonly events: EventFeed
  readonly clock: Clock
  readonly random: Random
  readonly serverKey: ServerKey
  readonly post: Post
  /** CloudEvents `source`: address of this installation. */
  readonly source: () => string
}

export class WebhookDispatcher {
  readonly #options: DispatcherOptions
  readonly #rounds = new Rounds({
    everyMs: TICK_MS,
    round: () => this.#tick(),
    // The next second tries again: nothing was lost, it is all in the catalog.
    onError: (error) => log.warn('webhooks could not be served', { error }),
  })
  #pruneAtMs = 0
  #stopping = new AbortController()

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  start(): void {
    this.#rounds.start()
  }

  /** Attempts under way are given up; they are made again by whoever starts next. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#rounds.stop()
  }

  /** One round: what is new becomes deliveries, what is due is sent. */
  tick(): Promise<void> {
    return this.#rounds.now()
  }

  /** Removes deliveries that ended a month ago. */
  async prune(): Promise<void> {
    const before = this.#options.clock.wallMs() - DELIVERY_KEPT_MS
    await this.#options.catalog.db.deleteFrom('delivery').where('endedAt', '<', before).execute()
  }

  async #tick(): Promise<void> {
    const { db } = this.#options.catalog
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs >= this.#pruneAtMs) {
      this.#pruneAtMs = nowMs + HOUR_MS
      await this.prune()
    }
    const hooks = await db.selectFrom('webhook').selectAll().where('enabled', '=', 1).execute()
    for (const hook of hooks) await this.#fanOut(hook)
    await Promise.all(hooks.map((hook) => this.#sendDue(hook)))
  }

  async #fanOut(hook: WebhookRow): Promise<void> {
    const { catalog, events, clock, random } = this.#options
    const topics = parseTopics(hook)
    const found = await events.since(hook.lastSeq, { topics, limit: FAN_OUT_MAX })
    const last = found.at(-1)
    if (last === undefined) return
    if ((await countWaiting(catalog.db, hook.id)) >= WAITING_COUNT_MAX) return
    const now = clock.wallMs()
    const rows = found
      .filter((event) => !LEFT_OUT.has(event.type))
      .map((event) => ({
        id: makeControlId('delivery', clock, random),
        webhookId: hook.id,
        eventSeq: event.seq,
        state: 'waiting' as const,
        attempts: 0,
        nextAt: now,
        status: null,
        error: null,
        createdAt: now,
        endedAt: null,
      }))
    await catalog.transaction(async (trx) => {
      // Of two servers at once, one finds that the other has been here.
      const moved = await trx
        .updateTable('webhook')
        .set({ lastSeq: last.seq })
        .where('id', '=', hook.id)
        .where('lastSeq', '=', hook.lastSeq)
        .executeTakeFirst()
      if (moved.numUpdatedRows === 0n || rows.length === 0) return
      await trx.insertInto('delivery').values(rows).execute()
    })
  }

  async #sendDue(hook: WebhookRow): Promise<void> {
    for (let sent = 0; sent < SEND_MAX && !this.#stopping.signal.aborted; sent += 1) {
      const delivery = await this.#claimNext(hook.id)
      if (delivery === undefined) return
      const posted = await this.#send(hook, delivery)
      // Given up because the server stops: not the receiver's fault.
      if (this.#stopping.signal.aborted && posted.status === null) return
      await this.#record(delivery, posted)
      if (!posted.delivered) return
    }
  }

  async #claimNext(webhookId: string): Promise<DeliveryRow | undefined> {
    const { catalog, clock } = this.#options
    return catalog.transaction(async (trx) => {
      const now = clock.wallMs()
      const row = await trx
        .selectFrom('delivery')
        .selectAll()
        .where('webhookId', '=', webhookId)
        .where('state', '=', 'waiting')
        .where('nextAt', '<=', now)
        .orderBy('nextAt')
        .orderBy('eventSeq')
        .limit(1)
        .executeTakeFirst()
      if (row === undefined) return undefined
      const claimed = { nextAt: now + CLAIM_MS }
      await trx.updateTable('delivery').set(claimed).where('id', '=', row.id).execute()
      return row
    })
  }

  async #send(hook: WebhookRow, delivery: DeliveryRow): Promise<Posted> {
    const { events, serverKey, post, clock, source } = this.#options
    const [event] = await events.since(delivery.eventSeq - 1, { limit: 1 })
    if (event?.seq !== delivery.eventSeq) {
      return { delivered: false, status: null, error: 'the event is kept no longer', final: true }
    }
    const secret = serverKey.open('webhook', hook.id, hook.secretSealed)
    const message = messageOf(event, delivery.id, source())
    return postMessage(post, {
      url: hook.url,
      secret,
      message,
      nowMs: clock.wallMs(),
      signal: this.#stopping.signal,
    })
  }

  async #record(delivery: DeliveryRow, posted: Posted): Promise<void> {
    const { catalog, clock } = this.#options
    const now = clock.wallMs()
    const attempts = delivery.attempts + 1
    const pause = RETRY_PAUSES_MS[delivery.attempts]
    const isOver = posted.delivered || posted.final === true || pause === undefined
    const state = posted.delivered ? 'delivered' : isOver ? 'failed' : 'waiting'
    await catalog.db
      .updateTable('delivery')
      .set({
        state,
        attempts,
        status: posted.status,
        error: posted.error,
        nextAt: isOver ? now : now + pause,
        endedAt: isOver ? now : null,
      })
      .where('id', '=', delivery.id)
      .execute()
  }
}

export function messageOf(event: CatalogEvent, id: string, source: string): WebhookMessage {
  const { seq, at, topic, type, subject, labels, data } = event
  return {
    id,
    event: {
      specversion: '1.0',
      id: String(seq),
      source,
      type: `openmaas.${type}`,
      subject,
      time: new Date(at).toISOString(),
      datacontenttype: 'application/json',
      data: { ...data, topic, labels },
    },
  }
}
