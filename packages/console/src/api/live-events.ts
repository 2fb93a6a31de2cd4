/**
 * One event stream for the whole console. Events renew the queries that they are about; progress
 * of a job goes straight into what is shown of it.
 *
 *   connecting ──▶ live ──▶ lost ──▶ (10 s) the bar "stale, reconnecting" ──▶ live, all renewed
 */
import type { QueryClient } from '@tanstack/react-query'
import { ApiClient } from '@openmaas/api/client'
import { streamEvents } from '@openmaas/api/client-streams'
import type { Event } from '@openmaas/api/resources/event'
import type { Job, JobProgress } from '@openmaas/api/resources/job'
import { meQuery } from './session.ts'

export type Connection = 'connecting' | 'live' | 'lost'

/** The server says ": alive" every 15 s; a line that is silent for three of them is dead. */
const SILENCE_MAX_MS = 45_000
/** A capture of many sources tells much; nobody reads faster than this. */
const RENEW_EVERY_MS = 1_000
const PAUSE_MS = 1_000

/** Topic of an event → tags of routes (the first part of a query's key) that it makes stale. */
const TAGS_OF_TOPIC: Readonly<Record<string, readonly string[]>> = {
  // Bookmarks, and the groups' last runs, are told of by their jobs alone.
  jobs: ['jobs', 'virtual-databases', 'groups', 'system'],
  points: ['points', 'databases', 'groups', 'sources', 'policies', 'system'],
  sources: ['sources', 'policies', 'system'],
  hosts: ['hosts', 'sources', 'policies', 'system'],
  pools: ['pools', 'system'],
  media: ['media', 'system'],
  'virtual-databases': ['virtual-databases', 'system'],
  alerts: ['alerts', 'system'],
  audit: ['audit', 'users'],
  policies: ['policies', 'sources', 'system'],
}

export class LiveEvents implements Disposable {
  readonly #queryClient: QueryClient
  readonly #ended = new AbortController()
  readonly #listeners = new Set<() => void>()
  readonly #stale = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #connection: Connection = 'connecting'
  #last: number | undefined

  constructor(queryClient: QueryClient) {
    this.#queryClient = queryClient
    void this.#run()
  }

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  readonly read = (): Connection => this.#connection

  async #run(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        await this.#listen()
      } catch {
        // Refused: the session has ended, or this role has no events. Asking who we are tells.
        await this.#queryClient.invalidateQueries({ queryKey: meQuery.queryKey })
      }
      if (!signal.aborted) this.#set('lost')
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  [Symbol.dispose](): void {
    this.#ended.abort()
    clearTimeout(this.#timer)
  }

  /** Until the line is silent for too long, or the server refuses. */
  async #listen(): Promise<void> {
    const silence = new AbortController()
    const signal = AbortSignal.any([this.#ended.signal, silence.signal])
    let watch: ReturnType<typeof setTimeout> | undefined
    const heard = (): void => {
      clearTimeout(watch)
      watch = setTimeout(() => silence.abort(), SILENCE_MAX_MS)
    }
    const client = new ApiClient({ baseUrl: '', fetch: (...request) => this.#open(request, heard) })
    const after = this.#last === undefined ? {} : { after: this.#last }
    try {
      heard()
      for await (const message of streamEvents(client, { signal, ...after })) {
        if (message.kind === 'event') this.#take(message.event)
        else if (message.kind === 'reset') void this.#queryClient.invalidateQueries()
        else this.#set('lost')
      }
    } finally {
      clearTimeout(watch)
    }
  }

  /** A connection that was made, and each piece that comes, are signs of life. */
  async #open(request: Parameters<typeof fetch>, heard: () => void): Promise<Response> {
    const response = await fetch(...request)
    if (!response.ok || response.body === null) return response
    const wasLost = this.#connection === 'lost'
    this.#set('live')
    // Events that were missed come now; what has no event is asked for.
    if (wasLost) void this.#queryClient.invalidateQueries()
    const listen = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        heard()
        controller.enqueue(chunk)
      },
    })
    const { status, headers } = response
    return new Response(response.body.pipeThrough(listen), { status, headers })
  }

  #set(connection: Connection): void {
    if (this.#connection === connection) return
    this.#connection = connection
    for (const listener of this.#listeners) listener()
  }

  #take(event: Event): void {
    this.#last = event.seq
    if (event.type === 'job.progress') {
      this.#showProgress(event.subject, event.data['progress'] as JobProgress)
      return
    }
    for (const tag of TAGS_OF_TOPIC[event.topic] ?? []) this.#stale.add(tag)
    this.#timer ??= setTimeout(() => this.#renew(), RENEW_EVERY_MS)
  }

  #renew(): void {
    this.#timer = undefined
    const tags = [...this.#stale]
    this.#stale.clear()
    for (const tag of tags) void this.#queryClient.invalidateQueries({ queryKey: [tag] })
  }

  /** In lists and on the page of the job; progress changes no state, so nothing else is stale. */
  #showProgress(jobId: string, progress: JobProgress): void {
    const patch = <J extends Job>(job: J): J => (job.id === jobId ? { ...job, progress } : job)
    this.#queryClient.setQueriesData<Job>({ queryKey: ['jobs', 'getJob'] }, (job) => {
      return job === undefined ? undefined : patch(job)
    })
    this.#queryClient.setQueriesData<{ items: Job[] }>({ queryKey: ['jobs', 'listJobs'] }, (page) =>
      page === undefined ? undefined : { ...page, items: page.items.map(patch) },
    )
  }
}
