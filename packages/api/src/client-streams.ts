/** What comes in many pieces: lists over all pages, and events with resume. */
import { MaasError } from '@openmaas/kernel/errors'
import { ApiError } from './client.ts'
import type { ApiClient, CallArguments, LooseOptions } from './client.ts'
import { event as eventSchema } from './resources/event.ts'
import type { Event, EventTopic } from './resources/event.ts'
import type { AnswerOf, RouteName } from './routes/routes.ts'
import { SseReader } from './sse.ts'

/** Routes that answer with a page. */
export type ListName = {
  [N in RouteName]: AnswerOf<N> extends { items: unknown[]; next: string | null } ? N : never
}[RouteName]
export type ItemOf<N extends ListName> = AnswerOf<N> extends { items: (infer T)[] } ? T : never

/** All items, page by page: the next page is fetched when the last one has been taken. */
export async function* iterateItems<N extends ListName>(
  client: ApiClient,
  name: N,
  ...rest: CallArguments<N>
): AsyncGenerator<ItemOf<N>> {
  const options = (rest[0] ?? {}) as LooseOptions
  let cursor: string | null = null
  do {
    const query = { ...options.query, ...(cursor !== null && { cursor }) }
    const response = await client.openWith(name, { ...options, query }, {})
    const page = (await response.json()) as { items: ItemOf<N>[]; next: string | null }
    yield* page.items
    cursor = page.next
  } while (cursor !== null)
}

export type StreamedEvent =
  | { readonly kind: 'event'; readonly event: Event }
  /** Events in between are gone: whoever shows lists loads them anew. */
  | { readonly kind: 'reset' }
  /** The connection was lost and comes back by itself. */
  | { readonly kind: 'lost'; readonly error: Error }

export interface EventStreamOptions {
  readonly topics?: readonly EventTopic[]
  /** Go on after that one; without it, from now on. */
  readonly after?: number
  readonly signal: AbortSignal
  /** Pause before the connection is tried again; doubled up to the maximum. */
  readonly pauseMs?: number
}

const PAUSE_MS = 500
const PAUSE_MAX_MS = 15_000

/**
 * Events as they happen, until the signal. Connections that break are made again and go on
 * after the last event.
 *
 * @throws ApiError when the server refuses the stream
 */
export async function* streamEvents(
  client: ApiClient,
  options: EventStreamOptions,
): AsyncGenerator<StreamedEvent> {
  const { topics, signal, pauseMs = PAUSE_MS } = options
  let last = options.after
  let pause = pauseMs
  while (!signal.aborted) {
    try {
      const query = topics === undefined ? {} : { topics: topics.join(',') }
      const headers = {
        accept: 'text/event-stream',
        ...(last !== undefined && { 'last-event-id': String(last) }),
      }
      const response = await client.openWith('streamEvents', { query, signal }, headers)
      for await (const message of readMessages(response)) {
        pause = pauseMs
        const id = Number(message.id)
        if (message.id !== '' && Number.isSafeInteger(id)) last = id
        if (message.event === 'reset') yield { kind: 'reset' }
        else if (message.event !== 'ready') {
          yield { kind: 'event', event: eventSchema.parse(JSON.parse(message.data)) }
        }
      }
      yield { kind: 'lost', error: new MaasError('SERVER_UNREACHABLE', 'the stream has ended') }
    } catch (error) {
      if (signal.aborted) return
      if (!isTransient(error)) throw error
      yield { kind: 'lost', error: error as Error }
    }
    await wait(pause, signal)
    pause = Math.min(pause * 2, PAUSE_MAX_MS)
  }
}

async function* readMessages(response: Response) {
  if (response.body === null) return
  const reader = new SseReader()
  const decoder = new TextDecoder()
  // Not every browser can walk a stream with "for await".
  const source = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await source.read()
      if (done) return
      yield* reader.receive(decoder.decode(value, { stream: true }))
    }
  } finally {
    await source.cancel().catch(() => {})
  }
}

/** 429 and 5xx pass; what is forbidden stays forbidden. A connection that breaks is a TypeError. */
function isTransient(error: unknown): boolean {
  if (error instanceof ApiError) return error.problem.status === 429 || error.problem.status >= 500
  return error instanceof MaasError || error instanceof TypeError
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
