/**
 * Production is gone: a point is started where it stood, with its accounts and settings. What the
 * standby has received is stored as a point first, so that nothing of it is missing.
 */
import { ownerOf } from '@openmaas/api/permissions'
import { consentTo } from '../auth/consent.ts'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { requireSilence } from '../database/look.ts'
import {
  connectionOf,
  findSourceDatabase,
  loadSourceDatabase,
} from '../database/source-database.ts'
import type { Moment } from '../database/moment.ts'
import { labelsOf } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import { recordChange, type Trx } from '../http/handler-context.ts'
import { acceptedJob, type HandlerRequest, type Handlers } from '../http/handler.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import type { SourceRow } from '../sources/list.ts'
import { insertRow, momentOf, planFor, sourceOf, type VirtualDatabaseContext } from './handlers.ts'
import { requestPoint } from './point-first.ts'
import { showVirtualDatabase } from './rows.ts'

/** Everybody waits. */
const PRIORITY = 200

export interface RecoverContext extends VirtualDatabaseContext {
  readonly orders: OrderGiver
  /** The opening half of the vault. */
  readonly openSecret: (secretId: string) => Promise<string>
}

export function makeRecoverProduction(context: RecoverContext) {
  return {
    recoverProduction: (request) => recover(context, request),
  } satisfies Handlers
}

async function recover(context: RecoverContext, request: HandlerRequest<'recoverProduction'>) {
  const { body, principal, dryRun } = request
  const { confirm: _, reason: __, approvalId: ___, ...asked } = body
  const moment = momentOf(body, context.clock.wallMs())
  const source = await sourceOf(context, body)
  const labels = { ...labelsOf(source.labelsJson), ...body.labels }
  requireInScope(principal, labels)
  if (dryRun) {
    const warnings = [
      'Nothing confines it: superusers of production are superusers there.',
      'It is refused as long as production answers.',
    ]
    return planFor(context, { source, moment, name: body.name, warnings })
  }
  const action = 'recoverProduction'
  const { id, name } = source
  const consent = await consentTo(context, request, { action, id, name, params: asked })
  // Before anything is written down; the job looks again right before it starts the instance.
  await requireProductionSilent(context, request, source)
  return context.catalog.transaction(async (trx) => {
    await consent.use(trx)
    // It has the accounts of production, and none of its own.
    const none = { user: '', lifetimeSeconds: null, quotaBytes: null }
    const wish = { ...body, ...none, labels }
    const more = { mode: 'production' } as const
    const row = await insertRow(trx, context, { principal, source, wish, moment, more })
    const actor = ownerOf(principal)
    const of = { source, moment, actor, forId: row.id }
    const dependsOn =
      (await requestLast(trx, context, of)) ?? (await requestPoint(trx, context, of))
    const wanted = { actor, params: { of: { moment } }, dependsOn }
    const job = virtualDatabaseRequest('make-virtual-database', row, wanted)
    const jobId = await context.jobs.enqueue(trx, { ...job, priority: PRIORITY })
    await recordChange(trx, context, request, {
      action,
      topic: 'virtual-databases',
      type: 'virtual-database.creating',
      id: row.id,
      name: row.name,
      labels,
      after: showVirtualDatabase(row),
      reason: consent.reason,
    })
    return acceptedJob(jobId, { virtualDatabaseId: row.id })
  })
}

/** @throws MaasError PRODUCTION_ANSWERS */
async function requireProductionSilent(
  { catalog, orders, openSecret }: RecoverContext,
  { body, requestId, signal }: HandlerRequest<'recoverProduction'>,
  source: SourceRow,
): Promise<void> {
  const database = await loadSourceDatabase(catalog.db, source.id)
  const connection = await connectionOf(database, openSecret)
  const { kind: engine } = source
  const key = `silence:${requestId}`
  await requireSilence(orders, { hostId: body.hostId, engine, connection, key, signal })
}

/** @returns undefined when there is no standby, or another moment is wanted */
async function requestLast(
  trx: Trx,
  { jobs }: VirtualDatabaseContext,
  of: {
    readonly source: SourceRow
    readonly moment: Moment
    readonly actor: string
    readonly forId: string
  },
): Promise<string[] | undefined> {
  const { source, moment, actor, forId } = of
  const database = await findSourceDatabase(trx, source.id)
  if (moment.kind !== 'newest' || (database?.seededAt ?? null) === null) return undefined
  const request = protectDatabaseRequest(source, { actor, priority: PRIORITY, receivedOnly: true })
  const activeKey = `protect:${source.id}:for:${forId}`
  return [await jobs.enqueue(trx, { ...request, activeKey })]
}
