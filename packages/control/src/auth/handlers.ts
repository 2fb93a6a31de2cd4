/** Everything that this module answers: login, people, tokens, consent, settings. */
import { auditChange } from '../audit/audited.ts'
import { parseTarget } from '../audit/syslog-sender.ts'
import { requireVersion } from '../http/handler.ts'
import type { Handlers } from '../http/handler.ts'
import type { AuthContext } from './auth-context.ts'
import { approvalHandlers } from './handlers/approval-handlers.ts'
import { oidcHandlers } from './handlers/oidc-handlers.ts'
import { secondFactorHandlers } from './handlers/second-factor-handlers.ts'
import { sessionHandlers } from './handlers/session-handlers.ts'
import { tokenHandlers } from './handlers/token-handlers.ts'
import { userHandlers } from './handlers/user-handlers.ts'
import { PasswordLogin } from './login.ts'
import { showSettings } from './settings-store.ts'

export function authHandlers(context: AuthContext): Handlers {
  const logins = new PasswordLogin(context)
  return {
    ...sessionHandlers(context, logins),
    ...secondFactorHandlers(context, logins),
    ...oidcHandlers(context),
    ...userHandlers(context),
    ...tokenHandlers(context),
    ...approvalHandlers(context),
    ...settingsHandlers(context),
  }
}

function settingsHandlers(context: AuthContext): Handlers {
  const { catalog, clock, settings } = context
  return {
    getSettings: async () => {
      const now = await settings.reload()
      return { body: showSettings(now), etag: now.version }
    },
    changeSettings: async (request) => {
      const { auditSyslog } = request.body
      if (auditSyslog !== undefined && auditSyslog !== null) parseTarget(auditSyslog)
      await catalog.transaction(async (trx) => {
        const change = await settings.change(trx, request.body)
        requireVersion(change.before, request)
        await auditChange(trx, clock, request, {
          action: 'changeSettings',
          object: 'settings',
          before: showSettings(change.before),
          after: showSettings(change.after),
        })
      })
      const after = await settings.reload()
      return { body: showSettings(after), etag: after.version }
    },
  }
}
