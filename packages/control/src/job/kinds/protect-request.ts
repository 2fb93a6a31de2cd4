/** What `engine.enqueue` takes to have a new recovery point of a source, of whatever kind. */
import type { JobRequest } from '../queue.ts'

/** Jobs that take a point of a source. */
export const PROTECT_KINDS = ['protect', 'protect-database'] as const

export interface SourceToProtect {
  readonly id: string
  readonly hostId: string
  readonly poolId: string | null
  readonly labelsJson: string
}

export interface ProtectWish {
  readonly actor: string
  readonly priority?: number
  readonly policyId?: string | null
  readonly lockUntil?: number | null
  readonly labels?: Readonly<Record<string, string>>
}

/** @param params  of this kind of job, beside those of all of them */
export function makeProtectRequest(
  kind: (typeof PROTECT_KINDS)[number],
  source: SourceToProtect,
  wish: ProtectWish,
  params: Readonly<Record<string, unknown>> = {},
): JobRequest & { readonly activeKey: string } {
  const { actor, priority = 0, policyId = null, lockUntil = null, labels = {} } = wish
  const { id: sourceId, hostId, poolId } = source
  return {
    kind,
    params: { sourceId, hostId, poolId, lockUntil, labels, ...params },
    actor,
    priority,
    activeKey: `protect:${sourceId}`,
    sourceId,
    hostId,
    poolId,
    policyId,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}
