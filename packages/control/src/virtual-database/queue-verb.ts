/** A verb of a virtual database: the job that does it, and the state it is in until then. */
import { ownerOf } from '@openmaas/api/permissions'
import { MaasError } from '@openmaas/kernel/errors'
import type { AuditedRequest } from '../audit/audited.ts'
import { labelsOf } from '../http/columns.ts'
import { recordChange, type Trx } from '../http/handler-context.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import type { VirtualDatabaseContext } from './handlers.ts'
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

/** @throws MaasError VIRTUAL_DATABASE_BUSY */
export function requireState(row: VirtualDatabaseRow, from: readonly State[]): void {
  if (from.includes(row.state)) return
  const details = { virtualDatabaseId: row.id, state: row.state }
  throw new MaasError('VIRTUAL_DATABASE_BUSY', `it is ${row.state}`, details)
}

/** @throws MaasError VIRTUAL_DATABASE_PROMOTED: what needs a clone is no longer possible */
export function requireClone({ id, directory }: VirtualDatabaseRow): void {
  if (directory === null) return
  const message = `it stands on ${directory}, and on no clone`
  throw new MaasError('VIRTUAL_DATABASE_PROMOTED', message, { virtualDatabaseId: id, directory })
}

/**
 * Of what puts another clone in its place.
 *
 * @throws MaasError VIRTUAL_DATABASE_PROMOTED; VIRTUAL_DATABASE_IS_PRODUCTION: what was written to
 *   it is nowhere else
 */
export function requireReplaceable(row: VirtualDatabaseRow): void {
  requireClone(row)
  if (row.mode !== 'production') return
  const details = { virtualDatabaseId: row.id }
  throw new MaasError('VIRTUAL_DATABASE_IS_PRODUCTION', "it stands in production's place", details)
}

/** @throws MaasError VIRTUAL_DATABASE_FOLLOWS: it has no state of its own */
export function requireOwnLife({ id, liveSync }: VirtualDatabaseRow): void {
  if (liveSync === 0) return
  const details = { virtualDatabaseId: id }
  throw new MaasError('VIRTUAL_DATABASE_FOLLOWS', 'it follows production', details)
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
