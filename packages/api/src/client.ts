/**
 * The typed client, for the CLI and the console: `client.call('listSources', { query })`. It
 * needs fetch and nothing else. Failures are errors: a problem of the server an ApiError, a
 * server that does not answer SERVER_UNREACHABLE. Nothing is tried again unless it is asked to.
 */
import { ERRORS, ERROR_CATEGORIES, MaasError } from '@openmaas/kernel/errors'
import type { ErrorCategory } from '@openmaas/kernel/errors'
import { problem as problemSchema } from './resources/common.ts'
import type { Problem } from './resources/common.ts'
import type { Route } from './routes/define-route.ts'
import { routeOf } from './routes/routes.ts'
import type { AnswerOf, BodyFor, ParamsFor, QueryFor, RouteName } from './routes/routes.ts'

export interface ClientOptions {
  /** `https://server:8730`; empty in a browser that came from there. */
  readonly baseUrl: string
  readonly token?: string
  /** Of a session by cookie; asked for each change. */
  readonly csrfToken?: () => string | null
  readonly language?: 'en' | 'zh'
  /** With its own trust in the server's certificate. */
  readonly fetch?: typeof globalThis.fetch
  readonly userAgent?: string
}

type Field<Name extends string, T> = [T] extends [undefined]
  ? { readonly [K in Name]?: undefined }
  : Record<never, never> extends T
    ? { readonly [K in Name]?: T }
    : { readonly [K in Name]: T }

export interface CallSettings {
  readonly dryRun?: boolean
  /** `30s`: hold the answer until the job has ended. */
  readonly wait?: string
  /** ETag of what was read; `*` overwrites whatever is there. */
  readonly ifMatch?: string
  /** The same key for each attempt at the same thing. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
}
export type CallOptions<N extends RouteName> = Field<'params', ParamsFor<N>> &
  Field<'query', QueryFor<N>> &
  Field<'body', BodyFor<N>> &
  CallSettings

/** Options may be left out when all of them may. */
export type CallArguments<N extends RouteName> =
  Record<never, never> extends CallOptions<N>
    ? [options?: CallOptions<N>]
    : [options: CallOptions<N>]

export interface Answer<N extends RouteName> {
  readonly status: number
  readonly body: AnswerOf<N>
  readonly etag: string | null
  readonly location: string | null
}

/** What the server said is wrong. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }

  get code(): string {
    return this.problem.code
  }

  /** Of the table; by the status for a code that only a newer server knows. */
  get category(): ErrorCategory {
    if (Object.hasOwn(ERRORS, this.code)) return ERRORS[this.code as keyof typeof ERRORS].category
    const { status } = this.problem
    const categories = Object.entries(ERROR_CATEGORIES) as [ErrorCategory, { http: number }][]
    return categories.find(([, row]) => row.http === status)?.[0] ?? 'invalid'
  }

  get exitCode(): number {
    return ERROR_CATEGORIES[this.category].exit
  }
}

/** Options of any route, their types forgotten. */
export interface LooseOptions extends CallSettings {
  readonly params?: object | undefined
  readonly query?: object | undefined
  readonly body?: unknown
}

export class ApiClient {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  /** @throws ApiError; MaasError SERVER_UNREACHABLE, CANCELLED */
  async call<N extends RouteName>(name: N, ...rest: CallArguments<N>): Promise<Answer<N>> {
    const response = await this.open(name, ...rest)
    const text = await readText(response)
    return {
      status: response.status,
      body: (text === '' ? null : parseJson(text, response)) as AnswerOf<N>,
      etag: response.headers.get('etag'),
      location: response.headers.get('location'),
    }
  }

  /** The answer unread: for raw bodies and streams. */
  open<N extends RouteName>(name: N, ...rest: CallArguments<N>): Promise<Response> {
    return this.openWith(name, (rest[0] ?? {}) as LooseOptions, {})
  }

  /** @param headers on top of those that the options ask for */
  async openWith(
    name: RouteName,
    options: LooseOptions,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const route: Route = routeOf(name)
    const url = this.#options.baseUrl + pathOf(route.path, options.params) + queryOf(options)
    const { fetch = globalThis.fetch } = this.#options
    const init: RequestInit = {
      method: route.method,
      headers: { ...this.#headers(options), ...headers },
      redirect: 'manual',
      ...(options.signal !== undefined && { signal: options.signal }),
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    }
    let response: Response
    try {
      response = await fetch(url, init)
    } catch (error) {
      throw unreachable(error, this.#options.baseUrl, options.signal)
    }
    if (response.status >= 400) throw await apiError(response)
    return response
  }

  #headers(options: LooseOptions): Record<string, string> {
    const { token, csrfToken, language, userAgent } = this.#options
    const csrf = csrfToken?.() ?? null
    return {
      accept: 'application/json',
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(csrf !== null && { 'x-csrf-token': csrf }),
      ...(language !== undefined && { 'accept-language': language === 'zh' ? 'zh-CN' : 'en' }),
      ...(userAgent !== undefined && { 'user-agent': userAgent }),
      ...(options.ifMatch !== undefined && { 'if-match': options.ifMatch }),
      ...(options.idempotencyKey !== undefined && { 'idempotency-key': options.idempotencyKey }),
    }
  }
}

function pathOf(pattern: string, params: object | undefined): string {
  const values = (params ?? {}) as Readonly<Record<string, unknown>>
  return pattern.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(values[name])),
  )
}

function queryOf(options: LooseOptions): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined) search.set(name, String(value))
  }
  if (options.dryRun === true) search.set('dryRun', 'true')
  if (options.wait !== undefined) search.set('wait', options.wait)
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

async function readText(response: Response): Promise<string> {
  try {
    return await response.text()
  } catch (error) {
    throw unreachable(error, response.url, undefined)
  }
}

function parseJson(text: string, response: Response): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new MaasError(
      'SERVER_UNREACHABLE',
      'what answered is no OpenMaaS server',
      { url: response.url, status: response.status },
      { cause: error },
    )
  }
}

function unreachable(error: unknown, url: string, signal: AbortSignal | undefined): MaasError {
  if (signal?.aborted === true) {
    return new MaasError('CANCELLED', 'the request was given up', {}, { cause: error })
  }
  const reason = error instanceof Error ? describe(error) : String(error)
  return new MaasError(
    'SERVER_UNREACHABLE',
    `the server does not answer: ${reason}`,
    { url },
    {
      cause: error,
    },
  )
}

/** fetch says "fetch failed"; its cause says why. */
function describe(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}

async function apiError(response: Response): Promise<Error> {
  const text = await readText(response)
  const parsed = problemSchema.safeParse(parseJson(text, response))
  if (parsed.success) return new ApiError(parsed.data)
  return new MaasError('SERVER_UNREACHABLE', 'what answered is no OpenMaaS server', {
    url: response.url,
    status: response.status,
  })
}
