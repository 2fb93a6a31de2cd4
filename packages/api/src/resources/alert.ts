/** What needs attention, with its cause and the next step. */
import { z } from 'zod'
import { idOf, labels, lineText, time, timeOrNull, timeShown } from './common.ts'

export const severity = z.enum(['info', 'warning', 'critical'])

export const alert = z
  .object({
    id: idOf('alert'),
    rule: z.string(),
    severity,
    state: z.enum(['firing', 'resolved']),
    /** Id of what it is about. */
    subject: z.string(),
    labels,
    params: z.record(z.string(), z.unknown()),
    title: z.string(),
    cause: z.string(),
    nextStep: z.string(),
    openedAt: timeShown,
    seenAt: timeShown,
    resolvedAt: timeOrNull,
    /** Nothing is sent about it until then; null: it is not silent. */
    silence: z.object({ until: timeShown, by: z.string(), reason: z.string() }).nullable(),
    acknowledgedBy: z.string().nullable(),
    acknowledgedAt: timeOrNull,
  })
  .meta({ id: 'Alert' })
export type Alert = z.infer<typeof alert>

export const acknowledgement = z.strictObject({ note: lineText.optional() })

/** Longer is forgotten: who wants no more of it changes the rule. */
export const SILENCE_DAYS_MAX = 90

export const silenceRequest = z.strictObject({ until: time, reason: lineText.min(1) })
