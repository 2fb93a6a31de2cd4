/**
 * Server-sent events out of the catalog's outbox. Each stream reads at its own pace: it asks for
 * the events after the last one it has sent, a page at a time, and waits while the socket is
 * full. So there is no queue that could overflow, and whoever is slow delays nobody.
 *
 *   event: ready ⏎ id: <newest> …            at the beginning: from here on nothing is missed
 *   event: reset                             events after Last-Event-ID are gone: load anew
 *   id: 42 ⏎ event: job.ended ⏎ data: {…}
 *   : alive                                  every 15 s, so that proxies keep the connection
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { EVENT_TOPICS } from '@openmaas/api/resources/event'
import type { EventTopic } from '@openmaas/api/resources/event'
import { type Permission, type Principal, may } from '@openmaas/api/permissions'
import { MaasError } from '@openmaas/kernel/errors'
import type { CatalogEvent, EventFeed } from '../catalog/events.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { log } from './log.ts'

/** Each is a socket and, while it catches up, a page of events. */
export const STREAM_COUNT_MAX = 1000
/** A person with many tabs; browsers of HTTP/1.1 stop at six themselves. */
export const STREAM_COUNT_PER_PRINCIPAL_MAX = 20
const HEARTBEAT_MS = 15_000
/** How long somebody who was locked out still sees events. */
const AUTHENTICATE_AGAIN_MS = 30_000
/** What a browser waits before it connects again. */
const RETRY_MS = 2000

const TOPIC_PERMISSIONS: Readonly<Record<EventTopic, Permission>> = {
  jobs: 'job.read',
  points: 'point.read',
  sources: 'source.read',
  hosts: 'host.read',
  pools: 'pool.read',
  media: 'medium.read',
  'virtual-databases': 'virtual-database.read',
  alerts: 'alert.read',
  audit: 'audit.read',
  policies: 'policy.read',
}

export interface StreamRequest {
  readonly principal: Principal
  readonly topics: readonly EventTopic[] | undefined
  /** Go on after that event; undefined: from now on. */
  readonly after: number | undefined
  /** Asked now and then: undefined ends the stream. */
  readonly authenticate: () => Promise<Principal | undefined>
}

export class EventStreams implements Disposable {
  readonly #catalog: Catalog
  readonly #feed: EventFeed
  readonly #open = new Map<ServerResponse, string>()

  constructor(catalog: Catalog, feed: EventFeed) {
    this.#catalog = catalog
    this.#feed = feed
  }

  get count(): number {
    return this.#open.size
  }

  /** @throws MaasError REQUEST_RATE_EXCEEDED, before anything is written */
  checkRoom(actor: string): void {
    const own = [...this.#open.values()].filter((one) => one === actor).length
    if (this.#open.size < STREAM_COUNT_MAX && own < STREAM_COUNT_PER_PRINCIPAL_MAX) return
    throw new MaasError('REQUEST_RATE_EXCEEDED', 'too many event streams are open', {
      retryAfterSeconds: RETRY_MS / 1000,
    })
  }

  /** Sends until the client goes or may no longer. The head is written by then. */
  async run(response: ServerResponse, request: StreamRequest): Promise<void> {
    const stream = new Stream(this.#catalog, this.#feed, response, request)
    this.#open.set(response, request.principal.actor)
    try {
      await stream.run()
    } catch (error) {
      log.warn('event stream failed', { error })
    } finally {
      this.#open.delete(response)
      response.end()
    }
  }

  [Symbol.dispose](): void {
    for (const response of this.#open.keys()) response.destroy()
  }
}

class Stream {
  readonly #catalog: Catalog
  readonly #feed: EventFeed
  readonly #response: ServerResponse
  readonly #request: StreamRequest
  #principal: Principal
  #sent = 0
  /** Resolved when there may be something new. */
  #news = Promise.withResolvers<void>()

  constructor(catalog: Catalog, feed: EventFeed, response: ServerResponse, request: StreamRequest) {
    this.#catalog = catalog
    this.#feed = feed
    this.#response = response
    this.#request = request
    this.#principal = request.principal
  }

  async run(): Promise<void> {
    const wake = (): void => this.#news.resolve()
    const leave = await this.#feed.subscribe(wake)
    const heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS)
    const check = setInterval(() => void this.#authenticateAgain(), AUTHENTICATE_AGAIN_MS)
    this.#response.on('close', wake)
    try {
      await this.#begin()
      while (!this.#isClosed()) {
        this.#news = Promise.withResolvers()
        await this.#sendNew()
        if (this.#isClosed()) break
        await this.#news.promise
      }
    } finally {
      clearInterval(heartbeat)
      clearInterval(check)
      leave()
    }
  }

  #isClosed(): boolean {
    return this.#response.destroyed || this.#response.writableEnded
  }

  async #begin(): Promise<void> {
    const { after } = this.#request
    const newest = await this.#feed.newest()
    // A number from another catalog, as after a rebuild, is ahead of everything.
    const lost = after !== undefined && (after > newest || (await this.#isGone(after)))
    this.#sent = after === undefined || lost ? newest : after
    await this.#write(`retry: ${RETRY_MS}\nid: ${this.#sent}\nevent: ready\ndata: {}\n\n`)
    if (lost) await this.#write(`id: ${this.#sent}\nevent: reset\ndata: {}\n\n`)
  }

  /** Events between that one and the oldest that is kept were removed. */
  async #isGone(after: number): Promise<boolean> {
    const row = await this.#catalog.db
      .selectFrom('event')
      .select((e) => e.fn.min('seq').as('seq'))
      .executeTakeFirst()
    return row?.seq === null || row?.seq === undefined ? after > 0 : after < row.seq - 1
  }

  async #sendNew(): Promise<void> {
    const topics = this.#request.topics ?? EVENT_TOPICS
    for (;;) {
      const events = await this.#feed.since(this.#sent, { topics })
      if (events.length === 0) return
      for (const event of events) {
        if (this.#isClosed()) return
        this.#sent = event.seq
        if (maySee(this.#principal, event)) await this.#write(encode(event))
      }
    }
  }

  async #write(text: string): Promise<void> {
    if (this.#isClosed() || this.#response.write(text)) return
    const gone = new AbortController()
    const leave = (): void => gone.abort()
    this.#response.once('close', leave)
    try {
      await once(this.#response, 'drain', { signal: gone.signal })
    } catch (error) {
      if (!gone.signal.aborted) throw error
    } finally {
      this.#response.off('close', leave)
    }
  }

  #beat(): void {
    // Not to one that takes nothing: its buffer would only grow.
    if (!this.#isClosed() && !this.#response.writableNeedDrain) this.#response.write(': alive\n\n')
  }

  async #authenticateAgain(): Promise<void> {
    try {
      const principal = await this.#request.authenticate()
      if (principal !== undefined && may(principal, 'event.read')) {
        this.#principal = principal
        return
      }
    } catch (error) {
      log.warn('an event stream could not be authenticated again', { error })
    }
    this.#response.end()
    this.#news.resolve()
  }
}

/** By topic, scope, and for those who see only their own: by who made it. */
export function maySee(principal: Principal, event: CatalogEvent): boolean {
  const { actor, createdBy } = event.data
  const owner = typeof createdBy === 'string' ? createdBy : actor
  return may(
    principal,
    TOPIC_PERMISSIONS[event.topic],
    event.labels,
    typeof owner === 'string' ? owner : undefined,
  )
}

function encode(event: CatalogEvent): string {
  const { seq, type, at, topic, subject, labels, data } = event
  const shown = { seq, at: new Date(at).toISOString(), topic, type, subject, labels, data }
  return `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify(shown)}\n\n`
}
