import { Secret, TOTP } from 'otpauth'
import { afterEach, expect, test } from 'vitest'
import { routeNames } from '@openmaas/api/routes/routes'
import { verifyAudit } from '../audit/audit-verify.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { EventFeed } from '../catalog/events.ts'
import { makeHttpServer } from '../http/server.ts'
import type { HttpServer } from '../http/server.ts'
import { addUser, makeAuth, PASSWORD } from './auth.test-support.ts'
import type { TestUser } from './auth.test-support.ts'
import { makeAuthenticate } from './authenticate.ts'
import { authHandlers } from './handlers.ts'
import { safePath } from './handlers/oidc-handlers.ts'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
interface Answer {
  readonly status: number
  readonly body: Record<string, never> & { code?: string; id?: string }
  readonly headers: Readonly<Record<string, unknown>>
}

/** A browser of one person. */
class Browser {
  readonly #server: HttpServer
  cookie = ''
  csrf = ''

  constructor(server: HttpServer) {
    this.#server = server
  }

  async ask(method: Method, path: string, body?: object, headers: object = {}): Promise<Answer> {
    const answer = await this.#server.app.inject({
      method,
      url: `/api/v1${path}`,
      headers: { cookie: this.cookie, 'x-csrf-token': this.csrf, host: 'maas.example', ...headers },
      ...(body === undefined ? {} : { payload: body }),
    })
    const text = answer.body
    const parsed = text.startsWith('{')
      ? (JSON.parse(text) as Answer['body'])
      : ({} as Answer['body'])
    return { status: answer.statusCode, body: parsed, headers: answer.headers }
  }

  async login(name: string, password = PASSWORD, code?: string): Promise<Answer> {
    const answer = await this.ask('POST', '/login', { name, password, ...(code && { code }) })
    const cookies = answer.headers['set-cookie'] as string | string[] | undefined
    const set = typeof cookies === 'string' ? cookies : (cookies?.[0] ?? '')
    if (answer.status === 200) {
      this.cookie = set.split(';')[0]!
      this.csrf = String(answer.body['csrfToken'])
    }
    return answer
  }
}

describeBothCatalogs('the API of auth', (make) => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
  })

  const start = async () => {
    const auth = await makeAuth(make)
    const handlers = authHandlers(auth)
    const events = new EventFeed(auth.catalog, { onError: () => undefined })
    const server = await makeHttpServer({
      catalog: auth.catalog,
      clock: auth.clock,
      random: auth.random,
      events,
      handlers,
      authenticate: makeAuthenticate(auth),
      version: '0.0.0',
      idempotencyKey: auth.random.bytes(32),
      withheld: routeNames.filter((name) => !(name in handlers)),
    })
    open.push(events, server)
    const enter = async (user: TestUser) => {
      const row = await addUser(auth, user)
      const browser = new Browser(server)
      await browser.login(row.name)
      return { browser, row }
    }
    return { auth, server, enter, browser: new Browser(server) }
  }

  test('login gives a cookie that scripts cannot read, and the value for changes', async () => {
    const { enter, auth } = await start()
    const { browser, row } = await enter({ roles: ['operator'], scope: { env: 'prod' } })
    const answer = await browser.login('anna')
    expect(answer.headers['set-cookie']).toMatch(
      /^__Host-openmaas=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    )
    const { body } = await browser.ask('GET', '/me')
    expect(body).toMatchObject({
      actor: `user:${row.id}`,
      roles: ['operator'],
      scope: { env: 'prod' },
      csrfToken: browser.csrf,
      mustChangePassword: false,
      expiresAt: new Date(auth.clock.wallMs() + 12 * 3_600_000).toISOString(),
    })
    expect((await browser.ask('POST', '/logout')).status).toBe(204)
    expect((await browser.ask('GET', '/me')).status).toBe(401)
  })

  test('a first password opens nothing but the change of it, and ends other sessions', async () => {
    const { enter, server } = await start()
    const { browser } = await enter({ roles: ['admin'], mustChangePassword: true })
    expect((await browser.ask('GET', '/users')).body.code).toBe('PASSWORD_CHANGE_REQUIRED')
    const other = new Browser(server)
    await other.login('anna')
    const change = (current: string, next: string) =>
      browser.ask('POST', '/me/password', { current, next })
    expect((await change('wrong password', 'a new long password')).status).toBe(401)
    expect((await change(PASSWORD, 'anna-anna-anna')).body.code).toBe('PASSWORD_UNFIT')
    expect((await change(PASSWORD, PASSWORD)).body.code).toBe('PASSWORD_UNFIT')
    expect((await change(PASSWORD, 'a new long password')).status).toBe(204)
    expect((await browser.ask('GET', '/users')).status).toBe(200)
    expect((await other.ask('GET', '/me')).status).toBe(401)
    expect((await other.login('anna')).status).toBe(401)
    expect((await other.login('anna', 'a new long password')).status).toBe(200)
  })

  test('a second factor is set up with its app, asked for, and removed with the password', async () => {
    const { auth, enter } = await start()
    const { browser } = await enter({})
    const begun = await browser.ask('POST', '/me/totp')
    expect(begun.body['uri']).toMatch(/^otpauth:\/\/totp\/OpenMaaS:anna\?issuer=OpenMaaS&secret=/)
    const app = new TOTP({ secret: Secret.fromBase32(String(begun.body['secret'])) })
    const code = () => app.generate({ timestamp: auth.clock.wallMs() })
    // Not in force before its first code.
    expect((await browser.login('anna')).status).toBe(200)
    const wrong = await browser.ask('POST', '/me/totp/confirm', { code: '000000' })
    expect(wrong.status).toBe(401)
    const confirmed = await browser.ask('POST', '/me/totp/confirm', { code: code() })
    expect(confirmed.body['recoveryCodes']).toHaveLength(10)
    expect((await browser.ask('POST', '/me/totp')).body.code).toBe('TOTP_PRESENT')
    expect((await browser.login('anna')).body.code).toBe('SECOND_FACTOR_REQUIRED')
    auth.clock.advance(30_000)
    expect((await browser.login('anna', PASSWORD, code())).status).toBe(200)
    expect((await browser.ask('POST', '/me/totp/remove', { password: 'no' })).status).toBe(401)
    expect((await browser.ask('POST', '/me/totp/remove', { password: PASSWORD })).status).toBe(204)
    expect((await browser.login('anna')).status).toBe(200)
  })

  test('people are made, changed, locked and removed, but for the last administrator', async () => {
    const { auth, enter, server } = await start()
    const { browser, row } = await enter({ name: 'root', roles: ['admin'] })
    const made = await browser.ask('POST', '/users', { name: 'Bert', roles: ['operator'] })
    const { user, password } = made.body as unknown as { user: { id: string }; password: string }
    expect(made).toMatchObject({
      status: 201,
      body: { user: { name: 'bert', displayName: 'Bert' } },
    })
    expect((await browser.ask('POST', '/users', { name: 'bert', roles: ['auditor'] })).status).toBe(
      409,
    )
    const bert = new Browser(server)
    expect((await bert.login('bert', password)).body['mustChangePassword']).toBe(true)
    const path = `/users/${user.id}`
    const { headers } = await browser.ask('GET', path)
    const change = { roles: ['auditor'], scope: { team: ['a', 'b'] } }
    expect((await browser.ask('PATCH', path, change)).status).toBe(428)
    const changed = await browser.ask('PATCH', path, change, { 'if-match': headers['etag'] })
    expect(changed).toMatchObject({ status: 200, body: change })
    const stale = await browser.ask('PATCH', path, change, { 'if-match': headers['etag'] })
    expect(stale.status).toBe(412)
    expect((await browser.ask('POST', `${path}/lock`)).body).toMatchObject({ state: 'disabled' })
    expect((await bert.ask('GET', '/me')).status).toBe(401)
    expect((await browser.ask('POST', `${path}/unlock`)).body).toMatchObject({ state: 'active' })
    expect((await browser.ask('DELETE', `${path}?dryRun=true`)).status).toBe(200)
    expect((await browser.ask('DELETE', path)).status).toBe(204)
    expect((await browser.ask('GET', path)).status).toBe(404)
    for (const [method, own, body] of [
      ['DELETE', '', undefined],
      ['POST', '/lock', undefined],
      ['PATCH', '', { roles: ['operator'] }],
      ['PATCH', '', { scope: { a: 'b' } }],
    ] as const) {
      const answer = await browser.ask(method, `/users/${row.id}${own}`, body, { 'if-match': '*' })
      expect(answer.body.code).toBe('USER_LAST_ADMIN')
    }
    expect(await verifyAudit(auth.catalog.db, [])).toMatchObject({ intact: true })
    const audit = await auth.catalog.db.selectFrom('audit').selectAll().execute()
    expect(JSON.stringify(audit)).not.toContain(password)
  })

  test('a password that was reset ends the sessions, and is shown once', async () => {
    const { enter, server } = await start()
    const { browser } = await enter({ name: 'root', roles: ['admin'] })
    const { browser: bert, row } = await enter({ name: 'bert' })
    const { body } = await browser.ask('POST', `/users/${row.id}/reset-password`)
    expect((await bert.ask('GET', '/me')).status).toBe(401)
    const again = await new Browser(server).login('bert', String(body['password']))
    expect(again.body['mustChangePassword']).toBe(true)
  })

  test('tokens are made and revoked by their user, and cannot touch the account', async () => {
    const { auth, enter, server } = await start()
    const { browser } = await enter({ roles: ['operator', 'auditor'] })
    const expiresAt = new Date(auth.clock.wallMs() + 86_400_000).toISOString()
    const fresh = { name: 'ci', roles: ['auditor'], expiresAt }
    const made = await browser.ask('POST', '/me/tokens', fresh)
    const { token, secret } = made.body as unknown as { token: { id: string }; secret: string }
    expect(made.status).toBe(201)
    const bearer = { authorization: `Bearer ${secret}` }
    const program = new Browser(server)
    const me = await program.ask('GET', '/me', undefined, bearer)
    expect(me.body).toMatchObject({
      actor: `token:${token.id}`,
      roles: ['auditor'],
      csrfToken: null,
    })
    for (const [path, body] of [
      ['/me/password', { current: PASSWORD, next: 'a new long password' }],
      ['/me/totp', undefined],
      ['/me/totp/remove', { password: PASSWORD }],
      ['/logout', undefined],
    ] as const) {
      const answer = await program.ask('POST', path, body, bearer)
      expect(answer.body.code).toBe('PERMISSION_DENIED')
    }
    const more = { name: 'more', roles: ['operator'], expiresAt }
    const refused = await program.ask('POST', '/me/tokens', more, bearer)
    expect(refused.body.code).toBe('TOKEN_EXCEEDS_USER')
    const listed = await browser.ask('GET', '/me/tokens')
    expect(JSON.stringify(listed.body)).not.toContain(secret)
    expect(listed.body['items']).toHaveLength(1)
    const { browser: other } = await enter({ name: 'bert' })
    expect((await other.ask('DELETE', `/me/tokens/${token.id}`)).status).toBe(404)
    expect((await browser.ask('DELETE', `/me/tokens/${token.id}`)).status).toBe(204)
    expect((await program.ask('GET', '/me', undefined, bearer)).status).toBe(401)
  })

  test('consent is asked for by who may act, given by a security officer', async () => {
    const { enter } = await start()
    const { browser } = await enter({ roles: ['operator'] })
    const { browser: officer } = await enter({ name: 'olaf', roles: ['security-officer'] })
    const { browser: auditor } = await enter({ name: 'aud', roles: ['auditor'] })
    const wish = { action: 'deletePoint', object: 'pnt_1', reason: 'asked for by the owner' }
    expect((await auditor.ask('POST', '/approvals', wish)).status).toBe(403)
    for (const action of ['login', 'getMe', 'no such route']) {
      expect((await browser.ask('POST', '/approvals', { ...wish, action })).status).toBe(422)
    }
    const asked = await browser.ask('POST', '/approvals', wish)
    expect(asked).toMatchObject({ status: 201, body: { state: 'waiting' } })
    const path = `/approvals/${asked.body.id}`
    expect((await browser.ask('POST', `${path}/approve`, {})).status).toBe(403)
    expect((await officer.ask('POST', `${path}/approve`, {})).body).toMatchObject({
      state: 'approved',
    })
    expect((await officer.ask('POST', `${path}/refuse`, {})).status).toBe(409)
    const listed = await officer.ask('GET', '/approvals?filter[state]=approved')
    expect(listed.body['items']).toHaveLength(1)
  })

  test('a data consumer sees what became of its own requests for consent, and of no other', async () => {
    const { enter } = await start()
    const { browser } = await enter({ roles: ['data-consumer'] })
    const { browser: operator } = await enter({ name: 'olga', roles: ['operator'] })
    const wish = { action: 'createVirtualDatabase', object: 'src_1', reason: 'a test' }
    const own = await browser.ask('POST', '/approvals', wish)
    const other = await operator.ask('POST', '/approvals', wish)
    expect((await browser.ask('GET', `/approvals/${own.body.id}`)).status).toBe(200)
    expect((await browser.ask('GET', `/approvals/${other.body.id}`)).status).toBe(404)
    const listed = await browser.ask('GET', '/approvals')
    expect(listed.body['items']).toMatchObject([{ id: own.body.id }])
    const all = await operator.ask('GET', '/approvals')
    expect(all.body['items']).toHaveLength(2)
  })

  test('settings are changed by an administrator, with their version', async () => {
    const { auth, enter } = await start()
    const { browser } = await enter({ roles: ['admin'] })
    const { headers } = await browser.ask('GET', '/settings')
    const match = { 'if-match': headers['etag'] }
    const oidc = [
      { name: 'corp', issuer: 'https://id.example', clientId: 'x', clientSecret: 'hush hush' },
    ]
    const changed = await browser.ask('PATCH', '/settings', { fourEyes: true, oidc }, match)
    expect(changed).toMatchObject({ status: 200, body: { fourEyes: true, version: 2 } })
    expect(JSON.stringify(changed.body)).not.toContain('hush')
    expect((await browser.ask('PATCH', '/settings', { fourEyes: false }, match)).status).toBe(412)
    const nowhere = { auditSyslog: { address: 'a:b:c', transport: 'tcp' } }
    const latest = { 'if-match': changed.headers['etag'] }
    const refused = await browser.ask('PATCH', '/settings', nowhere, latest)
    expect(refused.status).toBe(422)
    expect((await auth.settings.load()).fourEyes).toBe(true)
    const methods = await browser.ask('GET', '/login')
    expect(methods.body['oidc']).toEqual([{ name: 'corp', startUrl: '/api/v1/login/oidc/corp' }])
    const audit = await auth.catalog.db.selectFrom('audit').selectAll().execute()
    expect(JSON.stringify(audit)).not.toContain('hush')
  })

  test('a login at a provider that is none ends at the login page, or nowhere', async () => {
    const { auth, browser } = await start()
    expect((await browser.ask('GET', '/login/oidc/none')).status).toBe(404)
    const corp = { name: 'corp', issuer: 'http://127.0.0.1:9', clientId: 'x' }
    const defaults = { scopes: [], groupsClaim: 'groups', groupRoles: {} }
    const change = { oidc: [{ ...corp, ...defaults }] }
    await auth.catalog.transaction((trx) => auth.settings.change(trx, change))
    await auth.settings.reload()
    const begun = await browser.ask('GET', '/login/oidc/corp?to=/points')
    expect([begun.status, begun.headers['location']]).toEqual([
      302,
      '/login?problem=OIDC_UNREACHABLE',
    ])
    const back = await browser.ask('GET', '/login/oidc/corp/callback?code=x&state=y')
    expect([back.status, back.headers['location']]).toEqual([302, '/login?problem=OIDC_REFUSED'])
  })

  test('own sessions are listed and ended, not those of others', async () => {
    const { enter, server } = await start()
    const { browser } = await enter({})
    const second = new Browser(server)
    await second.login('anna')
    const { body } = await browser.ask('GET', '/me/sessions')
    const items = body['items'] as unknown as { id: string; current: boolean }[]
    expect(new Set(items.map((one) => one.current))).toEqual(new Set([false, true]))
    const other = items.find((one) => !one.current)!
    const { browser: bert } = await enter({ name: 'bert' })
    expect((await bert.ask('DELETE', `/me/sessions/${other.id}`)).status).toBe(404)
    expect((await browser.ask('DELETE', `/me/sessions/${other.id}`)).status).toBe(204)
    expect((await second.ask('GET', '/me')).status).toBe(401)
  })
})

test.each([
  ['/points?a=b#c', '/points?a=b#c'],
  [undefined, '/'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['https://evil.example', '/'],
  ['/..//evil.example', '/'],
])('after login, %s leads to %s', (to, expected) => {
  expect(safePath(to)).toBe(expected)
})
