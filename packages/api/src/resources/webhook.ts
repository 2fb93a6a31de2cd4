/** Webhooks: events given to others as signed CloudEvents. */
import { z } from 'zod'
import { count, idOf, nameText, timeOrNull, timeShown, version } from './common.ts'
import { EVENT_TOPICS, eventTopic } from './event.ts'

const target = z.url({ protocol: /^https?$/ }).max(2048)
const topics = z.array(eventTopic).min(1).max(EVENT_TOPICS.length)
/** What HMAC-SHA256 wants at least, in characters of a password maker. */
const secret = z.string().min(16).max(256)

export const webhook = z
  .object({
    id: idOf('webhook'),
    name: z.string(),
    url: z.string(),
    topics: z.array(eventTopic),
    enabled: z.boolean(),
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'Webhook' })
export type Webhook = z.infer<typeof webhook>

export const webhookCreate = z.strictObject({
  name: nameText,
  url: target,
  topics: topics.default([...EVENT_TOPICS]),
  enabled: z.boolean().default(true),
  /** Without it one is made up, and shown once. */
  secret: secret.optional(),
})
export const webhookCreated = z.object({ webhook, secret: z.string() })
export const webhookChange = z.strictObject({
  name: nameText.optional(),
  url: target.optional(),
  topics: topics.optional(),
  enabled: z.boolean().optional(),
  secret: secret.optional(),
})

export const delivery = z
  .object({
    id: idOf('delivery'),
    webhookId: idOf('webhook'),
    eventSeq: count,
    state: z.enum(['waiting', 'delivered', 'failed']),
    attempts: count,
    nextAt: timeOrNull,
    status: z.number().int().nullable(),
    error: z.string().nullable(),
    createdAt: timeShown,
    endedAt: timeOrNull,
  })
  .meta({ id: 'Delivery' })
export type Delivery = z.infer<typeof delivery>
