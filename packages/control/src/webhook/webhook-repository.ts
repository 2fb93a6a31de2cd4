/** Rows of webhooks and their deliveries. */
import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { eventTopic } from '@openmaas/api/resources/event'
import type { Delivery, Webhook } from '@openmaas/api/resources/webhook'
import type { CatalogTables } from '../catalog/schema.ts'
import { objectNotFound } from '../http/handler.ts'
import { timeOf, timeOrNull } from '../http/columns.ts'

export type WebhookRow = Selectable<CatalogTables['webhook']>
export type DeliveryRow = Selectable<CatalogTables['delivery']>
type Db = Kysely<CatalogTables>

const topicsSchema = z.array(eventTopic)

export function parseTopics(row: Pick<WebhookRow, 'topicsJson'>): z.infer<typeof topicsSchema> {
  return topicsSchema.parse(JSON.parse(row.topicsJson))
}

export function showWebhook(row: WebhookRow): Webhook {
  const { id, name, url, version } = row
  return {
    id,
    name,
    url,
    version,
    topics: parseTopics(row),
    enabled: row.enabled === 1,
    createdAt: timeOf(row.createdAt),
  }
}

export function showDelivery(row: DeliveryRow): Delivery {
  const { id, webhookId, eventSeq, state, attempts, status, error } = row
  return {
    id,
    webhookId,
    eventSeq,
    state,
    attempts,
    status,
    error,
    nextAt: state === 'waiting' ? timeOf(row.nextAt) : null,
    createdAt: timeOf(row.createdAt),
    endedAt: timeOrNull(row.endedAt),
  }
}

export async function loadWebhook(db: Db, id: string): Promise<WebhookRow> {
  const row = await db.selectFrom('webhook').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('webhook', id)
  return row
}

export async function loadDelivery(db: Db, webhookId: string, id: string): Promise<DeliveryRow> {
  const row = await db
    .selectFrom('delivery')
    .selectAll()
    .where('id', '=', id)
    .where('webhookId', '=', webhookId)
    .executeTakeFirst()
  if (row === undefined) throw objectNotFound('delivery', id)
  return row
}

/** Deliveries to one receiver that wait at once; then it gets no new ones until it takes some. */
export const WAITING_COUNT_MAX = 10_000

export async function countWaiting(db: Db, webhookId: string): Promise<number> {
  const row = await db
    .selectFrom('delivery')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('webhookId', '=', webhookId)
    .where('state', '=', 'waiting')
    .executeTakeFirstOrThrow()
  return row.count
}
