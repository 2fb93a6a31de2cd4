/** The person behind an OIDC login in the catalog: found by issuer and subject, never by e-mail. */
import type { Kysely } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import { MaasError } from '@openmaas/kernel/errors'
import { appendAudit } from '../audit/audit-log.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { AuthContext, Caller } from './auth-context.ts'
import { noteLogin } from './login.ts'
import type { LoggedIn } from './login.ts'
import type { OidcPerson } from './oidc.ts'
import { openSession } from './sessions.ts'
import { findUserByName, findUserBySubject, insertUser, updateUser } from './user-repository.ts'
import type { UserRow } from './user-repository.ts'

type Db = Kysely<CatalogTables>
/** `anna`, `anna-2`, …: so many people of one name. */
const NAME_TRY_MAX = 100

/**
 * Opens a session. Roles are those of the groups of this moment: who lost them has none, and its
 * tokens neither.
 *
 * @throws MaasError OIDC_REFUSED
 */
export async function loginOidcPerson(
  context: AuthContext,
  person: OidcPerson,
  from: Caller & { readonly replaces?: string | undefined },
): Promise<LoggedIn> {
  const { address, requestId, replaces } = from
  const caller = { address, requestId }
  const done = await context.catalog.transaction(async (trx) => {
    const known = await findUserBySubject(trx, person.issuer, person.subject)
    const refused =
      person.roles.length === 0
        ? 'no group with a role'
        : known !== undefined && known.state !== 'active'
          ? 'disabled'
          : undefined
    const user = await bring(trx, context, known, person, refused === undefined)
    if (refused !== undefined || user === undefined) {
      const object = user?.id ?? 'unknown'
      const reason = refused ?? 'disabled'
      const entry = { actor: 'anonymous', ...caller, action: 'login', object, reason } as const
      await appendAudit(trx, { ...entry, outcome: 'refused' }, context.clock)
      return reason
    }
    const session = await openSession(trx, context, { userId: user.id, address, replaces })
    const noted = { caller, passwordHash: user.passwordHash }
    return { user: await noteLogin(trx, context, user, noted), session }
  })
  if (typeof done !== 'string') return done
  throw new MaasError('OIDC_REFUSED', 'this person may not log in', { reason: done })
}

async function bring(
  trx: Db,
  context: AuthContext,
  known: UserRow | undefined,
  person: OidcPerson,
  admitted: boolean,
): Promise<UserRow | undefined> {
  const { clock, random } = context
  if (known !== undefined) {
    const { displayName, email, roles } = person
    const rolesJson = JSON.stringify(roles)
    const same =
      known.rolesJson === rolesJson && known.displayName === displayName && known.email === email
    return same ? known : updateUser(trx, known.id, { displayName, email, rolesJson })
  }
  if (!admitted) return undefined
  return insertUser(trx, {
    id: makeControlId('user', clock, random),
    name: await freeName(trx, person.name),
    displayName: person.displayName,
    email: person.email,
    roles: person.roles,
    scope: null,
    passwordHash: null,
    mustChangePassword: false,
    oidc: { issuer: person.issuer, subject: person.subject },
    createdAt: clock.wallMs(),
  })
}

/** A local `admin` keeps its name, whoever else is called so at the provider. */
async function freeName(trx: Db, name: string): Promise<string> {
  for (let i = 1; i <= NAME_TRY_MAX; i += 1) {
    const candidate = i === 1 ? name : `${name}-${i}`
    if ((await findUserByName(trx, candidate)) === undefined) return candidate
  }
  throw new MaasError('USER_EXISTS', 'too many people have that name', { name })
}
