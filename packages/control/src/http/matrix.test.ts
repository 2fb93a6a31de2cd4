/** Every route × every role × two tenants, generated from the list of routes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PERMISSIONS, ROLE_PERMISSIONS, ROLES, may } from '@openmaas/api/permissions'
import type { Permission, Principal, Role } from '@openmaas/api/permissions'
import type { Route } from '@openmaas/api/routes/define-route'
import { routeNames, routeOf } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import type { Handlers } from './handler.ts'
import { makeHandlers } from './handlers.test-support.ts'
import { sampleRequest } from './samples.test-support.ts'
import { makeTestServer } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'
import { addTenant } from './site.test-support.ts'
import type { Tenant } from './site.test-support.ts'

/** Says that a request has passed every check: no handler of the product answers so. */
const REACHED = 'SERVER_STOPPING'
const reached = () => Promise.reject(new MaasError(REACHED, 'the handler was reached'))

const OWNER = 'user:usr_owner'
const people: Principal[] = ROLES.flatMap((role) =>
  [null, { tenant: 'red' }].map((scope) => ({
    actor: `user:usr_${role}`,
    userId: `usr_${role}`,
    roles: [role],
    scope,
  })),
)
const nameOf = ({ roles, scope }: Principal) => `${roles[0]}${scope === null ? '' : ' of red'}`

let site: TestServer
let red: Tenant
let blue: Tenant

function stubs(): Handlers {
  const all = Object.fromEntries(routeNames.map((name) => [name, reached]))
  delete all['streamEvents']
  return all as Handlers
}

async function send(server: TestServer, name: RouteName, tenant: Tenant, as: string) {
  const { route, url, body } = sampleRequest(name, tenant)
  const response = await server.server.app.inject({
    method: route.method,
    url,
    headers: {
      ...(as !== '' && { 'x-test-as': as }),
      ...(route.precondition === true && { 'if-match': '*' }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  })
  const isJson = String(response.headers['content-type']).includes('json')
  const code = isJson && response.body.startsWith('{') ? JSON.parse(response.body).code : undefined
  return { status: response.statusCode, code: code as string | undefined, text: response.body }
}

/** Worked out from the table alone, without the gate. */
function expected(route: Route, person: Principal, tenant: 'red' | 'blue'): string {
  if (route.permission === 'public' || route.permission === 'self') return REACHED
  const role = person.roles[0]!
  const has = (permission: Permission) => ROLE_PERMISSIONS[role].includes(permission)
  const isBeyond = SITE_ONLY.has(route.permission) && person.scope !== null
  if (!has(route.permission) || isBeyond) return 'PERMISSION_DENIED'
  for (const reference of route.objects ?? []) {
    if (!namesObject(route, reference.field)) continue
    if (person.scope !== null && tenant === 'blue') {
      return reference.in === 'params' ? 'OBJECT_NOT_FOUND' : 'REQUEST_INVALID'
    }
    const needed: Permission = reference.permission ?? route.permission
    // Everything here was made by somebody else.
    const isForeign = role === 'data-consumer' && OWN_ONLY.has(needed)
    if (!has(needed) || isForeign) return 'PERMISSION_DENIED'
  }
  return REACHED
}

/** The sample of the route has that field. */
function namesObject(route: Route, field: string): boolean {
  const name = routeNames.find((one) => routeOf(one) === route)!
  const { url, body } = sampleRequest(name, red)
  return field in (body ?? {}) || url.includes(`${field}=`) || route.path.includes(`{${field}}`)
}

const OWN_ONLY = new Set<Permission>([
  'medium.eject',
  'job.read',
  'virtual-database.read',
  'virtual-database.operate',
  'virtual-database.connect',
  'virtual-database.drop',
])
/** Permissions that one with a scope does not have, written down once more. */
const SITE_ONLY = new Set<Permission>([
  ...(['host.enrol', 'host.remove', 'pool.write', 'policy.write', 'audit.verify'] as const),
  ...(['audit.export', 'user.read', 'user.write', 'user.lock', 'token.write'] as const),
  ...(['approval.decide', 'webhook.read', 'webhook.write', 'notification.read'] as const),
  ...(['notification.write', 'setting.read', 'setting.write', 'secret.write'] as const),
  ...(['metrics.read', 'support.read'] as const),
])

describe('the matrix of permissions', () => {
  beforeAll(async () => {
    site = await makeTestServer(stubs)
    red = await addTenant(site, 'red', OWNER)
    blue = await addTenant(site, 'blue', OWNER)
    for (const person of people) site.callers.set(nameOf(person), person)
  })
  afterAll(() => site[Symbol.asyncDispose]())

  const names = routeNames.filter((name) => name !== 'streamEvents')

  test.each(names)(
    '%s is reached by whom it is for, about their own tenant, only',
    async (name) => {
      const route = routeOf(name)
      for (const person of people) {
        for (const [tenantName, tenant] of [['red', red] as const, ['blue', blue] as const]) {
          const { code } = await send(site, name, tenant, nameOf(person))
          const title = `${nameOf(person)} about ${tenantName}`
          expect(code, title).toBe(expected(route, person, tenantName))
        }
      }
      const { code } = await send(site, name, red, '')
      expect(code, 'nobody').toBe(route.permission === 'public' ? REACHED : 'AUTH_REQUIRED')
    },
  )

  test('an owner may do to their own what the role may not do to that of others', async () => {
    const roles: Role[] = ['data-consumer']
    site.callers.set('owner', { actor: OWNER, roles, scope: { tenant: 'red' } })
    for (const name of ['ejectMedium', 'extendMedium', 'getJob'] as const) {
      expect((await send(site, name, red, 'owner')).code, name).toBe(REACHED)
      expect((await send(site, name, blue, 'owner')).code, name).toBe('OBJECT_NOT_FOUND')
    }
  })

  test('whoever must change the password may do nothing but that', async () => {
    const must = {
      actor: 'user:usr_new',
      roles: [],
      scope: null,
      mustChangePassword: true as const,
    }
    site.callers.set('new', must)
    for (const name of names) {
      const { permission } = routeOf(name)
      const { code } = await send(site, name, red, 'new')
      const isOpen = permission === 'public' || permission === 'self'
      expect(code, name).toBe(isOpen ? REACHED : 'PASSWORD_CHANGE_REQUIRED')
    }
  })

  test('every permission of the table is either about labels or about the site', () => {
    const scoped: Principal = { actor: 'user:usr_1', roles: ['admin'], scope: {} }
    for (const permission of PERMISSIONS) {
      if (permission === 'approval.decide') continue
      expect(may(scoped, permission), permission).toBe(!SITE_ONLY.has(permission))
    }
  })
})

describe('the handlers', () => {
  test('show nobody with a scope anything of the other tenant', async () => {
    const own = await makeTestServer((parts) => makeHandlers(parts))
    const mine = await addTenant(own, 'red', OWNER)
    const other = await addTenant(own, 'blue', OWNER)
    for (const person of people.filter(({ scope }) => scope !== null)) {
      own.callers.set(nameOf(person), person)
      for (const name of Object.keys(makeHandlers(own)) as RouteName[]) {
        for (const tenant of [mine, other]) {
          const { text, status } = await send(own, name, tenant, nameOf(person))
          const title = `${nameOf(person)}: ${name} ${status}`
          expect(status, title).toBeLessThan(500)
          // An id that was asked for may be named in the refusal, nothing else of the object.
          if (status < 300) {
            for (const id of Object.values(other)) expect(text, title).not.toContain(id)
          }
          expect(text, title).not.toContain('blue')
        }
      }
    }
    await own[Symbol.asyncDispose]()
  })
})
