/** Whatever goes wrong becomes a problem (RFC 9457), in one place. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { languageOf, toProblem } from '@openmaas/api/problem'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { SchemaError } from './check-request.ts'
import { log } from './log.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

export function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = fromFastify(thrown) ?? toMaasError(thrown)
  const problem = toProblem(error, {
    language: languageOf(request.headers['accept-language']),
    instance: request.url.split('?', 1)[0] ?? '',
    requestId: request.id,
    ...(error instanceof SchemaError && { errors: error.errors }),
  })
  if (problem.status >= 500) {
    log.error('failed', { requestId: request.id, route: request.routeOptions.url, error })
  }
  const wait = error.details['retryAfterSeconds']
  if (typeof wait === 'number') reply.header('retry-after', String(Math.ceil(wait)))
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="openmaas"')
  return reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(problem))
}

/** What the HTTP library refuses before a route sees it. */
function fromFastify(thrown: unknown): MaasError | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown instanceof MaasError) {
    return undefined
  }
  const { code, statusCode } = thrown as FastifyError
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new MaasError('REQUEST_TOO_LARGE', 'the body is too large', {}, { cause: thrown })
  }
  if (typeof code !== 'string' || !code.startsWith('FST_') || (statusCode ?? 500) >= 500) {
    return undefined
  }
  return new MaasError('REQUEST_MALFORMED', thrown.message, {}, { cause: thrown })
}
