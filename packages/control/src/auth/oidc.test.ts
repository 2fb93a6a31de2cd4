import { afterEach, expect, test, vi } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { addUser, CALLER, makeAuth } from './auth.test-support.ts'
import type { TestAuth } from './auth.test-support.ts'
import { CLIENT, IdentityProvider, REDIRECT } from './identity-provider.test-support.ts'
import type { Account } from './identity-provider.test-support.ts'
import { loginOidcPerson } from './oidc-users.ts'
import { OidcLogin } from './oidc.ts'
import { parseRoles } from './user-repository.ts'

const GROUP_ROLES = { backup: ['operator'], audit: ['auditor', 'operator'] } as const
const ANNA: Account = {
  sub: 'subject-1',
  preferred_username: 'Anna Müller',
  name: 'Anna\nMüller',
  email: 'anna@example.org',
  groups: ['backup', 'audit', 'toString'],
}

async function failureOf(promise: Promise<unknown>): Promise<MaasError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MaasError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

async function setProvider(auth: TestAuth, issuer: string, secret: string = CLIENT.secret) {
  const provider = {
    name: 'corp',
    issuer,
    clientId: CLIENT.id,
    clientSecret: secret,
    scopes: ['profile', 'email'],
    groupsClaim: 'groups',
    groupRoles: { backup: [...GROUP_ROLES.backup], audit: [...GROUP_ROLES.audit] },
  }
  await auth.catalog.transaction((trx) => auth.settings.change(trx, { oidc: [provider] }))
  await auth.settings.reload()
  return (await auth.settings.load()).oidc[0]!
}

describeBothCatalogs('login at an identity provider', (make) => {
  const open: IdentityProvider[] = []
  afterEach(async () => {
    for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
  })
  const start = async (inIdToken = true) => {
    // The library says aloud what it warns developers of.
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    vi.spyOn(console, 'info').mockImplementation(() => undefined)
    const auth = await makeAuth(make)
    // Tokens of the provider carry the true time.
    auth.clock.jump(Date.now())
    const identity = await new IdentityProvider().start(inIdToken)
    open.push(identity)
    const provider = await setProvider(auth, identity.issuer)
    const oidc = new OidcLogin(auth)
    const begin = () => oidc.begin(provider, { redirectUri: REDIRECT, to: '/points' })
    const login = async (account: Account) => {
      identity.account = account
      const { location, cookie } = await begin()
      const query = await identity.browse(location)
      const { person, to } = await oidc.end(provider, { query, cookie })
      return { to, ...(await loginOidcPerson(auth, person, CALLER)) }
    }
    return { auth, identity, provider, oidc, begin, login }
  }

  test('makes a person with the roles of the groups, and finds it again by its subject', async () => {
    const { auth, login } = await start()
    const first = await login(ANNA)
    expect(first.to).toBe('/points')
    expect(first.user).toMatchObject({
      name: 'anna.m.ller',
      displayName: 'Anna Müller',
      email: 'anna@example.org',
      passwordHash: null,
      oidcSubject: 'subject-1',
    })
    expect(parseRoles(first.user.rolesJson)).toEqual(['operator', 'auditor'])
    const second = await login({ ...ANNA, preferred_username: 'renamed', groups: ['backup'] })
    expect(second.user.id).toBe(first.user.id)
    expect(second.user.name).toBe('anna.m.ller')
    expect(parseRoles(second.user.rolesJson)).toEqual(['operator'])
    expect(await auth.catalog.db.selectFrom('session').selectAll().execute()).toHaveLength(2)
  })

  test('asks the user-info endpoint where the ID token has no groups', async () => {
    const { login } = await start(false)
    expect(parseRoles((await login(ANNA)).user.rolesJson)).toEqual(['operator', 'auditor'])
  })

  test('lets nobody in without a group, and takes the roles of who lost them', async () => {
    const { auth, login } = await start()
    const stranger = await failureOf(login({ ...ANNA, groups: ['sales'] }))
    expect([stranger.code, stranger.details['reason']]).toEqual([
      'OIDC_REFUSED',
      'no group with a role',
    ])
    expect(await auth.catalog.db.selectFrom('user').selectAll().execute()).toEqual([])
    const { user } = await login(ANNA)
    const { groups: _, ...without } = ANNA
    expect((await failureOf(login(without))).code).toBe('OIDC_REFUSED')
    const row = await auth.catalog.db.selectFrom('user').selectAll().executeTakeFirstOrThrow()
    expect([row.id, row.rolesJson]).toEqual([user.id, '[]'])
    const audit = await auth.catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    expect(audit.map((one) => one.outcome)).toEqual(['refused', 'ok', 'refused'])
  })

  test('keeps out who is disabled here', async () => {
    const { auth, login } = await start()
    const { user } = await login(ANNA)
    const disabled = { state: 'disabled' } as const
    await auth.catalog.db.updateTable('user').set(disabled).where('id', '=', user.id).execute()
    expect((await failureOf(login(ANNA))).details['reason']).toBe('disabled')
  })

  test('never becomes a local person of the same name or address', async () => {
    const { auth, login } = await start()
    const local = await addUser(auth, { name: 'admin', roles: ['admin'] })
    const { user } = await login({ ...ANNA, preferred_username: 'admin' })
    expect(user.id).not.toBe(local.id)
    expect(user.name).toBe('admin-2')
  })

  test('takes an answer only in the browser that asked, once, and soon', async () => {
    const { auth, identity, provider, oidc, begin } = await start()
    identity.account = ANNA
    const mine = await begin()
    const query = await identity.browse(mine.location)
    const other = await begin()
    for (const cookie of [undefined, '', 's1.x', other.cookie]) {
      expect((await failureOf(oidc.end(provider, { query, cookie }))).code).toBe('OIDC_REFUSED')
    }
    const elsewhere = { ...provider, name: 'other' }
    const moved = oidc.end(elsewhere, { query, cookie: mine.cookie })
    expect((await failureOf(moved)).code).toBe('OIDC_REFUSED')
    await oidc.end(provider, { query, cookie: mine.cookie })
    // The code is used up.
    const again = oidc.end(provider, { query, cookie: mine.cookie })
    expect((await failureOf(again)).code).toBe('OIDC_REFUSED')
    const late = await begin()
    const lateQuery = await identity.browse(late.location)
    auth.clock.advance(10 * 60_000)
    const tooLate = oidc.end(provider, { query: lateQuery, cookie: late.cookie })
    expect((await failureOf(tooLate)).message).toContain('too long ago')
  })

  test('says that the provider cannot be reached, or does not take the secret', async () => {
    const { auth, identity, begin, oidc } = await start()
    identity.account = ANNA
    const wrong = await setProvider(auth, identity.issuer, 'another secret')
    const { location, cookie } = await begin()
    const query = await identity.browse(location)
    expect((await failureOf(oidc.end(wrong, { query, cookie }))).code).toBe('OIDC_REFUSED')
    const gone = await setProvider(auth, 'http://127.0.0.1:9')
    const begun = oidc.begin(gone, { redirectUri: REDIRECT, to: '/' })
    expect((await failureOf(begun)).code).toBe('OIDC_UNREACHABLE')
  })

  test('is by HTTPS but on loopback, and its secret is kept sealed', async () => {
    const { auth, provider } = await start()
    expect((await failureOf(setProvider(auth, 'http://idp.example'))).code).toBe('REQUEST_INVALID')
    const rows = await auth.catalog.db.selectFrom('meta').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(CLIENT.secret)
    // Given back without its secret, it keeps the one it had.
    const { clientSecretSealed: _, ...shown } = provider
    await auth.catalog.transaction((trx) => auth.settings.change(trx, { oidc: [shown] }))
    await auth.settings.reload()
    const kept = (await auth.settings.load()).oidc[0]!
    expect(auth.settings.openClientSecret(kept)).toBe(CLIENT.secret)
  })
})
