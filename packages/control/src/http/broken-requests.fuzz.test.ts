/**
 * Requests with something broken, made from the schemas of every route: never a 5xx, always an
 * answer of the contract. The seed of a failure is in its message.
 *
 *   OPENMAAS_FUZZ_FACTOR=10   50,000 of them
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { routeNames } from '@openmaas/api/routes/routes'
import { ROLES } from '@openmaas/api/permissions'
import { configureLog } from '@openmaas/kernel/log'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import type { Handlers } from './handler.ts'
import { objectNotFound, registerHandlers } from './handler.ts'
import { Breaker, checkAnswer } from './breaker.test-support.ts'
import { makeHandlers, makeJobControl } from './handlers.test-support.ts'
import { auditHandlers } from '../audit/handlers.ts'
import { addUser, makeAuth } from '../auth/auth.test-support.ts'
import type { TestAuth } from '../auth/auth.test-support.ts'
import { authHandlers } from '../auth/handlers.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { makeDocumentHandlers } from '../documents/handlers.ts'
import { makeMediumHandlers } from '../media/handlers.ts'
import { makeBrowseHandlers } from '../points/browse.ts'
import { makePointHandlers } from '../points/handlers.ts'
import { makeComplianceHandlers } from '../policy/compliance-handlers.ts'
import { makePolicyHandlers } from '../policy/handlers.ts'
import { makePolicyOutlookHandlers } from '../policy/outlook-handlers.ts'
import { makePoolMakingHandlers } from '../pools/making.ts'
import { sampleOnce } from './samples.test-support.ts'
import { ADMIN, makeTestServer } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'
import { addTenant } from './site.test-support.ts'
import type { Tenant } from './site.test-support.ts'

/** Of a run with a large factor. */
const TIME_MAX_MS = 3_600_000
const CASES = 5000 * Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)
const SEED = Number(process.env['OPENMAAS_FUZZ_SEED'] ?? 1)

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
    makePolicyOutlookHandlers(context),
    makeComplianceHandlers(context),
    makeDocumentHandlers(context),
    makeBrowseHandlers(context),
    makePointHandlers(context),
    makeMediumHandlers(context),
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
    const { statusCode: status, headers, body: answer } = response
    const type = String(headers['content-type'])
    checkAnswer(name, { status, type, text: answer }, `${title} ${failure}`)
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
