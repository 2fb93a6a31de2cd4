/**
 * `fetch` over node:https with a trust of its own: Node's fetch takes no CA. Only what ApiClient
 * uses: a body of text, headers, a signal, and an answer that may be read as it comes.
 */
import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { checkControl } from '@openmaas/agent/session/server-identity'
import type { Target } from './contexts.ts'
import { pinnedRoot, readChain } from './server-trust.ts'

/** Until the first byte of an answer; `?wait` holds one for two minutes at most. */
const ANSWER_TIMEOUT_MS = 180_000

export type Fetch = typeof globalThis.fetch

/** The CA is looked for once, by the fingerprint, where no context has it. */
export function makeFetch(target: Pick<Target, 'server' | 'ca' | 'fingerprint'>): Fetch {
  let ca: Promise<string | undefined> | undefined
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input)
    ca ??= findCa(url, target)
    return send(url, init, await ca)
  }
}

async function findCa(
  url: URL,
  { ca, fingerprint }: Pick<Target, 'ca' | 'fingerprint'>,
): Promise<string | undefined> {
  if (ca !== undefined || fingerprint === undefined || url.protocol === 'http:') return ca
  return pinnedRoot(await readChain(url), fingerprint, url)
}

function send(url: URL, init: RequestInit, ca: string | undefined): Promise<Response> {
  const options: RequestOptions = {
    method: init.method ?? 'GET',
    headers: Object.fromEntries(new Headers(init.headers)),
    timeout: ANSWER_TIMEOUT_MS,
    ...(init.signal !== null && init.signal !== undefined && { signal: init.signal }),
  }
  // Known by its CA and the name that this CA gives to servers only; addresses may change.
  const trust =
    ca === undefined ? {} : { ca, checkServerIdentity: checkControl, allowPartialTrustChain: true }
  return new Promise((resolve, reject) => {
    const receive = (message: IncomingMessage): void => resolve(makeResponse(message))
    const request: ClientRequest =
      url.protocol === 'http:'
        ? httpRequest(url, options, receive)
        : httpsRequest(url, { ...options, ...trust }, receive)
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('timed out')))
    if (typeof init.body === 'string') request.write(init.body)
    request.end()
  })
}

/** Statuses that have no body. */
const EMPTY = new Set([204, 205, 304])

function makeResponse(message: IncomingMessage): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headersDistinct)) {
    for (const each of value ?? []) headers.append(name, each)
  }
  const status = message.statusCode ?? 500
  if (EMPTY.has(status)) message.resume()
  const body = EMPTY.has(status) ? null : (Readable.toWeb(message) as ReadableStream)
  return new Response(body, { status, headers, statusText: message.statusMessage ?? '' })
}
