/** A verb of a virtual database: the job that does it, and the state it is in until then. */
import { ownerOf } from '@openmaas/api/permissions'
import type { AuditedRequest } from '../audit/audited.ts'
import { labelsOf } from '../http/columns.ts'
import { recordChange, type Trx } from '../http/handler-context.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import type { VirtualDatabaseContext } from './handlers.ts'
import { requireState } from './requirements.ts'
import { changeVirtualDatabase, type VirtualDatabaseRow } from './rows.ts'

type State = VirtualDatabaseRow['state']

export interface Verb {
  readonly action: string
  readonly kind: string
  /** States in which it can be. */
  readonly from: readonly State[]
  /** Until the job has ended; null: it stays as it is. */
  readonly to: State | null
  readonly params?: Readonly<Record<string, unknown>>
  readonly dependsOn?: readonly string[]
  /** For the audit log. */
  readonly reason?: string | undefined
}

export type VerbRequest = AuditedRequest & {
  readonly params: { readonly virtualDatabaseId: string }
}

export async function queueVerb(
  trx: Trx,
  context: VirtualDatabaseContext,
  request: VerbRequest,
  verb: Verb & { readonly row: VirtualDatabaseRow },
): Promise<string> {
  const { row, action, kind, from, to, params = {}, dependsOn = [] } = verb
  requireState(row, from)
  const actor = ownerOf(request.principal)
  const jobId = await context.jobs.enqueue(
    trx,
    virtualDatabaseRequest(kind, row, { actor, params, dependsOn }),
  )
  if (to !== null) await changeVirtualDatabase(trx, row.id, { state: to }, context.clock)
  await recordChange(trx, context, request, {
    action,
    topic: 'virtual-databases',
    type: 'virtual-database.asked',
    id: row.id,
    name: row.name,
    labels: labelsOf(row.labelsJson),
    after: { jobId, ...params },
    ...(verb.reason !== undefined && { reason: verb.reason }),
  })
  return jobId
}
