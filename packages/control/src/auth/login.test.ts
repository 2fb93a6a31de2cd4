import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { verifyAudit } from '../audit/audit-verify.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { addUser, CALLER, makeAuth, PASSWORD } from './auth.test-support.ts'
import type { TestAuth } from './auth.test-support.ts'
import { makeAuthenticate } from './authenticate.ts'
import { makeFirstAdmin, resetAdmin } from './first-admin.ts'
import { ADDRESS_LIMITS, LoginLimiter, NAME_LIMITS, network } from './login-limiter.ts'
import { PasswordLogin } from './login.ts'
import type { LoginRequest } from './login.ts'
import { PasswordHasher } from './password.ts'
import { CHEAP } from './password.test-support.ts'
import { beginSecondFactor, confirmSecondFactor } from './second-factor.ts'
import { cookieText } from './sessions.ts'
import { findUser, sealSecondFactor, updateUser } from './user-repository.ts'
import type { UserRow } from './user-repository.ts'

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return error instanceof MaasError ? `${error.code}: ${error.message}` : String(error)
  }
  return 'ok'
}

/** A second factor in force, its app, and its recovery codes. */
async function addSecondFactor(auth: TestAuth, user: UserRow) {
  const begun = beginSecondFactor(user.name, auth.random)
  const { factor, recoveryCodes } = confirmSecondFactor(begun.factor, auth.random)
  const totpSecret = sealSecondFactor(user.id, factor, auth.serverKey)
  await auth.catalog.transaction((trx) => updateUser(trx, user.id, { totpSecret }))
  const app = new TOTP({ secret: Secret.fromBase32(factor.secret) })
  const code = () => app.generate({ timestamp: auth.clock.wallMs() })
  return { code, recoveryCodes }
}

class RecordingHasher extends PasswordHasher {
  readonly asked: (string | null)[] = []

  override verify(phc: string | null, password: string): Promise<boolean> {
    this.asked.push(phc)
    return super.verify(phc, password)
  }
}

describeBothCatalogs('login', (make) => {
  const start = async () => {
    const auth = await makeAuth(make)
    const logins = new PasswordLogin(auth)
    const login = (request: Partial<LoginRequest> = {}) =>
      logins.login({ name: 'anna', password: PASSWORD, ...request }, CALLER)
    // As long as no bucket is ever empty: these tests are about accounts.
    const refused = async (request: Partial<LoginRequest> = {}) => {
      auth.clock.advance(1)
      return codeOf(
        new PasswordLogin(auth).login({ name: 'anna', password: PASSWORD, ...request }, CALLER),
      )
    }
    return { auth, login, refused }
  }

  test('the right name and password open a session that authenticates', async () => {
    const { auth, login } = await start()
    const user = await addUser(auth, { scope: { env: 'prod' } })
    const { session } = await login({ name: 'Anna' })
    const cookie = cookieText(session.secret, true).split(';')[0]!
    const principal = await makeAuthenticate(auth)({ method: 'GET', headers: { cookie } })
    expect(principal).toEqual({
      actor: `user:${user.id}`,
      userId: user.id,
      roles: ['operator'],
      scope: { env: 'prod' },
      sessionHash: session.hash,
    })
    const row = await findUser(auth.catalog.db, user.id)
    expect(row!.lastLoginAt).toBe(auth.clock.wallMs())
  })

  test('every refusal reads the same, whatever the reason', async () => {
    const { auth, refused } = await start()
    await addUser(auth)
    const disabled = await addUser(auth, { name: 'bert' })
    await auth.catalog.transaction((trx) => updateUser(trx, disabled.id, { state: 'disabled' }))
    await addUser(auth, { name: 'oidc-only', password: null })
    const answers = [
      await refused({ password: 'wrong' }),
      await refused({ name: 'nobody' }),
      await refused({ name: 'bert' }),
      await refused({ name: 'oidc-only' }),
      await refused({ name: '' }),
    ]
    expect(new Set(answers)).toEqual(new Set(['LOGIN_FAILED: name, password or code is wrong']))
    const rows = await auth.catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    expect(rows.map((row) => [row.outcome, row.reason])).toEqual([
      ['refused', 'wrong password'],
      ['refused', 'unknown name'],
      ['refused', 'disabled'],
      ['refused', 'wrong password'],
      ['refused', 'unknown name'],
    ])
    expect(JSON.stringify(rows)).not.toContain('nobody')
  })

  test('a name that is none, or has no password, is verified like any other, once', async () => {
    const { auth } = await start()
    const row = await addUser(auth)
    await addUser(auth, { name: 'oidc-only', password: null })
    const hasher = new RecordingHasher(auth.random, CHEAP)
    const logins = new PasswordLogin({ ...auth, hasher })
    for (const name of ['anna', 'nobody', 'oidc-only']) {
      await codeOf(logins.login({ name, password: 'wrong' }, CALLER))
    }
    expect(hasher.asked).toEqual([row.passwordHash, null, null])
  })

  test('after failures the account waits, twice as long each time, up to a quarter hour', async () => {
    const { auth, refused } = await start()
    const user = await addUser(auth)
    const waits: number[] = []
    for (let i = 0; i < 17; i += 1) {
      await refused({ password: 'wrong' })
      const { lockedUntil } = (await findUser(auth.catalog.db, user.id))!
      const now = auth.clock.wallMs()
      waits.push(lockedUntil === null ? 0 : lockedUntil - now)
      if (lockedUntil === null) continue
      // During the wait the right password is refused too, and nothing is counted.
      expect(await refused()).toContain('LOGIN_FAILED')
      auth.clock.advance(lockedUntil - auth.clock.wallMs())
    }
    expect(waits).toEqual([
      0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000,
      900_000, 900_000, 900_000,
    ])
    expect(await refused()).toBe('ok')
    expect(await findUser(auth.catalog.db, user.id)).toMatchObject({
      failedLogins: 0,
      lockedUntil: null,
    })
    expect(await verifyAudit(auth.catalog.db, [])).toMatchObject({ intact: true })
  })

  test('a second factor is asked for, and a code is taken once', async () => {
    const { auth, refused } = await start()
    const { code } = await addSecondFactor(auth, await addUser(auth))
    expect(await refused()).toContain('SECOND_FACTOR_REQUIRED')
    expect(await refused({ password: 'wrong', code: code() })).toContain('LOGIN_FAILED')
    expect(await refused({ code: '000000' })).toContain('LOGIN_FAILED')
    const first = code()
    expect(await refused({ code: first })).toBe('ok')
    expect(await refused({ code: first })).toContain('LOGIN_FAILED')
    auth.clock.advance(30_000)
    expect(await refused({ code: first })).toContain('LOGIN_FAILED')
    expect(await refused({ code: code() })).toBe('ok')
  })

  test('a phone whose clock is half a minute off still gets in, a minute off not', async () => {
    const { auth, refused } = await start()
    const { code } = await addSecondFactor(auth, await addUser(auth))
    const early = code()
    auth.clock.advance(60_000)
    expect(await refused({ code: early })).toContain('LOGIN_FAILED')
    const late = code()
    auth.clock.advance(30_000)
    expect(await refused({ code: late })).toBe('ok')
  })

  test('two logins with one code at the same time: one gets in', async () => {
    const { auth } = await start()
    const { code } = await addSecondFactor(auth, await addUser(auth))
    const request = { name: 'anna', password: PASSWORD, code: code() }
    const tries = await Promise.all(
      [1, 2, 3, 4].map(() => codeOf(new PasswordLogin(auth).login(request, CALLER))),
    )
    expect(tries.filter((answer) => answer === 'ok')).toHaveLength(1)
  })

  test('each recovery code opens the door once', async () => {
    const { auth, refused } = await start()
    const { recoveryCodes } = await addSecondFactor(auth, await addUser(auth))
    expect(recoveryCodes).toHaveLength(10)
    expect(recoveryCodes[0]).toMatch(/^[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$/)
    expect(await refused({ code: recoveryCodes[0]!.toUpperCase().replace('-', ' ') })).toBe('ok')
    expect(await refused({ code: recoveryCodes[0]! })).toContain('LOGIN_FAILED')
    expect(await refused({ code: recoveryCodes[9]! })).toBe('ok')
  })

  test('a login ends the session that the browser came with', async () => {
    const { auth, login } = await start()
    await addUser(auth)
    const first = await login()
    const second = await login({ replaces: first.session.secret })
    expect(second.session.secret).not.toBe(first.session.secret)
    const rows = await auth.catalog.db.selectFrom('session').select('hash').execute()
    expect(rows).toEqual([{ hash: second.session.hash }])
  })

  test('neither cookie, password nor code is in the catalog as it was given', async () => {
    const { auth, login } = await start()
    const { code, recoveryCodes } = await addSecondFactor(auth, await addUser(auth))
    const { session } = await login({ code: code() })
    const tables = ['user', 'session', 'audit', 'meta', 'event'] as const
    for (const table of tables) {
      const text = JSON.stringify(await auth.catalog.db.selectFrom(table).selectAll().execute())
      for (const secret of [session.secret, session.csrfToken, PASSWORD, recoveryCodes[1]!]) {
        expect(text).not.toContain(secret)
      }
    }
  })

  test('one session too many ends the one unused the longest', async () => {
    const { auth } = await start()
    await addUser(auth)
    for (let i = 0; i < 22; i += 1) {
      auth.clock.advance(1000)
      await new PasswordLogin(auth).login({ name: 'anna', password: PASSWORD }, CALLER)
    }
    const rows = await auth.catalog.db.selectFrom('session').select('createdAt').execute()
    expect(rows).toHaveLength(20)
    expect(Math.min(...rows.map((row) => row.createdAt))).toBe(auth.clock.wallMs() - 19_000)
  })

  test('the first start makes admin, once; its password must be changed before anything', async () => {
    const { auth, login } = await start()
    const made = await Promise.all([makeFirstAdmin(auth), makeFirstAdmin(auth)])
    const admins = made.filter((one) => one !== undefined)
    expect(admins).toHaveLength(1)
    expect(await makeFirstAdmin(auth)).toBeUndefined()
    const { session } = await login(admins[0]!)
    const headers = { cookie: `__Host-openmaas=${session.secret}` }
    const principal = await makeAuthenticate(auth)({ method: 'GET', headers })
    expect(principal).toMatchObject({ roles: [], mustChangePassword: true })
  })

  test('the way back: admin is reset with all that stood in its way', async () => {
    const { auth, login, refused } = await start()
    const user = await addUser(auth, { name: 'admin', roles: ['auditor'], scope: { a: 'b' } })
    await addSecondFactor(auth, user)
    await auth.catalog.transaction((trx) => updateUser(trx, user.id, { state: 'disabled' }))
    const { password } = await resetAdmin(auth)
    expect(await refused({ name: 'admin' })).toContain('LOGIN_FAILED')
    const { user: back } = await login({ name: 'admin', password })
    expect(back).toMatchObject({ rolesJson: '["admin"]', scopeJson: null, state: 'active' })
  })
})

test('names and addresses have buckets of tries that fill again', () => {
  const clock = new FakeClock()
  const limiter = new LoginLimiter(clock)
  for (let i = 0; i < NAME_LIMITS.burst; i += 1) limiter.check('192.0.2.1', 'anna')
  expect(() => limiter.check('192.0.2.1', 'anna')).toThrow(
    expect.objectContaining({
      code: 'LOGIN_THROTTLED',
      details: { retryAfterSeconds: 6 },
    }) as Error,
  )
  limiter.check('192.0.2.1', 'bert')
  limiter.check('192.0.2.2', 'anna')
  clock.advance(NAME_LIMITS.refillMs)
  limiter.check('192.0.2.1', 'anna')
  for (let i = 0; i < ADDRESS_LIMITS.burst; i += 1) {
    limiter.check(`2001:db8::${i}`, `name ${i}`)
  }
  expect(() => limiter.check('2001:db8:0:0:ffff::1', 'somebody')).toThrow('too many logins')
  limiter.check('2001:db8:0:1::1', 'somebody')
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('the address %s is counted as %s', (address, expected) => {
  expect(network(address)).toBe(expected)
})
