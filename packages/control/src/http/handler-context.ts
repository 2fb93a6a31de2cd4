/** What handlers work with. Made once by the composition root. */
import type { Kysely, Transaction } from 'kysely'
import type { EventTopic } from '@openmaas/api/resources/event'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import { type AuditedRequest, auditChange } from '../audit/audited.ts'
import type { ConsentContext } from '../auth/consent.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { JobRequest } from '../job/queue.ts'

export type Trx = Transaction<CatalogTables>
export type Db = Kysely<CatalogTables>

/** The part of JobEngine that requests need. */
export interface JobControl {
  enqueue(trx: Trx, request: JobRequest): Promise<string>
  cancel(jobId: string): Promise<void>
  retry(trx: Trx, jobId: string, actor: string): Promise<string>
}

export interface HandlerContext extends ConsentContext {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly jobs: JobControl
}

export interface Change {
  /** Name of the route. */
  readonly action: string
  readonly topic: EventTopic
  /** `source.created`. */
  readonly type: string
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly before?: unknown
  readonly after?: unknown
  readonly reason?: string
}

/** Audit row and event of a change, in its transaction. */
export async function recordChange(
  trx: Trx,
  context: Pick<HandlerContext, 'clock'>,
  request: AuditedRequest,
  change: Change,
): Promise<void> {
  const { action, topic, type, id, name, labels, before, after, reason } = change
  await auditChange(trx, context.clock, request, {
    action,
    object: id,
    labels,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    ...(reason !== undefined && { reason }),
  })
  const data = { name, actor: request.principal.actor }
  await appendEvent(trx, { topic, type, subject: id, labels, data }, context.clock)
}
