/** Setting up and removing a second factor of one's own. */
import { MaasError } from '@openmaas/kernel/errors'
import { auditChange } from '../../audit/audited.ts'
import type { Handlers } from '../../http/handler.ts'
import type { AuthContext } from '../auth-context.ts'
import type { PasswordLogin } from '../login.ts'
import { beginSecondFactor, confirmSecondFactor, takeTotp } from '../second-factor.ts'
import { loadUser, openSecondFactor, sealSecondFactor, updateUser } from '../user-repository.ts'
import { requireSession } from './own-session.ts'

export function secondFactorHandlers(context: AuthContext, logins: PasswordLogin): Handlers {
  const { catalog, clock, random, serverKey } = context
  return {
    beginSecondFactor: async (request) => {
      const { userId } = requireSession(request.principal)
      const body = await catalog.transaction(async (trx) => {
        const user = await loadUser(trx, userId)
        if (user.passwordHash === null) {
          const message = 'who logs in elsewhere has the second factor there'
          throw new MaasError('PERMISSION_DENIED', message)
        }
        if (openSecondFactor(user, serverKey)?.confirmed === true) {
          throw new MaasError('TOTP_PRESENT', 'there is a second factor already')
        }
        const { factor, uri } = beginSecondFactor(user.name, random)
        await updateUser(trx, userId, { totpSecret: sealSecondFactor(userId, factor, serverKey) })
        await auditChange(trx, clock, request, { action: 'beginSecondFactor', object: userId })
        return { secret: factor.secret, uri }
      })
      return { body }
    },
    confirmSecondFactor: async (request) => {
      const { userId } = requireSession(request.principal)
      const recoveryCodes = await catalog.transaction(async (trx) => {
        const user = await loadUser(trx, userId)
        const begun = openSecondFactor(user, serverKey)
        if (begun === null || begun.confirmed) {
          throw new MaasError('TOTP_NOT_BEGUN', 'no second factor waits for its first code')
        }
        const taken = takeTotp(begun, request.body.code, clock.wallMs())
        if (taken === undefined) {
          throw new MaasError('LOGIN_FAILED', 'the code is wrong', { pointer: '/code' })
        }
        const confirmed = confirmSecondFactor(taken, random)
        const totpSecret = sealSecondFactor(userId, confirmed.factor, serverKey)
        await updateUser(trx, userId, { totpSecret })
        await auditChange(trx, clock, request, { action: 'confirmSecondFactor', object: userId })
        return confirmed.recoveryCodes
      })
      return { body: { recoveryCodes } }
    },
    removeSecondFactor: async (request) => {
      const { userId } = requireSession(request.principal)
      const { address, requestId } = request
      const user = await loadUser(catalog.db, userId)
      await logins.confirm(user, request.body.password, { address, requestId })
      await catalog.transaction(async (trx) => {
        await updateUser(trx, userId, { totpSecret: null })
        await auditChange(trx, clock, request, { action: 'removeSecondFactor', object: userId })
      })
      return { body: null }
    },
  }
}
