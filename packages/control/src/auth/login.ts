/**
 * Login with name, password and second factor. Every refusal reads the same and costs the same:
 * who tries does not learn whether the name exists, is disabled, or waits.
 *
 * The password is stretched outside of the transaction; then one transaction looks again, decides,
 * counts, and writes the audit row.
 */
import type { Kysely } from 'kysely'
import { MaasError } from '@openmaas/kernel/errors'
import { appendAudit } from '../audit/audit-log.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { AuthContext, Caller } from './auth-context.ts'
import { LoginLimiter } from './login-limiter.ts'
import { takeCode } from './second-factor.ts'
import { openSession } from './sessions.ts'
import type { OpenedSession } from './sessions.ts'
import {
  findUser,
  findUserByName,
  foldName,
  openSecondFactor,
  sealSecondFactor,
  updateUser,
} from './user-repository.ts'
import type { UserRow } from './user-repository.ts'

type Db = Kysely<CatalogTables>

/** Typing errors are forgiven; then each failure doubles the wait. */
const FAILURE_COUNT_FREE = 5
const WAIT_FIRST_MS = 1000
/** Longer, and who wants to lock others out has an easy life. */
const WAIT_MAX_MS = 15 * 60_000

export interface LoginRequest {
  readonly name: string
  readonly password: string
  readonly code?: string | undefined
  /** Cookie that the browser came with: it ends. */
  readonly replaces?: string | undefined
}

export interface LoggedIn {
  readonly user: UserRow
  readonly session: OpenedSession
}

type Judgement = { readonly refused: string; readonly counts: boolean } | { readonly user: UserRow }

export class PasswordLogin {
  readonly #context: AuthContext
  readonly #limiter: LoginLimiter

  constructor(context: AuthContext) {
    this.#context = context
    this.#limiter = new LoginLimiter(context.clock)
  }

  /** @throws MaasError LOGIN_FAILED, SECOND_FACTOR_REQUIRED, LOGIN_THROTTLED */
  async login(request: LoginRequest, caller: Caller): Promise<LoggedIn> {
    const { catalog, hasher } = this.#context
    this.#limiter.check(caller.address, foldName(request.name))
    const found = await findUserByName(catalog.db, request.name)
    const phc = found?.passwordHash ?? null
    const right = await hasher.verify(phc, request.password)
    const renewed =
      right && phc !== null && hasher.isOutdated(phc) ? await hasher.hash(request.password) : phc
    const outcome = await catalog.transaction(async (trx) => {
      const user = found === undefined ? undefined : await findUser(trx, found.id)
      const judgement = await this.#judge(trx, user, { request, right, phc })
      if ('refused' in judgement) {
        await this.#refuse(trx, user, judgement, caller)
        return judgement
      }
      return this.#admit(trx, judgement.user, { passwordHash: renewed, request, caller })
    })
    if (!('refused' in outcome)) return outcome
    if (outcome.refused === 'code needed') {
      throw new MaasError('SECOND_FACTOR_REQUIRED', 'a second factor is needed')
    }
    throw new MaasError('LOGIN_FAILED', 'name, password or code is wrong')
  }

  /**
   * For what a session alone does not suffice: changing the password, removing the second factor.
   *
   * @throws MaasError LOGIN_FAILED, LOGIN_THROTTLED
   */
  async confirm(user: UserRow, password: string, caller: Caller): Promise<void> {
    this.#limiter.check(caller.address, user.name)
    if (await this.#context.hasher.verify(user.passwordHash, password)) return
    throw new MaasError('LOGIN_FAILED', 'the password is wrong')
  }

  async #judge(
    trx: Db,
    user: UserRow | undefined,
    shown: { readonly request: LoginRequest; readonly right: boolean; readonly phc: string | null },
  ): Promise<Judgement> {
    const { clock, serverKey } = this.#context
    if (user === undefined) return { refused: 'unknown name', counts: false }
    if (user.state !== 'active') return { refused: 'disabled', counts: false }
    // A right password does not end the wait: else the wait would not slow down guessing.
    const waits = user.lockedUntil !== null && clock.wallMs() < user.lockedUntil
    if (waits) return { refused: 'waiting after failures', counts: false }
    if (!shown.right) return { refused: 'wrong password', counts: true }
    // Changed while it was stretched: what was right may be so no longer.
    if (user.passwordHash !== shown.phc) return { refused: 'password changed', counts: false }
    const factor = openSecondFactor(user, serverKey)
    if (factor === null || !factor.confirmed) return { user }
    if (shown.request.code === undefined) return { refused: 'code needed', counts: false }
    const taken = takeCode(factor, shown.request.code, clock.wallMs())
    if (taken === undefined) return { refused: 'wrong code', counts: true }
    const totpSecret = sealSecondFactor(user.id, taken, serverKey)
    return { user: await updateUser(trx, user.id, { totpSecret }) }
  }

  async #refuse(
    trx: Db,
    user: UserRow | undefined,
    judgement: { readonly refused: string; readonly counts: boolean },
    caller: Caller,
  ): Promise<void> {
    const { clock } = this.#context
    if (user !== undefined && judgement.counts) {
      const failedLogins = user.failedLogins + 1
      const doublings = failedLogins - FAILURE_COUNT_FREE
      const waitMs = doublings < 0 ? 0 : Math.min(WAIT_FIRST_MS * 2 ** doublings, WAIT_MAX_MS)
      const lockedUntil = waitMs === 0 ? null : clock.wallMs() + waitMs
      const change = { failedLogins, lockedUntil }
      await trx.updateTable('user').set(change).where('id', '=', user.id).execute()
    }
    const entry = {
      actor: 'anonymous',
      ...caller,
      action: 'login',
      // Not the name that was typed: people type passwords there.
      object: user?.id ?? 'unknown',
      outcome: 'refused',
      reason: judgement.refused,
    } as const
    await appendAudit(trx, entry, clock)
  }

  async #admit(
    trx: Db,
    user: UserRow,
    admitted: {
      readonly passwordHash: string | null
      readonly request: LoginRequest
      readonly caller: Caller
    },
  ): Promise<LoggedIn> {
    const { passwordHash, request, caller } = admitted
    const session = await openSession(trx, this.#context, {
      userId: user.id,
      address: caller.address,
      replaces: request.replaces,
    })
    return { user: await noteLogin(trx, this.#context, user, { caller, passwordHash }), session }
  }
}

/** What every kind of login leaves behind. The version stays: nobody changed the person. */
export async function noteLogin(
  trx: Db,
  context: AuthContext,
  user: UserRow,
  noted: { readonly caller: Caller; readonly passwordHash: string | null },
): Promise<UserRow> {
  const { clock } = context
  const change = {
    failedLogins: 0,
    lockedUntil: null,
    lastLoginAt: clock.wallMs(),
    passwordHash: noted.passwordHash,
  }
  await trx.updateTable('user').set(change).where('id', '=', user.id).execute()
  const entry = {
    actor: `user:${user.id}`,
    ...noted.caller,
    action: 'login',
    object: user.id,
    outcome: 'ok',
  } as const
  await appendAudit(trx, entry, clock)
  return { ...user, ...change }
}
