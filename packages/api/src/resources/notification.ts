/** Who is told about alerts, and how. */
import { z } from 'zod'
import {
  count,
  idOf,
  labelSelector,
  lineText,
  nameText,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'
import { severity } from './alert.ts'

export const CHANNEL_KINDS = [
  'webhook',
  'email',
  'slack',
  'teams',
  'wecom',
  'dingtalk',
  'feishu',
  'syslog',
] as const

const CONFIG_KEY_COUNT_MAX = 32
/** What each kind needs; checked by the kind itself. Secrets go in and never come out. */
const config = z
  .record(z.string().max(64), z.union([lineText, z.number(), z.boolean(), z.array(lineText)]))
  .refine((map) => Object.keys(map).length <= CONFIG_KEY_COUNT_MAX, 'too many settings')

export const channel = z
  .object({
    id: idOf('channel'),
    name: z.string(),
    kind: z.enum(CHANNEL_KINDS),
    /** Without what is secret. */
    config: z.record(z.string(), z.unknown()),
    enabled: z.boolean(),
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'NotificationChannel' })
export const channelCreate = z.strictObject({
  name: nameText,
  kind: z.enum(CHANNEL_KINDS),
  config,
  enabled: z.boolean().default(true),
})
export const channelChange = z.strictObject({
  name: nameText.optional(),
  config: config.optional(),
  enabled: z.boolean().optional(),
})

const clockTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/)

/** All that is given must match. */
export const notifyMatch = z
  .strictObject({
    severities: z.array(severity).optional(),
    rules: z.array(nameText).max(100).optional(),
    labels: labelSelector.optional(),
    /** Only then, in the time zone named; `digest` gathers the rest for the next morning. */
    window: z
      .strictObject({ from: clockTime, to: clockTime, timezone: nameText.default('UTC') })
      .optional(),
    digest: z.boolean().default(false),
    language: z.enum(['en', 'zh']).default('en'),
  })
  .meta({ id: 'NotifyMatch' })
export type NotifyMatch = z.infer<typeof notifyMatch>

export const notifyRule = z
  .object({
    id: idOf('notifyRule'),
    name: z.string(),
    match: notifyMatch,
    channels: z.array(idOf('channel')),
    enabled: z.boolean(),
    version,
  })
  .meta({ id: 'NotificationRule' })
export const notifyRuleCreate = z.strictObject({
  name: nameText,
  match: notifyMatch.prefault({}),
  channels: z.array(idOf('channel')).min(1).max(32),
  enabled: z.boolean().default(true),
})
export const notifyRuleChange = z.strictObject({
  name: nameText.optional(),
  match: notifyMatch.optional(),
  channels: z.array(idOf('channel')).min(1).max(32).optional(),
  enabled: z.boolean().optional(),
})

export const notification = z
  .object({
    id: idOf('notification'),
    alertId: idOf('alert'),
    channelId: idOf('channel'),
    state: z.enum(['waiting', 'sent', 'failed']),
    attempts: count,
    nextAt: timeOrNull,
    error: z.string().nullable(),
  })
  .meta({ id: 'Notification' })

/** What came of "send test". */
export const testResult = z.object({
  delivered: z.boolean(),
  status: z.number().int().nullable(),
  error: z.string().nullable(),
})
