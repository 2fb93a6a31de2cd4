/**
 * Requests with something broken, made from the schemas of every route: never a 5xx, always an
 * answer of the contract. The seed of a failure is in its message.
 *
 *   OPENMAAS_FUZZ_FACTOR=10   50,000 of them
 */
import type { OutgoingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { problem } from '@openmaas/api/resources/common'
import { isSchema, routeNames, routeOf } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import { ROLES } from '@openmaas/api/permissions'
import { configureLog } from '@openmaas/kernel/log'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import type { Handlers } from './handler.ts'
import { objectNotFound, registerHandlers } from './handler.ts'
import { makeHandlers, makeJobControl } from './handlers/handlers.test-support.ts'
import { auditHandlers } from '../audit/handlers.ts'
import { addUser, makeAuth } from '../auth/auth.test-support.ts'
import type { TestAuth } from '../auth/auth.test-support.ts'
import { authHandlers } from '../auth/handlers.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { makeDocumentHandlers } from '../documents/handlers.ts'
import { makeMediaHandlers } from '../media/handlers.ts'
import { makeBrowseHandlers } from '../points/browse.ts'
import { makePointActions } from '../points/handlers.ts'
import { makeComplianceHandlers } from '../policy/compliance-handlers.ts'
import { makePolicyHandlers } from '../policy/handlers.ts'
import { makePoolMakingHandlers } from '../pools/handlers.ts'
import { sampleRequest } from './samples.test-support.ts'
import type { SampleRequest } from './samples.test-support.ts'
import { ADMIN, makeTestServer } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'
import { addTenant } from './site.test-support.ts'
import type { Tenant } from './site.test-support.ts'

/** Of a run with a large factor. */
const TIME_MAX_MS = 3_600_000
const CASES = 5000 * Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)
const SEED = Number(process.env['OPENMAAS_FUZZ_SEED'] ?? 1)

/** Values that have broken servers before. */
const JUNK: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  ' ',
  'x'.repeat(5000),
  '\u0000',
  '\ud800',
  '\u202e\u0007\u001b[31m',
  '../../../etc/passwd',
  "'; drop table source; --",
  '$' + '{7*7}',
  '%00%ff',
  '9999-99-99T99:99:99Z',
  '+275760-09-13T00:00:00Z',
  [],
  [[[]]],
  {},
  { $ne: null },
  { length: 1e9 },
  { toString: 'x', constructor: { prototype: 1 } },
]
const KEYS = ['id', 'extra', '__proto__', 'constructor', 'a'.repeat(300), '', '~/~0', 'filter[x]']

class Breaker {
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!
  }

  chance(share: number): boolean {
    return this.#random.unit() < share
  }

  /** The value with some of its parts replaced, removed or added. */
  break(value: unknown, share: number): unknown {
    if (this.chance(share)) return this.pick(JUNK)
    if (Array.isArray(value)) {
      const items = value.map((item) => this.break(item, share))
      return this.chance(share) ? [...items, this.pick(JUNK)] : items
    }
    if (typeof value !== 'object' || value === null) return value
    const kept = Object.entries(value).filter(() => !this.chance(share / 2))
    const broken = kept.map(([key, item]): [string, unknown] => [key, this.break(item, share)])
    if (this.chance(share)) broken.push([this.pick(KEYS), this.pick(JUNK)])
    return Object.fromEntries(broken)
  }

  text(): string {
    const value = this.pick(JUNK)
    return (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed()
  }

  /** The text with some of its bytes changed, cut or doubled. */
  garble(text: string): Buffer {
    const bytes = Buffer.from(text)
    for (let i = 0; i < 1 + this.#random.below(4) && bytes.length > 0; i += 1) {
      bytes[this.#random.below(bytes.length)] = this.#random.below(256)
    }
    const cut = this.#random.below(bytes.length + 1)
    return this.chance(0.3) ? bytes.subarray(0, cut) : bytes
  }

  url(path: string): string {
    if (this.chance(0.7)) return path
    const [bare = '', query = ''] = path.split('?')
    const search = new URLSearchParams(query)
    const names = ['limit', 'cursor', 'sort', 'fields', 'dryRun', 'wait', 'filter[labels]', 'x']
    search.append(this.pick(names), this.text())
    const parts = bare.split('/')
    if (this.chance(0.3)) {
      parts[parts.length - 1] = encodeURIComponent(this.text())
    }
    return `${parts.join('/')}?${search.toString()}`
  }

  headers(): Record<string, string> {
    const texts = ['', '*', '"1"', 'W/"1"', '"x"', 'zh;q=NaN', '-1', '1e400', 'a'.repeat(3000), ' ']
    const names = [
      'if-match',
      'idempotency-key',
      'accept',
      'accept-language',
      'content-type',
      'last-event-id',
      'authorization',
      'cookie',
      'x-forwarded-for',
      'expect',
    ]
    const headers: Record<string, string> = {}
    while (this.chance(0.3)) headers[this.pick(names)] = this.pick(texts)
    delete headers['expect']
    return headers
  }
}

const names = routeNames.filter((name) => name !== 'streamEvents')

/** Hosts are somewhere else: whatever is asked of them is not there. */
const orders = {
  order: () => Promise.reject(objectNotFound('thing', 'x')),
  isConnected: () => false,
}

/** The handlers of all modules, without a network below them. */
function allHandlers(auth: TestAuth): Handlers {
  const { catalog, clock } = auth
  const context = {
    catalog,
    clock,
    random: systemRandom,
    settings: auth.settings,
    serverKey: auth.serverKey,
    jobs: makeJobControl(auth),
    orders,
    anchors: () => [],
    isEmbedded: () => false,
  }
  const real = registerHandlers(
    makeHandlers(auth),
    authHandlers(auth),
    auditHandlers(context),
    makePolicyHandlers(context),
    makeComplianceHandlers(context),
    makeDocumentHandlers(context),
    makeBrowseHandlers(context),
    makePointActions(context),
    makeMediaHandlers(context),
    makePoolMakingHandlers(context),
  )
  const rest = names.filter((name) => !(name in real))
  const stub = () => Promise.reject(objectNotFound('thing', 'x'))
  return { ...Object.fromEntries(rest.map((name) => [name, stub])), ...real } as Handlers
}

/** What the server last logged as a failure of its own. */
let failure = ''

beforeAll(() => {
  configureLog({ level: 'error', format: 'json', write: (line) => void (failure = line) })
})
afterAll(() => configureLog({ level: 'silent' }))

function checkAnswer(
  name: RouteName,
  response: { statusCode: number; body: string; headers: OutgoingHttpHeaders },
  title: string,
): void {
  const { statusCode, body, headers } = response
  expect(statusCode, `${title}: ${failure}`).toBeLessThan(500)
  const type = String(headers['content-type'] ?? '')
  if (statusCode >= 400) {
    expect(type, title).toContain('application/problem+json')
    const parsed = problem.strict().parse(JSON.parse(body))
    expect(parsed.status, title).toBe(statusCode)
    return
  }
  const answer = routeOf(name).response[statusCode]
  expect(answer, `${title}: status ${statusCode}`).not.toBeUndefined()
  // Some fields only, or lines: looked at by the tests of lists.
  if (!isSchema(answer) || type.includes('ndjson') || title.includes('fields=')) return
  expect(answer.safeParse(JSON.parse(body)).error, title).toBeUndefined()
}

async function sendBroken(site: TestServer, tenant: Tenant, count: number): Promise<void> {
  const breaker = new Breaker(new SeededRandom(SEED))
  const sample = sampleOnce(tenant)
  const statuses = new Map<number, number>()
  for (let i = 0; i < count; i += 1) {
    const name = breaker.pick(names)
    const made = sample(name, breaker.chance(0.5))
    const share = breaker.pick([0, 0.05, 0.3])
    const body = made.body === undefined ? undefined : breaker.break(made.body, share)
    const text = body === undefined ? undefined : JSON.stringify(body)
    const payload = text !== undefined && breaker.chance(0.1) ? breaker.garble(text) : text
    const as = breaker.pick(['admin', 'admin', 'admin', ...ROLES, 'nobody'])
    const url = breaker.url(made.url)
    const response = await site.server.app.inject({
      method: made.route.method,
      url,
      headers: {
        'x-test-as': as,
        ...(made.route.precondition === true && { 'if-match': '*' }),
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...breaker.headers(),
      },
      ...(payload !== undefined && { payload }),
    })
    statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1)
    const title = `seed ${SEED} case ${i} ${as} ${name} ${url} ${String(payload).slice(0, 500)}`
    checkAnswer(name, response, title)
  }
  // The requests are broken in many ways, and some are not broken at all.
  for (const status of [200, 400, 401, 403, 404, 422]) {
    expect(statuses.get(status), `status ${status}`).toBeGreaterThan(0)
  }
}

describeBothCatalogs('broken requests', (make) => {
  test(
    'get an answer of the contract, and never a failure',
    async () => {
      const auth = await makeAuth(make)
      const { catalog, clock } = auth
      const site = await makeTestServer(() => allHandlers(auth), { catalog, clock })
      const tenant = await addTenant(site, 'red')
      const user = await addUser(auth)
      for (const role of ROLES) {
        const scope = role === 'operator' ? { tenant: 'red' } : null
        const actor = `user:${user.id}`
        site.callers.set(role, { actor, userId: user.id, roles: [role], scope })
      }
      site.callers.set('admin', { ...ADMIN, actor: `user:${user.id}`, userId: user.id })
      // Most of what can go wrong lies before the catalog; its dialect needs fewer.
      await sendBroken(site, tenant, catalog.dialect === 'sqlite' ? CASES : CASES / 10)
      await site.server.close()
    },
    TIME_MAX_MS,
  )
})

/** Making one costs more than sending it. */
function sampleOnce(tenant: Tenant) {
  const samples = new Map<string, SampleRequest>()
  return (name: RouteName, full: boolean): SampleRequest => {
    const key = `${name}:${full}`
    const known = samples.get(key) ?? sampleRequest(name, tenant, () => full)
    samples.set(key, known)
    return known
  }
}
