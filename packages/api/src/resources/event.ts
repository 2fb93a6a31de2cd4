/** What happened, in order: `/events` as SSE, webhooks as CloudEvents. */
import { z } from 'zod'
import { count, labels, timeShown } from './common.ts'

export const EVENT_TOPICS = [
  'jobs',
  'points',
  'sources',
  'hosts',
  'pools',
  'media',
  'virtual-databases',
  'alerts',
  'audit',
  'policies',
] as const
export const eventTopic = z.enum(EVENT_TOPICS)
export type EventTopic = z.infer<typeof eventTopic>

export const event = z
  .object({
    seq: count,
    at: timeShown,
    topic: z.string(),
    /** `job.ended`, `point.created`, … */
    type: z.string(),
    /** Id of what it is about. */
    subject: z.string(),
    labels,
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })
export type Event = z.infer<typeof event>

/** CloudEvents 1.0 in JSON, the body of a webhook. */
export const cloudEvent = z
  .object({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string(),
    time: timeShown,
    datacontenttype: z.literal('application/json'),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'CloudEvent' })

const topicList = new RegExp(`^(?:${EVENT_TOPICS.join('|')})(?:,(?:${EVENT_TOPICS.join('|')}))*$`)
export const eventsQuery = z.strictObject({
  /** Separated by commas; all when absent. */
  topics: z.string().regex(topicList).optional(),
  /** For those who cannot send the header Last-Event-ID. */
  lastEventId: z.coerce.number<number | string>().int().nonnegative().optional(),
})
