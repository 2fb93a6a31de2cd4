/**
 * What a handler is: it gets a request that is already checked (who, permission, scope of the
 * objects named, schemas, limits) and answers with plain data. It knows nothing of HTTP beyond
 * that. docs/internals/http.md.
 */
import type { Principal } from '@openmaas/api/permissions'
import type { BodyOf, ParamsOf, QueryOf, ResponseOf, RouteName } from '@openmaas/api/routes/routes'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'

export type Language = 'en' | 'zh'

export interface HandlerRequest<N extends RouteName> {
  readonly params: ParamsOf<N>
  readonly query: QueryOf<N>
  readonly body: BodyOf<N>
  /** NOBODY on public routes. */
  readonly principal: Principal
  readonly requestId: string
  /** Version that the caller read; null on routes without precondition, and for `If-Match: *`. */
  readonly ifMatch: number | null
  readonly dryRun: boolean
  /** Of the client, as far as the proxies named in the configuration are believed. */
  readonly address: string
  readonly language: Language
  /** Lower-case names; for cookies and user agents. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
}

export interface HandlerAnswer<N extends RouteName> {
  /** The first of the route's statuses when absent. */
  readonly status?: number
  readonly body: ResponseOf<N>
  /** Version of what is shown, as ETag. */
  readonly etag?: number
  readonly location?: string
  /** Needed where the body is raw. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export type Handler<N extends RouteName> = (request: HandlerRequest<N>) => Promise<HandlerAnswer<N>>

/** Some or all of the routes; `registerHandlers` puts the modules' together. */
export type Handlers = { readonly [N in RouteName]?: Handler<N> }

/** Who has not logged in. */
export const NOBODY: Principal = { actor: 'nobody', roles: [], scope: {} }

/** Puts the handlers of the modules together. A route that two of them answer is a bug. */
export function registerHandlers(...parts: readonly Handlers[]): Handlers {
  const all: Record<string, unknown> = {}
  for (const part of parts) {
    for (const [name, handler] of Object.entries(part)) {
      assert(!(name in all), `route ${name} has one handler`)
      all[name] = handler
    }
  }
  return all as Handlers
}

/**
 * Within the transaction of a change, before it.
 *
 * @throws MaasError PRECONDITION_FAILED when the row is no longer what the caller read
 */
export function requireVersion(
  row: { readonly version: number },
  request: { readonly ifMatch: number | null },
): void {
  if (request.ifMatch === null || request.ifMatch === row.version) return
  throw new MaasError('PRECONDITION_FAILED', 'the object was changed since it was read', {
    version: row.version,
  })
}

/** 202: the work was queued; `more` is what the answer says beside the job. */
export function acceptedJob<More extends object>(jobId: string, more?: More) {
  return {
    status: 202,
    body: { jobId, ...more } as { jobId: string } & More,
    location: `/api/v1/jobs/${jobId}`,
  }
}

/** What a dangerous verb answers to `dryRun`. */
export function planned(
  action: string,
  object: { readonly id: string; readonly name: string },
  warnings: string[] = [],
) {
  const plan = [{ action, object: object.id, name: object.name }]
  return { status: 200, body: { plan, warnings } }
}

/** A 422 about one place of the request: `/name`, `/query/cursor`. */
export function requestInvalid(pointer: string, detail: string): MaasError {
  return new MaasError('REQUEST_INVALID', detail, { pointer })
}

/** @param noun as in the path: `source`, `host` */
export function objectNotFound(noun: string, id: string): MaasError {
  return new MaasError('OBJECT_NOT_FOUND', `there is no ${noun} ${id}`, { noun, id })
}
