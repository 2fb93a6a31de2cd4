/**
 * The dashboard's summary: "am I safe, and can I get it back?" Counted for everybody who sees the
 * same, at most every few seconds: with a million points one count takes a noticeable while.
 */
import { type Principal, ownerOf, seesOwnOnly } from '@openmaas/api/permissions'
import { showReason } from '@openmaas/api/policy-text'
import type { Status } from '@openmaas/api/resources/status'
import type { Handlers, Language } from '../http/handler.ts'
import { log } from '../http/log.ts'
import { type Counted, type StatusContext, countStatus } from './status-counts.ts'

/** Consoles ask every five seconds, each of them; 10,000 sources take most of a second to judge. */
const FRESH_MS = 5000
/** Older than this is not shown; until then it is, while it is counted anew. */
const STALE_MS = 60_000
/** Views that are remembered: roles and scopes in use at once. */
const KEPT_COUNT_MAX = 100
interface Kept {
  readonly atMs: number
  readonly counted: Counted
}
export function makeStatusHandlers(context: StatusContext) {
  const kept = new Map<string, Kept>()
  const counting = new Map<string, Promise<Counted>>()
  const countAnew = (view: string, principal: Principal): Promise<Counted> => {
    const known = counting.get(view)
    if (known !== undefined) return known
    const atMs = context.clock.monotonicMs()
    const counted = countStatus(context, principal)
      .then((result) => {
        if (kept.size >= KEPT_COUNT_MAX) kept.clear()
        kept.set(view, { atMs, counted: result })
        return result
      })
      .finally(() => counting.delete(view))
    counting.set(view, counted)
    return counted
  }
  return {
    getStatus: async ({ principal, language }) => {
      const view = viewOf(principal)
      const known = kept.get(view)
      const ageMs = known === undefined ? Infinity : context.clock.monotonicMs() - known.atMs
      if (known === undefined || ageMs >= STALE_MS) {
        return { body: say(await countAnew(view, principal), language) }
      }
      if (ageMs >= FRESH_MS) {
        const failed = (error: unknown): void => log.warn('status not counted', { error })
        void countAnew(view, principal).catch(failed)
      }
      return { body: say(known.counted, language) }
    },
  } satisfies Handlers
}

/** The same text for principals who see the same. */
function viewOf(principal: Principal): string {
  const { roles, scope } = principal
  const isOwn = OWN.some((permission) => seesOwnOnly(principal, permission))
  return JSON.stringify([roles, scope, isOwn ? ownerOf(principal) : null])
}
const OWN = ['job.read', 'medium.read'] as const

function say(counted: Counted, language: Language): Status {
  const attention = counted.attention.map(({ sourceId, name, state, reasons }) => {
    return { sourceId, name, state, reasons: reasons.map((one) => showReason(one, language)) }
  })
  return { ...counted, attention }
}
