/** What is protected. */
import { z } from 'zod'
import {
  absolutePath,
  count,
  idOf,
  labels,
  nameText,
  pathText,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'

const RULE_COUNT_MAX = 1000
const rules = z.array(pathText.min(1)).max(RULE_COUNT_MAX)

/** How it is captured: the rules as `openmaas backup` takes them, and the data channels. */
export const sourceOptions = z
  .strictObject({
    include: rules.default([]),
    exclude: rules.default([]),
    oneFileSystem: z.boolean().default(false),
    channels: z.number().int().min(1).max(16).default(2),
    bytesPerSecond: count.min(1).nullable().default(null),
  })
  .meta({ id: 'SourceOptions' })
export type SourceOptions = z.infer<typeof sourceOptions>

export const complianceState = z.enum(['compliant', 'at-risk', 'violated', 'unprotected', 'paused'])

/** A reason as a code with parameters, and in words of the language asked for. */
export const reasonText = z.object({
  code: z.string(),
  params: z.record(z.string(), z.unknown()),
  text: z.string(),
})

/** Whether the promise is kept, and why (not). */
export const compliance = z
  .object({
    sourceId: idOf('source'),
    state: complianceState,
    policyId: idOf('policy').nullable(),
    rpoMs: count.nullable(),
    /** Age of the newest point. */
    ageMs: count.nullable(),
    nextRunAt: timeOrNull,
    reasons: z.array(reasonText),
  })
  .meta({ id: 'Compliance' })

export const source = z
  .object({
    id: idOf('source'),
    name: z.string(),
    hostId: idOf('host'),
    kind: z.enum(['files', 'disk']),
    path: z.string(),
    options: sourceOptions,
    labels,
    /** Named by hand; null: the policy whose selector matches. */
    policyId: idOf('policy').nullable(),
    /** The one that holds now. */
    effectivePolicyId: idOf('policy').nullable(),
    poolId: idOf('pool').nullable(),
    paused: z.boolean(),
    lastSuccessAt: timeOrNull,
    lastPointId: idOf('point').nullable(),
    nextRunAt: timeOrNull,
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'Source' })
export type Source = z.infer<typeof source>

export const sourceCreate = z.strictObject({
  name: nameText,
  hostId: idOf('host'),
  kind: z.enum(['files', 'disk']).default('files'),
  path: absolutePath,
  options: sourceOptions.prefault({}),
  labels: labels.default({}),
  policyId: idOf('policy').nullable().default(null),
  poolId: idOf('pool').nullable().default(null),
})
export const sourceChange = z.strictObject({
  name: nameText.optional(),
  path: absolutePath.optional(),
  options: sourceOptions.optional(),
  labels: labels.optional(),
  policyId: idOf('policy').nullable().optional(),
  poolId: idOf('pool').nullable().optional(),
})
export const protectRequest = z.strictObject({
  /** Kept at least until then. */
  lockUntil: z.iso.datetime({ offset: true }).optional(),
  labels: labels.default({}),
})
