/** "Is this protected?": the answer and what stands behind it, without words. */
import type { Point } from '@openmaas/api/resources/point'
import type { Source } from '@openmaas/api/resources/source'
import type { Compliance } from './use-source-rows.ts'

export type Verdict = 'yes' | 'risk' | 'no' | 'paused' | 'unpromised'

export interface ProtectionAnswer {
  readonly verdict: Verdict
  /** Of the newest point that can be had; null: there is none. */
  readonly newestAt: string | null
  readonly verification: 'newest' | 'older' | 'never' | 'no-point'
  readonly verifiedAt: string | null
  /** Why not, or what is about to break it. */
  readonly reasons: readonly string[]
}

/** Reasons that the parts of the sentence say anyway. */
const SAID = new Set(['LAST_SUCCESS', 'NEXT_RUN', 'PROMISE', 'NO_SUCCESS', 'NO_POLICY', 'PAUSED'])

/** @param points newest first */
export function answerProtection(
  source: Pick<Source, 'lastSuccessAt'>,
  compliance: Compliance,
  points: readonly Pick<Point, 'takenAt' | 'verifiedAt' | 'state'>[],
): ProtectionAnswer {
  const usable = points.filter(({ state }) => state === 'available')
  const newest = usable[0]
  const verified = usable.find(({ verifiedAt }) => verifiedAt !== null)
  return {
    verdict: verdictOf(compliance, newest !== undefined),
    newestAt: newest?.takenAt ?? null,
    verification:
      newest === undefined
        ? 'no-point'
        : verified === undefined
          ? 'never'
          : verified === newest
            ? 'newest'
            : 'older',
    verifiedAt: verified?.verifiedAt ?? null,
    reasons: compliance.reasons.filter(({ code }) => !SAID.has(code)).map(({ text }) => text),
  }
}

/** A promise that was never made is not kept; a point is there all the same. */
function verdictOf({ state, policyId }: Compliance, hasPoint: boolean): Verdict {
  if (state === 'compliant') return hasPoint ? 'yes' : 'risk'
  if (state === 'at-risk') return 'risk'
  if (state === 'paused') return 'paused'
  if (state === 'unprotected' && hasPoint && policyId === null) return 'unpromised'
  return 'no'
}
