import type { Host } from '@openmaas/api/resources/host'
import type { Job } from '@openmaas/api/resources/job'

export type WaitingReason = 'paused' | 'until' | 'host' | 'drained' | 'turn'

/** Why a job does not run yet. @param host  its host, where it has one that is known */
export function reasonOf(
  { state, notBefore }: Pick<Job, 'state' | 'notBefore'>,
  host: Pick<Host, 'state' | 'drained'> | undefined,
  now: Date,
): WaitingReason {
  if (state === 'paused') return 'paused'
  if (notBefore !== null && Date.parse(notBefore) > now.getTime()) return 'until'
  if (host !== undefined && host.state !== 'online') return 'host'
  if (host?.drained === true) return 'drained'
  return 'turn'
}
