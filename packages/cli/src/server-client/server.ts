/** The server that a command speaks to, and the options that all such commands have. */
import { hostname } from 'node:os'
import { ApiClient } from '@openmaas/api/client'
import type { LooseOptions } from '@openmaas/api/client'
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import type { Run } from '../program/spec.ts'
import { chooseTarget } from './contexts.ts'
import type { Target } from './contexts.ts'
import { makeFetch } from './pinned-fetch.ts'
import { translated } from './problem-error.ts'

/** An object as the server shows it. */
export type Row = Readonly<Record<string, unknown>>

/** A field as text; what is not there is empty. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === null || value === undefined ? '' : JSON.stringify(value)
}

function parseAnswer(text: string, { url, status }: Response): Row {
  try {
    return JSON.parse(text) as Row
  } catch (cause) {
    const message = 'what answered is no OpenMaaS server'
    throw new MaasError('SERVER_UNREACHABLE', message, { url, status }, { cause })
  }
}

/** Items of one request: the most that the server gives. */
const PAGE_LIMIT = 1000

export interface ListedRows {
  readonly rows: Row[]
  /** There are more than were asked for. */
  readonly more: boolean
}

export class Server {
  readonly client: ApiClient
  readonly site: Site
  readonly input: Input

  constructor(client: ApiClient, site: Site, input: Input) {
    this.client = client
    this.site = site
    this.input = input
  }

  /** The JSON of any answer, with the ETag that a change needs. */
  async request(name: RouteName, options: LooseOptions = {}): Promise<{ body: Row; etag: string }> {
    const { signal } = this.site
    const response = await this.client.openWith(name, { signal, ...options }, {})
    const text = await response.text()
    const body = text === '' ? {} : parseAnswer(text, response)
    return { body, etag: response.headers.get('etag') ?? '*' }
  }

  /** The first items of a list, over as many pages as that takes. */
  async list(
    name: RouteName,
    query: object,
    options: { params?: object; limit: number },
  ): Promise<ListedRows> {
    const rows: Row[] = []
    let cursor: unknown = null
    do {
      const limit = Math.min(PAGE_LIMIT, options.limit - rows.length)
      const page = { ...query, limit, ...(cursor !== null && { cursor }) }
      const { body } = await this.request(name, { params: options.params, query: page })
      rows.push(...((body['items'] ?? []) as Row[]))
      cursor = body['next'] ?? null
    } while (cursor !== null && rows.length < options.limit)
    return { rows, more: cursor !== null }
  }
}

export function makeClient(
  target: Omit<Target, 'token'> & { token?: string },
  site: Site,
): ApiClient {
  const { server, token } = target
  return new ApiClient({
    baseUrl: server.replace(/\/+$/, ''),
    ...(token !== undefined && { token }),
    language: site.language,
    fetch: makeFetch(target),
    userAgent: `openmaas-cli (${hostname()})`,
  })
}

export type ServerRun = (server: Server, input: Input, site: Site) => Promise<number | void>

/** A command that speaks to the server of its context. */
export function onServer(run: ServerRun): Run {
  return (input, site) =>
    translated(() => {
      const client = makeClient(chooseTarget(site, input.text('context')), site)
      return run(new Server(client, site, input), input, site)
    }, input)
}
