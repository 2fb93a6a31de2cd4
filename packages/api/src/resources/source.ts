/** What is protected. */
import { z } from 'zod'
import {
  absolutePath,
  count,
  danger,
  idOf,
  labels,
  nameText,
  pathText,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'
import {
  DATABASE_KINDS,
  databaseKind,
  type DatabaseKind,
  databaseProtection,
  databaseProtectionChange,
  databaseShown,
  PLAIN_KINDS,
} from './database.ts'

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

export const isDatabaseKind = (kind: string): kind is DatabaseKind =>
  !(PLAIN_KINDS as readonly string[]).includes(kind)

/** Those that every agent knows; plug-ins of hosts know more. */
export const SOURCE_KINDS = [...PLAIN_KINDS, ...DATABASE_KINDS] as const
export const sourceKind = z.union([z.enum(PLAIN_KINDS), databaseKind])
export type SourceKind = z.infer<typeof sourceKind>

export const source = z
  .object({
    id: idOf('source'),
    name: z.string(),
    hostId: idOf('host'),
    kind: sourceKind,
    /** Of a database: host:port of production. */
    path: z.string(),
    options: sourceOptions,
    /** Of a database. */
    database: databaseShown.nullable().optional(),
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

export const sourceCreate = z
  .strictObject({
    name: nameText,
    hostId: idOf('host'),
    kind: sourceKind.default('files'),
    /** Of files and disks. */
    path: absolutePath.optional(),
    /** Of databases. */
    database: databaseProtection.optional(),
    options: sourceOptions.prefault({}),
    labels: labels.default({}),
    policyId: idOf('policy').nullable().default(null),
    poolId: idOf('pool').nullable().default(null),
  })
  .refine((body) => isDatabaseKind(body.kind) || body.path !== undefined, {
    path: ['path'],
    message: 'files and disks need a path',
  })
  .refine((body) => isDatabaseKind(body.kind) === (body.database !== undefined), {
    path: ['database'],
    message: 'a database needs its connection, and nothing else has one',
  })
export const sourceChange = z.strictObject({
  name: nameText.optional(),
  path: absolutePath.optional(),
  database: databaseProtectionChange.optional(),
  options: sourceOptions.optional(),
  labels: labels.optional(),
  policyId: idOf('policy').nullable().optional(),
  poolId: idOf('pool').nullable().optional(),
})
export const sourceRemoval = danger.extend({
  force: z
    .boolean()
    .optional()
    .meta({ description: 'Its production is gone for good: nothing waits for it.' }),
})
export const protectRequest = z.strictObject({
  /** Kept at least until then. */
  lockUntil: z.iso.datetime({ offset: true }).optional(),
  labels: labels.default({}),
})
