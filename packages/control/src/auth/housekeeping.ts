/** What ends by itself is cleared away: sessions nobody comes back to, approvals nobody gave. */
import { makeLog } from '@openmaas/kernel/log'
import type { AuthContext } from './auth-context.ts'
import { expireApprovals } from './consent.ts'
import { sweepSessions } from './sessions.ts'

const log = makeLog('openmaas:control:auth')

/** Both are looked at by their time when they are used; this only keeps the tables small. */
const EVERY_MS = 10 * 60_000

export function startAuthHousekeeping(context: AuthContext): AsyncDisposable {
  let running: Promise<void> = Promise.resolve()
  const sweep = async (): Promise<void> => {
    try {
      await sweepSessions(context)
      await expireApprovals(context)
    } catch (error) {
      log.error('housekeeping failed', { error })
    }
  }
  const timer = setInterval(() => {
    running = sweep()
  }, EVERY_MS)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await running
    },
  }
}
