/** Auth on a catalog of a test: cheap passwords, a clock that stands still, seeded randomness. */
import { makeControlId } from '@openmaas/api/ids'
import type { LabelSelector, Role } from '@openmaas/api/permissions'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import type { Catalog } from '../catalog/catalog.ts'
import type { AuthContext } from './auth-context.ts'
import { PasswordHasher } from './password.ts'
import { CHEAP } from './password.test-support.ts'
import { ServerKey } from './server-key.ts'
import { SettingsStore } from './settings-store.ts'
import { insertUser } from './user-repository.ts'
import type { UserRow } from './user-repository.ts'

export const PASSWORD = 'correct horse battery staple'
export const CALLER = { address: '192.0.2.7', requestId: 'req-1' } as const

export interface TestAuth extends AuthContext {
  readonly clock: FakeClock
}

export async function makeAuth(
  make: (clock: FakeClock) => Promise<Catalog>,
  seed = 1,
): Promise<TestAuth> {
  const clock = new FakeClock()
  const random = new SeededRandom(seed)
  const catalog = await make(clock)
  const serverKey = new ServerKey(random.bytes(32), random)
  const hasher = new PasswordHasher(random, CHEAP)
  const settings = new SettingsStore(catalog, clock, serverKey)
  return { catalog, clock, random, serverKey, hasher, settings, secure: true }
}

export interface TestUser {
  readonly name?: string
  readonly roles?: readonly Role[]
  readonly scope?: LabelSelector | null
  readonly mustChangePassword?: boolean
  readonly password?: string | null
}

export async function addUser(auth: TestAuth, user: TestUser = {}): Promise<UserRow> {
  const { catalog, clock, random, hasher } = auth
  const { password = PASSWORD } = user
  const passwordHash = password === null ? null : await hasher.hash(password)
  return catalog.transaction((trx) =>
    insertUser(trx, {
      id: makeControlId('user', clock, random),
      name: user.name ?? 'anna',
      roles: user.roles ?? ['operator'],
      scope: user.scope ?? null,
      passwordHash,
      mustChangePassword: user.mustChangePassword ?? false,
      createdAt: clock.wallMs(),
    }),
  )
}
