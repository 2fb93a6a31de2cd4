/**
 * The server of the API, built from ROUTES and the handlers of the modules. Deny by default: a
 * route without a handler, or with a permission that is not in the table, does not start.
 */
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import fastifyFactory from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { PERMISSIONS } from '@openmaas/api/permissions'
import { toProblem } from '@openmaas/api/problem'
import { routeNames, routeOf } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { Rounds } from '@openmaas/kernel/rounds'
import { registerConsole } from './console-files.ts'
import { registerDocs, registerProbes } from './extra-routes.ts'
import { securityHeaders } from './headers.ts'
import { log } from './log.ts'
import { sendProblem } from './problems.ts'
import { RATE_LIMITS, RateLimiter, rateHeaders, requireTaken } from './rate-limit.ts'
import { RouteRunner } from './route-runner.ts'
import type { HttpServerOptions } from './server-options.ts'

export const BODY_BYTES_MAX = 1024 * 1024
/** For the whole of a request to arrive: nobody holds a socket by sending slowly. */
const REQUEST_TIMEOUT_MS = 60_000
/** Longer than the 60 s of common proxies, so that the proxy closes first. */
const KEEP_ALIVE_MS = 72_000
/** Ids of ours take less; find-my-way refuses what is longer. */
const PARAM_LENGTH_MAX = 256
/** What browsers and fetch of the last ten years speak. */
const TLS_LIMITS = { minVersion: 'TLSv1.2' } as const
const CONNECTION_COUNT_MAX = 10_000
/** For answers that are under way when the server is stopped; systemd waits for longer. */
const CLOSE_GRACE_MS = 5000
const SWEEP_MS = 3_600_000

export interface HttpServer extends AsyncDisposable {
  readonly app: FastifyInstance
  /** @returns where it listens: `http://127.0.0.1:8730` */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>
  /** For connections from now on, when the certificate was renewed. Only of a server with TLS. */
  setCertificate(tls: { readonly key: string; readonly cert: string }): void
  /** Ends streams and held answers, lets others finish. */
  close(): Promise<void>
}

export async function makeHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const names = checkRoutes(options)
  const app = fastifyFactory(fastifyOptions(options))
  app.server.maxConnections = CONNECTION_COUNT_MAX
  const runner = new RouteRunner(options)
  addHooks(app, options)
  for (const name of names) addRoute(app, runner, name)
  await registerProbes(app, options)
  await registerDocs(app, options, names)
  await registerConsole(app, options)
  const sweeps = new Rounds({
    everyMs: SWEEP_MS,
    round: () => runner.sweep(),
    // The next hour tries again; until then some rows are kept for longer.
    onError: (error) => log.warn('idempotency sweep failed', { error }),
  })
  sweeps.start()
  const close = async (): Promise<void> => {
    await sweeps.stop()
    runner[Symbol.dispose]()
    const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS)
    await app.close()
    clearTimeout(cut)
  }
  return {
    app,
    listen: (address) => app.listen(address),
    setCertificate: (tls) => {
      assert(app.server instanceof TlsServer, 'a server without TLS has no certificate')
      app.server.setSecureContext({ ...tls, ...TLS_LIMITS })
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Deny by default, said aloud. */
function checkRoutes(options: HttpServerOptions): RouteName[] {
  const names = routeNames.filter((name) => options.withheld?.includes(name) !== true)
  for (const name of names) {
    const { permission } = routeOf(name)
    const isKnown =
      permission === 'public' || permission === 'self' || PERMISSIONS.includes(permission)
    assert(isKnown, `route ${name} has a permission of the table`)
    assert(name === 'streamEvents' || name in options.handlers, `route ${name} has a handler`)
  }
  return names
}

function fastifyOptions(options: HttpServerOptions): FastifyServerOptions {
  return {
    ...(options.tls !== undefined && { https: { ...options.tls, ...TLS_LIMITS } }),
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // What is under way is answered; `close` ends streams and held answers first.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    trustProxy: [...(options.trustedProxies ?? [])],
    genReqId: () => `req_${options.random.bytes(12).toString('base64url')}`,
    clientErrorHandler: answerGarbage,
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
  } as FastifyServerOptions
}

function addHooks(app: FastifyInstance, options: HttpServerOptions): void {
  const headers = securityHeaders(options.tls !== undefined)
  const limiter = new RateLimiter(options.clock, { ...RATE_LIMITS, ...options.rates }.address)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...headers, 'x-request-id': request.id })
    const taken = limiter.take(request.ip)
    if (!taken.allowed) reply.headers(rateHeaders(taken))
    requireTaken(taken)
  })
  app.addHook('onResponse', async (request, reply) => {
    const fields = {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
      address: request.ip,
    }
    log.info('answered', fields)
  })
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply))
  app.setNotFoundHandler((request, reply) => {
    const { method } = request
    const error = new MaasError('ROUTE_NOT_FOUND', `there is no ${method} at this address`)
    return sendProblem(error, request, reply)
  })
  // An empty body with a content type is what many clients send; ours is JSON or nothing.
  app.removeAllContentTypeParsers()
  const parseAs = { parseAs: 'buffer' as const }
  app.addContentTypeParser('application/json', parseAs, (_request, body, done) => {
    try {
      done(null, parseJson(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  try {
    return JSON.parse(decoder.decode(bytes), (key, value: unknown) => {
      // A key that would become the prototype of what it is copied into.
      if (key === '__proto__') throw new SyntaxError('__proto__ is not taken')
      return value
    })
  } catch (error) {
    throw new MaasError('REQUEST_MALFORMED', 'the body is not JSON in UTF-8', {}, { cause: error })
  }
}

function addRoute(app: FastifyInstance, runner: RouteRunner, name: RouteName): void {
  const route = routeOf(name)
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    bodyLimit: route.bodyBytesMax ?? BODY_BYTES_MAX,
    handler: (request, reply) => runner.run(name, request, reply),
  })
}

/** What is no HTTP at all. */
function answerGarbage(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const problem = toProblem(new MaasError('REQUEST_MALFORMED', 'this is not HTTP/1.1'), {
    language: 'en',
  })
  const text = JSON.stringify(problem)
  const head =
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json; charset=utf-8\r\n` +
    `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n`
  socket.end(head + text)
}
