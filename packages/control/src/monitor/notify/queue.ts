/**
 * Putting messages about alerts in the queue (alert-events.ts calls this). Texts are made when
 * they are sent: by then an alert may have resolved, or others come.
 */
import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { CatalogTables } from '../../catalog/schema.ts'
import { channelsOf, matchOf } from './channel-repository.ts'
import { findSilence } from '../alerts/silences.ts'
import { matchesAlert, sendAt } from './match.ts'

type Db = Kysely<CatalogTables>
export type AlertRow = Selectable<CatalogTables['alert']>
export type NotificationRow = Selectable<CatalogTables['notification']>

export interface QueueContext {
  readonly clock: Clock
  readonly random: Random
}

/** What comes and goes says so once in a quarter of an hour. */
export const REPEAT_AFTER_MS = 15 * 60_000

const labelsText = z.record(z.string(), z.string())

export function labelsOf(alert: AlertRow): Record<string, string> {
  return labelsText.parse(JSON.parse(alert.labelsJson))
}

/** A new alert: one message to each channel that some rule names, by the rule that sends first. */
export async function queueOpened(trx: Db, context: QueueContext, alert: AlertRow): Promise<void> {
  // It came and went before anybody could be told.
  if (alert.state === 'resolved') return
  const now = context.clock.wallMs()
  const rules = await trx.selectFrom('notifyRule').selectAll().where('enabled', '=', 1).execute()
  const facts = { rule: alert.rule, severity: alert.severity, labels: labelsOf(alert) }
  const due = new Map<string, number>()
  for (const rule of rules) {
    const match = matchOf(rule)
    if (!matchesAlert(match, facts)) continue
    const at = sendAt(match, now)
    if (at === null) continue
    for (const id of channelsOf(rule)) due.set(id, Math.min(due.get(id) ?? at, at))
  }
  const silentUntil = (await findSilence(trx, alert.key, now))?.until ?? 0
  for (const [channelId, at] of due) {
    const quietUntil = Math.max(silentUntil, await loadQuietUntil(trx, alert, channelId))
    await insert(trx, context, { alertId: alert.id, channelId, at: Math.max(at, quietUntil) })
  }
}

/** A resolved one: to those who were told; who waits to be told is told nothing. */
export async function queueResolved(
  trx: Db,
  context: QueueContext,
  alert: AlertRow,
): Promise<void> {
  await trx
    .deleteFrom('notification')
    .where('alertId', '=', alert.id)
    .where('state', '=', 'waiting')
    .where('attempts', '=', 0)
    .execute()
  const at = context.clock.wallMs()
  if ((await findSilence(trx, alert.key, at)) !== undefined) return
  const told = await trx
    .selectFrom('notification')
    .select('channelId')
    .distinct()
    .where('alertId', '=', alert.id)
    .where('state', '=', 'sent')
    .execute()
  for (const { channelId } of told) {
    await insert(trx, context, { alertId: alert.id, channelId, at })
  }
}

/** `nextAt` of what was sent is when it was sent. */
async function loadQuietUntil(trx: Db, alert: AlertRow, channelId: string): Promise<number> {
  const row = await trx
    .selectFrom('notification')
    .innerJoin('alert', 'alert.id', 'notification.alertId')
    .select((eb) => eb.fn.max('notification.nextAt').as('sentAt'))
    .where('alert.key', '=', alert.key)
    .where('notification.channelId', '=', channelId)
    .where('notification.state', '=', 'sent')
    .executeTakeFirst()
  const sentAt = row?.sentAt
  return typeof sentAt === 'number' ? sentAt + REPEAT_AFTER_MS : 0
}

async function insert(
  trx: Db,
  context: QueueContext,
  row: { readonly alertId: string; readonly channelId: string; readonly at: number },
): Promise<void> {
  const { alertId, channelId, at } = row
  const values: NotificationRow = {
    id: makeControlId('notification', context.clock, context.random),
    alertId,
    channelId,
    state: 'waiting',
    attempts: 0,
    nextAt: at,
    error: null,
  }
  await trx.insertInto('notification').values(values).execute()
}
