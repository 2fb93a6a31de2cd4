/** What ends by itself is cleared away: sessions nobody comes back to, approvals nobody gave. */
import { makeLog } from '@openmaas/kernel/log'
import { Rounds } from '@openmaas/kernel/rounds'
import type { AuthContext } from './auth-context.ts'
import { expireApprovals } from './consent.ts'
import { sweepSessions } from './sessions.ts'

const log = makeLog('openmaas:control:auth')

/** Both are looked at by their time when they are used; this only keeps the tables small. */
const EVERY_MS = 10 * 60_000

export function startAuthHousekeeping(context: AuthContext): AsyncDisposable {
  const rounds = new Rounds({
    everyMs: EVERY_MS,
    round: async () => {
      await sweepSessions(context)
      await expireApprovals(context)
    },
    onError: (error) => log.error('housekeeping failed', { error }),
  })
  rounds.start()
  return rounds
}
