import fc from 'fast-check'
import type { IncomingHttpHeaders } from 'node:http'
import { expect, test } from 'vitest'
import type { Principal } from '@openmaas/api/permissions'
import { MaasError } from '@openmaas/kernel/errors'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { addUser, CALLER, makeAuth } from './auth.test-support.ts'
import type { TestAuth, TestUser } from './auth.test-support.ts'
import { makeAuthenticate } from './authenticate.ts'
import { cookieText, openSession, sweepSessions } from './sessions.ts'
import { insertToken, revokeToken, showToken } from './tokens.ts'
import type { NewToken } from './tokens.ts'
import { parseRoles, parseScope, updateUser } from './user-repository.ts'
import type { UserRow } from './user-repository.ts'

const HOUR_MS = 3_600_000

function principalOf(user: UserRow): Principal {
  const { rolesJson, scopeJson } = user
  const actor = `user:${user.id}`
  return { actor, userId: user.id, roles: parseRoles(rolesJson), scope: parseScope(scopeJson) }
}

async function addToken(auth: TestAuth, user: UserRow, token: Partial<NewToken> = {}) {
  const expiresAt = auth.clock.wallMs() + HOUR_MS
  const fresh = { user, by: principalOf(user), name: 'ci', expiresAt, ...token }
  return auth.catalog.transaction((trx) => insertToken(trx, auth, fresh))
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return error instanceof MaasError ? error.code : String(error)
  }
  return 'ok'
}

describeBothCatalogs('a request', (make) => {
  const start = async (user: TestUser = {}) => {
    const auth = await makeAuth(make)
    const row = await addUser(auth, user)
    const authenticate = makeAuthenticate(auth)
    const session = await auth.catalog.transaction((trx) =>
      openSession(trx, auth, { userId: row.id, address: CALLER.address }),
    )
    const cookie = `theme=dark; ${cookieText(session.secret, true).split(';')[0]!}`
    const ask = (method: string, headers: IncomingHttpHeaders = {}) =>
      authenticate({ method, headers: { cookie, host: 'maas.example', ...headers } })
    return { auth, row, authenticate, session, ask }
  }

  test('that reads needs the cookie; one that changes also the value given at login', async () => {
    const { ask, session, row } = await start()
    expect(await ask('GET')).toMatchObject({ actor: `user:${row.id}` })
    expect(await codeOf(ask('POST'))).toBe('CSRF_REFUSED')
    expect(await codeOf(ask('DELETE', { 'x-csrf-token': 'guess' }))).toBe('CSRF_REFUSED')
    const shown = { 'x-csrf-token': session.csrfToken }
    expect(await ask('POST', shown)).toMatchObject({ actor: `user:${row.id}` })
    expect(await ask('PATCH', { ...shown, origin: 'https://maas.example' })).toBeDefined()
  })

  test('from a page of somebody else is refused, even with the right value', async () => {
    const { ask, session, auth } = await start()
    const shown = { 'x-csrf-token': session.csrfToken }
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect(await codeOf(ask('POST', { ...shown, ...headers }))).toBe('CSRF_REFUSED')
    }
    // Behind a proxy that has a name of its own.
    const change = { publicUrl: 'https://backup.example/maas' }
    await auth.catalog.transaction((trx) => auth.settings.change(trx, change))
    await auth.settings.reload()
    expect(await codeOf(ask('POST', { ...shown, origin: 'https://backup.example' }))).toBe('ok')
  })

  test('after half an hour of nothing, or twelve hours of work, is nobody’s', async () => {
    const { ask, auth } = await start()
    auth.clock.advance(29 * 60_000)
    expect(await ask('GET')).toBeDefined()
    auth.clock.advance(29 * 60_000)
    expect(await ask('GET')).toBeDefined()
    auth.clock.advance(30 * 60_000)
    expect(await ask('GET')).toBeUndefined()
    const again = await start()
    for (let i = 0; i < 12 * 3 - 1; i += 1) {
      again.auth.clock.advance(20 * 60_000)
      expect(await again.ask('GET')).toBeDefined()
    }
    again.auth.clock.advance(20 * 60_000)
    expect(await again.ask('GET')).toBeUndefined()
    await sweepSessions(again.auth)
    expect(await again.auth.catalog.db.selectFrom('session').selectAll().execute()).toEqual([])
  })

  test('of somebody disabled is nobody’s at once, by session and by token', async () => {
    const { ask, auth, row, authenticate } = await start()
    const { secret } = await addToken(auth, row)
    const headers = { authorization: `Bearer ${secret}` }
    expect(await authenticate({ method: 'POST', headers })).toMatchObject({ userId: row.id })
    await auth.catalog.transaction((trx) => updateUser(trx, row.id, { state: 'disabled' }))
    expect(await ask('GET')).toBeUndefined()
    expect(await authenticate({ method: 'POST', headers })).toBeUndefined()
  })

  test('with a header that is no good does not fall back to the cookie', async () => {
    const { ask } = await start()
    for (const authorization of ['', 'Basic YTpi', 'Bearer', 'Bearer msk_x', 'bearer  msk_']) {
      expect(await ask('GET', { authorization })).toBeUndefined()
    }
  })

  test('without anything, or with a cookie that was made up, is nobody’s', async () => {
    const { authenticate } = await start()
    for (const cookie of [
      '',
      '__Host-openmaas=',
      '__Host-openmaas=x',
      'x__Host-openmaas=y',
      ';;=;',
    ]) {
      expect(await authenticate({ method: 'GET', headers: { cookie } })).toBeUndefined()
    }
    expect(await authenticate({ method: 'GET', headers: {} })).toBeUndefined()
  })

  test('whatever stands in its headers is answered, and never let in', async () => {
    const { authenticate } = await start()
    const text = fc.string({ unit: 'binary', maxLength: 80 })
    const cases = fc.asyncProperty(text, text, async (authorization, value) => {
      const bearer = `Bearer ${authorization}`
      const cookie = `__Host-openmaas=${value}`
      expect(
        await authenticate({ method: 'GET', headers: { authorization: bearer } }),
      ).toBeUndefined()
      expect(await authenticate({ method: 'POST', headers: { cookie } })).toBeUndefined()
    })
    await fc.assert(cases, { numRuns: 50 })
  })

  test('by a token ends with its date, and with its revocation', async () => {
    const { auth, row, authenticate } = await start()
    const { secret, row: token } = await addToken(auth, row)
    const headers = { authorization: `bearer ${secret}` }
    expect(await authenticate({ method: 'GET', headers })).toEqual({
      actor: `token:${token.id}`,
      userId: row.id,
      tokenId: token.id,
      roles: ['operator'],
      scope: null,
    })
    auth.clock.advance(HOUR_MS - 1)
    expect(await authenticate({ method: 'GET', headers })).toBeDefined()
    auth.clock.advance(1)
    expect(await authenticate({ method: 'GET', headers })).toBeUndefined()
    const second = await addToken(auth, row)
    const other = { authorization: `Bearer ${second.secret}` }
    expect(await authenticate({ method: 'GET', headers: other })).toBeDefined()
    await auth.catalog.transaction((trx) => revokeToken(trx, second.row.id, auth.clock.wallMs()))
    expect(await authenticate({ method: 'GET', headers: other })).toBeUndefined()
  })

  test('by a token notes when it was last used, once a minute at most', async () => {
    const { auth, row, authenticate } = await start()
    const { secret, row: token } = await addToken(auth, row)
    const used = async () => {
      await authenticate({ method: 'GET', headers: { authorization: `Bearer ${secret}` } })
      const query = auth.catalog.db.selectFrom('token').selectAll().where('id', '=', token.id)
      return (await query.executeTakeFirstOrThrow()).lastUsedAt
    }
    const first = await used()
    expect(first).toBe(auth.clock.wallMs())
    auth.clock.advance(59_000)
    expect(await used()).toBe(first)
    auth.clock.advance(1000)
    expect(await used()).toBe(auth.clock.wallMs())
  })

  test('by a token may never do more than its user now', async () => {
    const { auth, row, authenticate } = await start({ roles: ['operator', 'auditor'] })
    const scope = { env: ['prod', 'test'], team: 'shop' }
    const { secret } = await addToken(auth, row, { scope })
    const headers = { authorization: `Bearer ${secret}` }
    const change = { rolesJson: '["auditor","data-consumer"]', scopeJson: '{"env":"prod"}' }
    await auth.catalog.transaction((trx) => updateUser(trx, row.id, change))
    expect(await authenticate({ method: 'GET', headers })).toMatchObject({
      roles: ['auditor'],
      scope: { env: ['prod'], team: 'shop' },
    })
    const away = { scopeJson: '{"env":"stage"}' }
    await auth.catalog.transaction((trx) => updateUser(trx, row.id, away))
    expect(await authenticate({ method: 'GET', headers })).toBeUndefined()
  })

  test('for a token beyond its maker’s roles, scope or time is refused', async () => {
    const { auth, row } = await start({ roles: ['operator'], scope: { env: 'prod' } })
    const now = auth.clock.wallMs()
    const tries: [Partial<NewToken>, string][] = [
      [{ roles: ['admin'] }, 'TOKEN_EXCEEDS_USER'],
      [{ roles: ['operator', 'auditor'] }, 'TOKEN_EXCEEDS_USER'],
      [{ scope: { env: 'test' } }, 'TOKEN_EXCEEDS_USER'],
      [{ by: { ...principalOf(row), roles: [] } }, 'TOKEN_EXCEEDS_USER'],
      [{ expiresAt: now }, 'REQUEST_INVALID'],
      [{ expiresAt: now + 400 * 24 * HOUR_MS }, 'REQUEST_INVALID'],
    ]
    for (const [token, code] of tries) expect(await codeOf(addToken(auth, row, token))).toBe(code)
    const made = await addToken(auth, row, { scope: { team: 'shop' } })
    expect(showToken(made.row)).toMatchObject({ scope: { team: 'shop', env: 'prod' } })
  })
})
