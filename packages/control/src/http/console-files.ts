/**
 * The console: files that tools/build-console.ts made. Names below /assets/ hold the hash of what
 * they name, so browsers keep them for good; each file may have a .br and a .gz beside it. Every
 * other address that a browser opens is one of the console's own, and gets index.html.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { languageOf } from '@openmaas/api/problem'
import { MaasError } from '@openmaas/kernel/errors'
import { CONSOLE_POLICY, PAGE_POLICY } from './headers.ts'
import { sendProblem } from './problems.ts'
import type { HttpServerOptions } from './server-options.ts'

/** Said at / when there is nothing to serve. */
const NO_CONSOLE = {
  en:
    'This server has no console: it was not built. "npm start" in the working tree builds it. ' +
    'The API is described at',
  zh: '此服务器没有控制台:尚未构建。在源码目录运行 "npm start" 即可构建。API 说明见',
}

export async function registerConsole(
  app: FastifyInstance,
  options: HttpServerOptions,
): Promise<void> {
  const root = options.consoleRoot
  if (root === undefined || !existsSync(join(root, 'index.html'))) {
    app.get('/', (request, reply) => {
      const language = languageOf(request.headers['accept-language'])
      const link = '<a href="/api/docs">/api/docs</a>'
      const head = `<!doctype html><html lang="${language}"><meta charset="utf-8">`
      return reply
        .header('content-type', 'text/html; charset=utf-8')
        .header('content-security-policy', PAGE_POLICY)
        .send(`${head}<title>OpenMaaS</title><p>${NO_CONSOLE[language]} ${link}</p></html>`)
    })
    return
  }
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    index: false,
    cacheControl: false,
    preCompressed: true,
    setHeaders: (reply, path) => {
      reply.header('content-security-policy', CONSOLE_POLICY)
      reply.header('vary', 'accept-encoding')
      const isHashed = path.includes('/assets/')
      reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  app.get('/*', (request, reply) => {
    const isPage = (request.headers.accept ?? '').includes('text/html')
    if (isPage && !request.url.startsWith('/api/')) return sendIndex(reply)
    const error = new MaasError('ROUTE_NOT_FOUND', 'there is nothing at this address')
    return sendProblem(error, request, reply)
  })
}

function sendIndex(reply: FastifyReply): FastifyReply {
  return reply.sendFile('index.html')
}
