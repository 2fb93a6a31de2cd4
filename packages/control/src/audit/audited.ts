/** The audit row of a request that a handler answers. */
import type { Kysely } from 'kysely'
import type { Labels, Principal } from '@openmaas/api/permissions'
import type { Clock } from '@openmaas/kernel/clock'
import type { CatalogTables } from '../catalog/schema.ts'
import { appendAudit } from './audit-log.ts'

export interface AuditedRequest {
  readonly principal: Principal
  readonly address: string
  readonly requestId: string
}

export interface AuditedChange {
  /** Name of the route. */
  readonly action: string
  readonly object: string
  readonly labels?: Labels
  readonly before?: unknown
  readonly after?: unknown
  readonly reason?: string
}

/** In the transaction of the change: `await auditChange(trx, clock, request, {…})`. */
export async function auditChange(
  trx: Kysely<CatalogTables>,
  clock: Clock,
  request: AuditedRequest,
  change: AuditedChange,
): Promise<void> {
  const { principal, address, requestId } = request
  const entry = { ...change, actor: principal.actor, address, requestId, outcome: 'ok' } as const
  await appendAudit(trx, entry, clock)
}
