/** What is not in the contract: probes, metrics, the document and its viewer, the console. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { makeOpenApi } from '@openmaas/api/openapi'
import { may } from '@openmaas/api/permissions'
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { makeApiPage, makeErrorPage } from './docs-viewer.ts'
import { CONSOLE_POLICY, PAGE_POLICY } from './headers.ts'
import { log } from './log.ts'
import { sendProblem } from './problems.ts'
import type { HttpServerOptions } from './server-options.ts'

/** A part that takes longer to say that it is well is not. */
const CHECK_TIME_MAX_MS = 5000

export async function registerProbes(
  app: FastifyInstance,
  options: HttpServerOptions,
): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/startupz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const rows = await Promise.all(
      Object.entries(options.checks ?? {}).map(async ([name, check]) => {
        return [name, await isWell(name, check)] as const
      }),
    )
    const ready = rows.every(([, well]) => well)
    // Names of parts only: who asks is not known.
    const checks = Object.fromEntries(rows.map(([name, well]) => [name, well ? 'ok' : 'failed']))
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
  // Made when first asked for: it takes a fifth of a second.
  let document: ReturnType<typeof makeOpenApi> | undefined
  const load = () => (document ??= makeOpenApi({ version: options.version, names }))
  const sendPage = (reply: FastifyReply, text: string): FastifyReply =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .send(text)
  app.get('/api/openapi.json', async (_request, reply) => reply.send(load()))
  app.get('/api/docs', async (_request, reply) => sendPage(reply, makeApiPage(load())))
  app.get('/api/docs/errors', async (_request, reply) => sendPage(reply, makeErrorPage()))
}

/** Files of the console; its own addresses all get index.html. */
export async function registerConsole(
  app: FastifyInstance,
  options: HttpServerOptions,
): Promise<void> {
  const root = options.consoleRoot
  if (root === undefined || !existsSync(join(root, 'index.html'))) return
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    index: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      reply.header('content-security-policy', CONSOLE_POLICY)
      // Names of built files hold their hash.
      const isHashed = path.includes('/assets/')
      reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  app.get('/*', (request, reply) => {
    const isPage = (request.headers.accept ?? '').includes('text/html')
    if (isPage && !request.url.startsWith('/api/')) return reply.sendFile('index.html')
    return sendProblem(
      new MaasError('ROUTE_NOT_FOUND', 'there is nothing at this address'),
      request,
      reply,
    )
  })
}
