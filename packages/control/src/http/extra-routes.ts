/** What is not in the contract: probes, metrics, the document and its viewer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { makeOpenApi } from '@openmaas/api/openapi'
import { may } from '@openmaas/api/permissions'
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { makeApiPage, makeErrorPage } from './docs-viewer.ts'
import { PAGE_POLICY } from './headers.ts'
import { log } from './log.ts'
import type { HttpServerOptions } from './server-options.ts'

/** A part that takes longer to say that it is well is not. */
const CHECK_TIME_MAX_MS = 5000

/** Anybody may ask; the parts are not asked as often. */
const READY_KEPT_MS = 1000

interface Readiness {
  readonly ready: boolean
  readonly checks: Readonly<Record<string, 'ok' | 'failed'>>
}

export async function registerProbes(
  app: FastifyInstance,
  options: HttpServerOptions,
): Promise<void> {
  const { clock } = options
  let known: { readonly atMs: number; readonly readiness: Promise<Readiness> } | undefined
  // Load balancers ask by HEAD.
  const head = { exposeHeadRoute: true }
  app.get('/healthz', head, async () => ({ status: 'ok' }))
  app.get('/startupz', head, async () => ({ status: 'ok' }))
  app.get('/readyz', head, async (_request, reply) => {
    const atMs = clock.monotonicMs()
    if (known === undefined || atMs - known.atMs >= READY_KEPT_MS) {
      known = { atMs, readiness: askAll(options) }
    }
    const { ready, checks } = await known.readiness
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', checks })
  })
  const { metrics } = options
  if (metrics === undefined) return
  app.get('/metrics', async (request, reply) => {
    if (!metrics.public) await requireMetrics(options, request)
    const { contentType, text } = await metrics.render()
    return reply.header('content-type', contentType).send(text)
  })
}

/** Names of parts only: who asks is not known. */
async function askAll({ checks = {} }: HttpServerOptions): Promise<Readiness> {
  const rows = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      return [name, (await isWell(name, check)) ? 'ok' : 'failed'] as const
    }),
  )
  return { ready: rows.every(([, state]) => state === 'ok'), checks: Object.fromEntries(rows) }
}

async function isWell(name: string, check: () => Promise<boolean>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), CHECK_TIME_MAX_MS)
  try {
    return await Promise.race([check(), promise])
  } catch (error) {
    log.warn('not ready', { part: name, error })
    return false
  } finally {
    clearTimeout(timer)
  }
}

async function requireMetrics(options: HttpServerOptions, request: FastifyRequest): Promise<void> {
  const { method, headers } = request
  const principal = await options.authenticate({ method, headers })
  if (principal === undefined) throw new MaasError('AUTH_REQUIRED', 'nobody is logged in')
  if (may(principal, 'metrics.read')) return
  throw new MaasError('PERMISSION_DENIED', 'this needs the permission metrics.read')
}

export async function registerDocs(
  app: FastifyInstance,
  options: HttpServerOptions,
  names: readonly RouteName[],
): Promise<void> {
  // Each made when first asked for, and once: strangers may ask, and it takes a while.
  const document = once(() => makeOpenApi({ version: options.version, names }))
  const json = once(() => JSON.stringify(document()))
  const pages = { api: once(() => makeApiPage(document())), errors: once(() => makeErrorPage()) }
  const sendPage = (reply: FastifyReply, text: string): FastifyReply =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .send(text)
  app.get('/api/openapi.json', async (_request, reply) =>
    reply.header('content-type', 'application/json; charset=utf-8').send(json()),
  )
  app.get('/api/docs', async (_request, reply) => sendPage(reply, pages.api()))
  app.get('/api/docs/errors', async (_request, reply) => sendPage(reply, pages.errors()))
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
