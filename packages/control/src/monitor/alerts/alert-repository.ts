/** Rows of alerts: opened, seen again, resolved. Each with its event and its messages. */
import type { Kysely, Selectable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import { appendEvent } from '../../catalog/events.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import { queueOpened, queueResolved } from '../notify/queue.ts'
import { keyOf } from './alert-rules.ts'
import type { Finding, Severity } from './alert-rules.ts'
import { describeAlert } from './texts.ts'

export type AlertRow = Selectable<CatalogTables['alert']>
type Db = Kysely<CatalogTables>

export interface AlertServices {
  readonly clock: Clock
  readonly random: Random
}

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 }

export function listFiring(db: Db): Promise<AlertRow[]> {
  return db.selectFrom('alert').selectAll().where('state', '=', 'firing').execute()
}

/** In the transaction of the caller. Another server may have opened the same: then nothing. */
export async function openAlert(
  trx: Db,
  services: AlertServices,
  finding: Finding,
): Promise<AlertRow | null> {
  const now = services.clock.wallMs()
  const key = keyOf(finding)
  const known = await trx
    .selectFrom('alert')
    .select('id')
    .where('key', '=', key)
    .where('state', '=', 'firing')
    .executeTakeFirst()
  if (known !== undefined) return null
  const row: AlertRow = {
    id: makeControlId('alert', services.clock, services.random),
    rule: finding.rule,
    key,
    severity: finding.severity,
    state: 'firing',
    subject: finding.subject,
    labelsJson: JSON.stringify(finding.labels),
    paramsJson: JSON.stringify(finding.params),
    openedAt: now,
    seenAt: now,
    resolvedAt: null,
    acknowledgedBy: null,
    acknowledgedAt: null,
  }
  await trx.insertInto('alert').values(row).execute()
  await appendAlertEvent(trx, services, 'alert.opened', row)
  await queueOpened(trx, services, row)
  return row
}

/** What is worse than when it was told is told again. */
export async function changeAlert(
  trx: Db,
  services: AlertServices,
  before: AlertRow,
  finding: Finding,
): Promise<void> {
  const { severity } = finding
  const set = {
    severity,
    labelsJson: JSON.stringify(finding.labels),
    paramsJson: JSON.stringify(finding.params),
    seenAt: services.clock.wallMs(),
  }
  const result = await trx
    .updateTable('alert')
    .set(set)
    .where('id', '=', before.id)
    .where('state', '=', 'firing')
    .executeTakeFirst()
  if (result.numUpdatedRows === 0n || RANK[severity] <= RANK[before.severity]) return
  const row = { ...before, ...set }
  await appendAlertEvent(trx, services, 'alert.worsened', row)
  await queueOpened(trx, services, row)
}

export async function resolveAlert(
  trx: Db,
  services: AlertServices,
  before: AlertRow,
): Promise<void> {
  const resolvedAt = services.clock.wallMs()
  const set = { state: 'resolved' as const, resolvedAt }
  const result = await trx
    .updateTable('alert')
    .set(set)
    .where('id', '=', before.id)
    .where('state', '=', 'firing')
    .executeTakeFirst()
  if (result.numUpdatedRows === 0n) return
  const row = { ...before, ...set }
  await appendAlertEvent(trx, services, 'alert.resolved', row)
  await queueResolved(trx, services, row)
}

/** They hold on: one statement, however many. */
export async function saveSeen(trx: Db, ids: readonly string[], now: number): Promise<void> {
  await trx.updateTable('alert').set({ seenAt: now }).where('id', 'in', ids).execute()
}

export async function appendAlertEvent(
  trx: Db,
  services: Pick<AlertServices, 'clock'>,
  type: `alert.${string}`,
  row: AlertRow,
): Promise<void> {
  const { id, rule, severity, subject } = row
  const params = JSON.parse(row.paramsJson) as Record<string, unknown>
  const labels = JSON.parse(row.labelsJson) as Record<string, string>
  const { title } = describeAlert({ rule, params }, 'en')
  const data = { rule, severity, subject, title }
  await appendEvent(trx, { topic: 'alerts', type, subject: id, labels, data }, services.clock)
}

/** Resolved ones go after that long; their messages go with them. */
export async function pruneAlerts(
  db: Db,
  of: { readonly before: number; readonly limit: number },
): Promise<void> {
  const old = db
    .selectFrom('alert')
    .select('id')
    .where('state', '=', 'resolved')
    .where('openedAt', '<', of.before)
    .where('resolvedAt', '<', of.before)
    .limit(of.limit)
  await db.deleteFrom('alert').where('id', 'in', old).execute()
}
