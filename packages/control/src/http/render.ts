/** From what a handler says to what is sent: checked by the contract, in the form asked for. */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '@openmaas/api/permissions'
import type { Route } from '@openmaas/api/routes/define-route'
import { isSchema } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import { type Checked, checkAnswer } from './check-request.ts'
import type { HandlerAnswer, HandlerRequest } from './handler.ts'
import {
  LINES_TYPE,
  type PageBody,
  pickFields,
  readFields,
  readLines,
  wantsLines,
} from './lists.ts'

/** A handler with its types forgotten: the schemas have been checked by then. */
export type AnyHandler = (request: HandlerRequest<RouteName>) => Promise<HandlerAnswer<RouteName>>

/** One request on its way. */
export interface Call {
  readonly name: RouteName
  readonly route: Route
  readonly handler: AnyHandler
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly principal: Principal
  readonly checked: Checked
  readonly handed: HandlerRequest<RouteName>
}

/** `json`: what can be kept and looked into; `raw`: bytes or a stream, only to be sent. */
export type Rendered =
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'raw'; readonly body: string | Uint8Array | Readable }
  | { readonly kind: 'empty'; readonly status: number }

const JSON_TYPE = 'application/json; charset=utf-8'

/** Runs the handler and writes status and headers. */
export async function render(call: Call): Promise<Rendered> {
  const { route, reply, handler, handed } = call
  const answer = await handler(handed)
  const status = answer.status ?? Number(Object.keys(route.response)[0])
  const declared = route.response[status]
  if (declared !== undefined && declared !== null && !isSchema(declared)) {
    writeHead(call, status, answer)
    reply.header('content-type', answer.contentType ?? declared.raw[0])
    const { body } = answer as { body: string | Uint8Array | AsyncIterable<Uint8Array> }
    const isPiece = typeof body === 'string' || body instanceof Uint8Array
    return { kind: 'raw', body: isPiece ? body : Readable.from(body) }
  }
  const body = checkAnswer(route, status, answer.body)
  if (body === null) {
    writeHead(call, status, answer)
    return { kind: 'empty', status }
  }
  const shown = route.list === true && status === 200 ? showPage(call, body as PageBody) : body
  writeHead(call, status, answer)
  const isLines = shown instanceof Readable
  reply.header('content-type', isLines ? LINES_TYPE : JSON_TYPE)
  return isLines ? { kind: 'raw', body: shown } : { kind: 'json', status, body: shown }
}

function writeHead(call: Call, status: number, answer: HandlerAnswer<RouteName>): void {
  const { route, reply } = call
  reply.code(status)
  if (answer.etag !== undefined) reply.header('etag', `"${answer.etag}"`)
  if (answer.location !== undefined) reply.header('location', answer.location)
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    reply.header(name, typeof value === 'string' ? value : [...value])
  }
  if (route.deprecated === undefined) return
  reply.header('deprecation', `@${Math.floor(Date.parse(route.deprecated.since) / 1000)}`)
  if (route.deprecated.sunset !== undefined) {
    reply.header('sunset', new Date(route.deprecated.sunset).toUTCString())
  }
}

function showPage(call: Call, page: PageBody): PageBody | Readable {
  const { route, checked, handler, handed, request } = call
  const fields = readFields(route, checked.query)
  if (!wantsLines(route, request.headers.accept)) return pickFields(page, fields)
  const nextPage = async (cursor: string): Promise<PageBody> => {
    const query = { ...(checked.query as object), cursor }
    const again: object = { ...handed, query }
    const answer = await handler(again as HandlerRequest<RouteName>)
    return pickFields(checkAnswer(route, 200, answer.body) as PageBody, fields)
  }
  return Readable.from(readLines(pickFields(page, fields), nextPage))
}
