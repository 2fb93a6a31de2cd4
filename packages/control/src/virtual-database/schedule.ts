/** When a virtual database is refreshed by itself. Pure. */
import { Cron } from 'croner'
import { durationMs } from '@openmaas/api/policy'
import type { AutoRefresh } from '@openmaas/api/resources/virtual-database'

/** Below it a database would never be there to be used. */
const EVERY_MS_MIN = 5 * 60_000

/** @returns why it cannot be; null: it can */
export function refreshProblem(refresh: AutoRefresh): string | null {
  try {
    nextRefresh(refresh, 0)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return null
}

/** @throws RangeError for what is no time zone or no cron */
export function nextRefresh(refresh: AutoRefresh | null, now: number): number | null {
  if (refresh === null) return null
  if (refresh.every !== undefined) return now + Math.max(EVERY_MS_MIN, durationMs(refresh.every))
  const options = { timezone: refresh.timezone, paused: true }
  const next = new Cron(refresh.cron ?? '', options).nextRun(new Date(now))
  return next?.getTime() ?? null
}
