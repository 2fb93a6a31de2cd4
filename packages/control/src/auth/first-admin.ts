/** The first person, and the way back in: both from the machine itself, never over the network. */
import { makeControlId } from '@openmaas/api/ids'
import { appendAudit } from '../audit/audit-log.ts'
import type { Trx } from '../http/handler-context.ts'
import type { AuthContext } from './auth-context.ts'
import { makePassword } from './password.ts'
import { deleteSessionsOf } from './sessions.ts'
import { findUserByName, insertUser, updateUser } from './user-repository.ts'

const NAME = 'admin'
const LOCAL = { actor: 'system', address: '', requestId: '', outcome: 'ok' } as const

export interface MadeAdmin {
  readonly name: string
  /** To be printed once, and kept nowhere. */
  readonly password: string
}

/** @returns undefined when there is anybody already */
export async function makeFirstAdmin(context: AuthContext): Promise<MadeAdmin | undefined> {
  const { catalog, clock, hasher, random } = context
  const password = makePassword(random)
  const any = await catalog.db.selectFrom('user').select('id').limit(1).executeTakeFirst()
  if (any !== undefined) return undefined
  const passwordHash = await hasher.hash(password)
  return catalog.transaction(async (trx) => {
    // Another server on the same catalog may have been quicker.
    const other = await trx.selectFrom('user').select('id').limit(1).executeTakeFirst()
    if (other !== undefined) return undefined
    const user = await insertAdmin(trx, context, passwordHash)
    const entry = { ...LOCAL, action: 'admin.made', object: user.id }
    await appendAudit(trx, entry, clock)
    return { name: NAME, password }
  })
}

function insertAdmin(trx: Trx, { clock, random }: AuthContext, passwordHash: string) {
  return insertUser(trx, {
    id: makeControlId('user', clock, random),
    name: NAME,
    roles: ['admin'],
    scope: null,
    passwordHash,
    mustChangePassword: true,
    createdAt: clock.wallMs(),
  })
}

/**
 * Break glass: `admin` gets a new password, all rights, no second factor, and no waiting. For who
 * has the data directory, and so everything, anyway.
 */
export async function resetAdmin(context: AuthContext): Promise<MadeAdmin> {
  const { catalog, clock, hasher, random } = context
  const password = makePassword(random)
  const passwordHash = await hasher.hash(password)
  await catalog.transaction(async (trx) => {
    const present = await findUserByName(trx, NAME)
    const user = present ?? (await insertAdmin(trx, context, passwordHash))
    await updateUser(trx, user.id, {
      passwordHash,
      totpSecret: null,
      rolesJson: JSON.stringify(['admin']),
      scopeJson: null,
      state: 'active',
      mustChangePassword: 1,
      failedLogins: 0,
      lockedUntil: null,
    })
    await deleteSessionsOf(trx, user.id)
    const reason = 'reset on the machine of the server'
    await appendAudit(trx, { ...LOCAL, action: 'admin.reset', object: user.id, reason }, clock)
  })
  return { name: NAME, password }
}
