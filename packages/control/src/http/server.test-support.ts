/** A server on an in-memory catalog, whose callers are named by the header `x-test-as`. */
import { makeControlId } from '@openmaas/api/ids'
import type { Principal } from '@openmaas/api/permissions'
import { routeNames } from '@openmaas/api/routes/routes'
import { systemRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../catalog/catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { EventFeed } from '../catalog/events.ts'
import type { Handlers } from './handler.ts'
import { makeHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'
import type { HttpServerOptions } from './server-options.ts'

export const ADMIN: Principal = { actor: 'user:usr_admin', roles: ['admin'], scope: null }

export interface TestServer extends AsyncDisposable {
  readonly server: HttpServer
  readonly catalog: Catalog
  readonly clock: FakeClock
  /** Callers by the name they give in `x-test-as`; `admin` is there. */
  readonly callers: Map<string, Principal>
  id(kind: Parameters<typeof makeControlId>[0]): string
  /** A request of the caller, as JSON; a change is made whatever the version is. */
  send(as: string, method: Method, url: string, body?: object): Promise<Answer>
}

type Method = 'GET' | 'POST' | 'PATCH'
export interface Answer {
  readonly status: number
  /** Empty when there is none. */
  readonly body: Record<string, unknown>
}

/** More than any test sends. */
const FAST = { burst: 1e9, perSecond: 1e9 }
export const UNLIMITED = { address: FAST, principal: FAST, login: FAST, expensive: FAST }

export async function makeTestServer(
  handlers: (parts: { readonly catalog: Catalog; readonly clock: FakeClock }) => Handlers,
  more: Partial<HttpServerOptions> & { readonly clock?: FakeClock } = {},
): Promise<TestServer> {
  const clock = more.clock ?? new FakeClock()
  const catalog = more.catalog ?? (await openCatalog({ url: 'sqlite::memory:', clock }))
  const errors: unknown[] = []
  const events = new EventFeed(catalog, { onError: (error) => errors.push(error) })
  const callers = new Map<string, Principal>([['admin', ADMIN]])
  const given = handlers({ catalog, clock })
  const withheld = routeNames.filter((name) => !(name in given) && name !== 'streamEvents')
  const server = await makeHttpServer({
    catalog,
    clock,
    random: systemRandom,
    events,
    handlers: given,
    authenticate: async ({ headers }) => callers.get(String(headers['x-test-as'])),
    version: '0.0.0',
    idempotencyKey: Buffer.alloc(32, 1),
    withheld,
    rates: UNLIMITED,
    ...more,
  })
  return {
    server,
    catalog,
    clock,
    callers,
    id: (kind) => makeControlId(kind, clock, systemRandom),
    send: async (as, method, url, body) => {
      const headers = {
        'x-test-as': as,
        ...(method === 'PATCH' && { 'if-match': '*' }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      }
      const payload = body === undefined ? {} : { payload: JSON.stringify(body) }
      const response = await server.app.inject({ method, url, headers, ...payload })
      const text = response.body === '' ? '{}' : response.body
      return { status: response.statusCode, body: JSON.parse(text) as Answer['body'] }
    },
    [Symbol.asyncDispose]: async () => {
      await server.close()
      await events[Symbol.asyncDispose]()
      await catalog[Symbol.asyncDispose]()
    },
  }
}
