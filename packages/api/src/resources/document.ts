/**
 * Configuration as documents: what `openmaas export` writes and `openmaas apply -f` reads. They
 * refer to each other by name, since ids differ from one installation to the next.
 */
import { z } from 'zod'
import { policySpec } from '../policy.ts'
import { absolutePath, labels, labelSelector, nameText } from './common.ts'
import { CHANNEL_KINDS, notifyMatch } from './notification.ts'
import { sourceOptions } from './source.ts'
import { eventTopic } from './event.ts'

const apiVersion = z.literal('openmaas/v1')
const named = z.strictObject({ name: nameText, labels: labels.optional() })

export const policyDocument = z.strictObject({
  apiVersion,
  kind: z.literal('Policy'),
  metadata: z.strictObject({ name: nameText }),
  spec: z.strictObject({
    selector: labelSelector.nullable().default(null),
    priority: z.number().int().min(-1000).max(1000).default(0),
    enabled: z.boolean().default(true),
    promise: policySpec,
  }),
})
export const sourceDocument = z.strictObject({
  apiVersion,
  kind: z.literal('Source'),
  metadata: named,
  spec: z.strictObject({
    /** Name of the host. */
    host: nameText,
    kind: z.enum(['files', 'disk']).default('files'),
    path: absolutePath,
    options: sourceOptions.prefault({}),
    /** Names. */
    policy: nameText.nullable().default(null),
    pool: nameText.nullable().default(null),
    paused: z.boolean().default(false),
  }),
})
/** Hosts join by themselves; a document only labels them. */
export const hostDocument = z.strictObject({
  apiVersion,
  kind: z.literal('Host'),
  metadata: named,
  spec: z.strictObject({ drained: z.boolean().default(false) }).prefault({}),
})
export const webhookDocument = z.strictObject({
  apiVersion,
  kind: z.literal('Webhook'),
  metadata: z.strictObject({ name: nameText }),
  spec: z.strictObject({
    url: z.url({ protocol: /^https?$/ }).max(2048),
    topics: z.array(eventTopic).min(1),
    enabled: z.boolean().default(true),
  }),
})
export const notifyRuleDocument = z.strictObject({
  apiVersion,
  kind: z.literal('NotificationRule'),
  metadata: z.strictObject({ name: nameText }),
  spec: z.strictObject({
    match: notifyMatch.prefault({}),
    /** Names. */
    channels: z.array(nameText).min(1).max(32),
    enabled: z.boolean().default(true),
  }),
})
/** Exported without its secrets; applied with the configuration that is given. */
export const channelDocument = z.strictObject({
  apiVersion,
  kind: z.literal('NotificationChannel'),
  metadata: z.strictObject({ name: nameText }),
  spec: z.strictObject({
    kind: z.enum(CHANNEL_KINDS),
    config: z.record(z.string().max(64), z.unknown()).default({}),
    enabled: z.boolean().default(true),
  }),
})

export const document = z
  .discriminatedUnion('kind', [
    policyDocument,
    sourceDocument,
    hostDocument,
    webhookDocument,
    notifyRuleDocument,
    channelDocument,
  ])
  .meta({ id: 'Document' })
export type Document = z.infer<typeof document>

/** Documents of one request; larger configurations come in several. */
export const DOCUMENT_COUNT_MAX = 5000
export const applyRequest = z.strictObject({
  documents: z.array(document).min(1).max(DOCUMENT_COUNT_MAX),
  reason: z.string().max(4096).optional(),
  approvalId: z.string().max(64).optional(),
})

export const applyResult = z
  .object({
    applied: z.boolean(),
    changes: z.array(
      z.object({
        kind: z.string(),
        name: z.string(),
        action: z.enum(['create', 'change', 'none']),
        /** What differs: path into the document, before, after. */
        differences: z.array(
          z.object({ path: z.string(), before: z.unknown(), after: z.unknown() }),
        ),
        warnings: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'ApplyResult' })
export type ApplyResult = z.infer<typeof applyResult>

export const exported = z.object({ documents: z.array(document) }).meta({ id: 'Exported' })
