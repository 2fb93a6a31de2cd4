/** One request from the wire to its answer: the steps of docs/internals/http.md, in their order. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { EventTopic } from '@openmaas/api/resources/event'
import type { Principal } from '@openmaas/api/permissions'
import { languageOf } from '@openmaas/api/problem'
import type { Route } from '@openmaas/api/routes/define-route'
import { routeOf } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { type Checked, checkAnswer, checkRequest } from './check-request.ts'
import { EventStreams } from './event-stream.ts'
import { checkObjects, checkPermission } from './gate.ts'
import { type HandlerRequest, NOBODY, requestInvalid } from './handler.ts'
import { findJobView } from '../job/job-view.ts'
import { IdempotencyStore, KEY_LENGTH_MAX, type KeyedRequest } from './idempotency.ts'
import { JobWaiter } from './job-wait.ts'
import { RATE_LIMITS, RateLimiter, rateHeaders, requireTaken } from './rate-limit.ts'
import { type AnyHandler, type Call, type Rendered, render } from './render.ts'
import type { HttpServerOptions } from './server-options.ts'

export class RouteRunner implements Disposable {
  readonly #options: HttpServerOptions
  readonly #byPrincipal: RateLimiter
  readonly #expensive: RateLimiter
  readonly #login: RateLimiter
  readonly #idempotency: IdempotencyStore
  readonly #waiter: JobWaiter
  readonly streams: EventStreams

  constructor(options: HttpServerOptions) {
    const { catalog, clock, events, idempotencyKey } = options
    const rates = { ...RATE_LIMITS, ...options.rates }
    this.#options = options
    this.#byPrincipal = new RateLimiter(clock, rates.principal)
    this.#expensive = new RateLimiter(clock, rates.expensive)
    this.#login = new RateLimiter(clock, rates.login)
    this.#idempotency = new IdempotencyStore(catalog, clock, idempotencyKey)
    this.#waiter = new JobWaiter(catalog, events)
    this.streams = new EventStreams(catalog, events)
  }

  [Symbol.dispose](): void {
    this.streams[Symbol.dispose]()
    this.#waiter[Symbol.dispose]()
  }

  sweep(): Promise<void> {
    return this.#idempotency.sweep()
  }

  async run(name: RouteName, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const route = routeOf(name)
    const principal = await this.#authenticate(route, request, reply)
    try {
      checkPermission(route, principal)
    } catch (error) {
      this.#noteRefusal(name, request, principal, error)
      throw error
    }
    const { params, query, body } = request
    const language = languageOf(request.headers['accept-language'])
    const checked = checkRequest(route, { params, query, body }, language)
    const asker = principal ?? NOBODY
    try {
      await checkObjects(this.#options.catalog, route, asker, checked)
    } catch (error) {
      this.#noteRefusal(name, request, principal, error)
      throw error
    }
    const handler = this.#options.handlers[name] as AnyHandler
    const handed = this.#hand(route, request, reply, asker, checked)
    const call = { name, route, handler, request, reply, principal: asker, checked, handed }
    if (route.stream === true) return this.#stream(call)
    const key = readIdempotencyKey(route, request, checked)
    return key === undefined ? this.#answer(call) : this.#once(call, key)
  }

  async #authenticate(
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Principal | undefined> {
    if (route.rate === 'login') {
      const taken = this.#login.take(request.ip)
      reply.headers(rateHeaders(taken))
      requireTaken(taken)
    }
    if (route.permission === 'public') return undefined
    const { method, headers } = request
    const principal = await this.#options.authenticate({ method, headers })
    if (principal === undefined) return undefined
    // Who logged in is reckoned as one person, from wherever and by whichever token.
    const who = principal.userId ?? principal.actor
    const taken = this.#byPrincipal.take(who)
    reply.headers(rateHeaders(taken))
    requireTaken(taken)
    if (route.rate === 'expensive') {
      const expensive = this.#expensive.take(who)
      reply.headers(rateHeaders(expensive))
      requireTaken(expensive)
    }
    return principal
  }

  #noteRefusal(
    name: RouteName,
    request: FastifyRequest,
    principal: Principal | undefined,
    error: unknown,
  ): void {
    if (!isMaasError(error, 'PERMISSION_DENIED') || principal === undefined) return
    this.#options.onRefused?.({
      actor: principal.actor,
      address: request.ip,
      requestId: request.id,
      action: name,
      path: request.url.split('?', 1)[0] ?? '',
      code: error.code,
    })
  }

  #hand(
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
    principal: Principal,
    checked: Checked,
  ): HandlerRequest<RouteName> {
    const gone = new AbortController()
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) gone.abort()
    })
    const { params, query, body, dryRun } = checked
    return {
      params,
      query,
      body,
      dryRun,
      principal,
      requestId: request.id,
      ifMatch: route.precondition === true ? readIfMatch(request.headers['if-match']) : null,
      address: request.ip,
      language: languageOf(request.headers['accept-language']),
      headers: request.headers,
      signal: gone.signal,
    } as HandlerRequest<RouteName>
  }

  async #answer(call: Call): Promise<unknown> {
    const rendered = await render(call)
    return this.#send(call, rendered)
  }

  /** Done once per key: kept before it is sent, so that a client that repeats finds it. */
  async #once(call: Call, key: string): Promise<unknown> {
    const { name, route, reply, principal, checked } = call
    const { params, query, body } = checked
    const content = JSON.stringify([route.method, params, query ?? null, body ?? null])
    const keyed: KeyedRequest = { key, actor: principal.actor, route: name, content }
    const kept = await this.#idempotency.begin(keyed)
    if (kept !== undefined) {
      reply.code(kept.status).headers({ ...kept.headers, 'idempotency-replayed': 'true' })
      return reply.send(kept.body ?? '')
    }
    let rendered: Rendered
    try {
      rendered = await render(call)
    } catch (error) {
      // What failed unforeseen may have done its work: the key stays taken for a while.
      if (toMaasError(error).code !== 'INTERNAL') await this.#idempotency.forget(keyed)
      throw error
    }
    if (rendered.kind === 'raw') {
      await this.#idempotency.forget(keyed)
    } else {
      const text = rendered.kind === 'json' ? JSON.stringify(rendered.body) : null
      const answer = { status: rendered.status, headers: keptHeaders(reply), body: text }
      await this.#idempotency.end(keyed, answer, route.secret === true)
    }
    return this.#send(call, rendered)
  }

  async #send(call: Call, rendered: Rendered): Promise<unknown> {
    const { reply, checked } = call
    if (rendered.kind === 'empty') return reply.send()
    if (rendered.kind === 'raw') return reply.send(rendered.body)
    const isHeld = checked.waitMs > 0 && !checked.dryRun
    const body = isHeld ? await this.#hold(call, rendered) : rendered.body
    return reply.send(JSON.stringify(body))
  }

  /** For `?wait`: the answer when the job has ended, or the time is over. */
  async #hold(call: Call, rendered: { status: number; body: unknown }): Promise<unknown> {
    const { checked, handed, handler, route, name } = call
    const { id, jobId } = rendered.body as { id?: string; jobId?: string }
    const waited = name === 'getJob' ? id : jobId
    if (waited === undefined) return rendered.body
    await this.#waiter.wait(waited, checked.waitMs, handed.signal)
    if (name === 'getJob') return checkAnswer(route, 200, (await handler(handed)).body)
    const job = await findJobView(this.#options.catalog.db, waited)
    const body = { ...(rendered.body as object), ...(job !== undefined && { job }) }
    return checkAnswer(route, rendered.status, body)
  }

  async #stream(call: Call): Promise<void> {
    const { request, reply, principal, checked } = call
    this.streams.checkRoom(principal.actor)
    const query = checked.query as { topics?: string; lastEventId?: number }
    const header = request.headers['last-event-id']
    const after = header === undefined ? query.lastEventId : Number(header)
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
      throw requestInvalid('/headers/last-event-id', 'the id of an event is expected')
    }
    const { method, headers } = request
    reply.hijack()
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    await this.streams.run(reply.raw, {
      principal,
      topics: query.topics?.split(',') as EventTopic[] | undefined,
      after,
      authenticate: () => this.#options.authenticate({ method, headers }),
    })
  }
}

const KEPT_HEADERS = ['content-type', 'etag', 'location']

function keptHeaders(reply: FastifyReply): Record<string, string> {
  const headers = reply.getHeaders()
  const rows = KEPT_HEADERS.map((name) => [name, headers[name]] as const)
  return Object.fromEntries(
    rows.filter((row): row is readonly [string, string] => typeof row[1] === 'string'),
  )
}

/** `"7"` → 7, `*` → null. @throws MaasError PRECONDITION_MISSING, PRECONDITION_FAILED */
function readIfMatch(header: string | undefined): number | null {
  if (header === undefined) {
    throw new MaasError('PRECONDITION_MISSING', 'a change needs the header If-Match')
  }
  if (header.trim() === '*') return null
  const match = /^"(\d{1,15})"$/.exec(header.trim())
  if (match === null) throw new MaasError('PRECONDITION_FAILED', 'that ETag is none of ours')
  return Number(match[1])
}

/** Undefined where there is none, or nothing that could be done twice. */
function readIdempotencyKey(
  route: Route,
  request: FastifyRequest,
  checked: Checked,
): string | undefined {
  const key = request.headers['idempotency-key']
  const isKeyed = route.method === 'POST' && route.permission !== 'public' && !checked.dryRun
  if (!isKeyed || key === undefined) return undefined
  if (typeof key !== 'string' || key.length > KEY_LENGTH_MAX || !/^[\x21-\x7e]+$/.test(key)) {
    throw requestInvalid('/headers/idempotency-key', 'up to 255 visible characters are expected')
  }
  return key
}
