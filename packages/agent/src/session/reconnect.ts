/** How long an agent waits before it dials again. */
import type { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'

export const DELAY_FIRST_MS = 1000
/** Less than the 30 s after which a server that came back counts a host as offline. */
export const DELAY_MAX_MS = 20_000
/** Somebody has to do something first: removed, expired, not the server. */
export const DELAY_REFUSED_MS = 300_000

/**
 * Doubles, and is drawn between half and all of that, so that a thousand hosts do not come back
 * to a restarted server in the same instant.
 *
 * @param attempt 1 for the first after a good connection
 */
export function nextDelayMs(attempt: number, problem: MaasError, random: Random): number {
  const refused = problem.category === 'denied' && problem.code !== 'HOST_CLOCK_WRONG'
  const doubled = DELAY_FIRST_MS * 2 ** Math.min(attempt - 1, 16)
  const top = refused ? DELAY_REFUSED_MS : Math.min(doubled, DELAY_MAX_MS)
  const share = random.bytes(4).readUInt32LE() / 0x1_0000_0000
  return Math.round(top / 2 + (top / 2) * share)
}
