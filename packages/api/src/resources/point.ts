/** Recovery points: immutable, mountable states of a source. */
import { z } from 'zod'
import {
  absolutePath,
  count,
  idOf,
  labels,
  lineText,
  PAGE_LIMIT_MAX,
  pathText,
  time,
  timeOrNull,
  timeShown,
} from './common.ts'
import { pointDatabase } from './database.ts'
import { entry } from './host.ts'

const verificationCheck = z.object({
  /** `checksums`, `CHECK TABLE shop.goods`, or the assertion. */
  name: z.string(),
  ok: z.boolean(),
  evidence: z.string(),
  tookMs: count,
})
export type VerificationCheck = z.infer<typeof verificationCheck>

/** How its last verification ended: the evidence stays with the point. */
export const verification = z
  .object({
    state: z.enum(['verified', 'failed']),
    /** Started on a clone and asked, or read back out of the pool. */
    by: z.enum(['database', 'data', 'structure']),
    at: timeShown,
    tookMs: count,
    jobId: idOf('job'),
    /** Of what failed first; empty when nothing did. */
    reason: z.string(),
    checkCount: count,
    failedCount: count,
    /** Those that failed first; only of one point that is asked for. */
    checks: z.array(verificationCheck).optional(),
  })
  .meta({ id: 'Verification' })
export type Verification = z.infer<typeof verification>

export const point = z
  .object({
    id: idOf('point'),
    sourceId: idOf('source'),
    hostId: idOf('host'),
    poolId: idOf('pool'),
    snapshotId: z.string(),
    kind: z.enum(['tree', 'volume']),
    consistency: z.enum(['crash', 'application', 'files']),
    takenAt: timeShown,
    /** Bytes that it shows, and bytes that it added to the pool. */
    sizeBytes: count,
    addedBytes: count,
    itemCount: count,
    warningCount: count,
    state: z.enum(['available', 'deleting', 'deleted', 'missing']),
    /** Why it is kept; empty when it may go. */
    reasons: z.array(z.string()),
    lockUntil: timeOrNull,
    verifiedAt: timeOrNull,
    verification: verification.nullable().optional(),
    /** Of a point of a database. */
    database: pointDatabase.nullable().optional(),
    labels,
  })
  .meta({ id: 'Point' })
export type Point = z.infer<typeof point>

const limit = z.coerce.number<number | string>().int().min(1).max(PAGE_LIMIT_MAX).default(200)

export const entriesQuery = z.strictObject({
  path: pathText.default('/'),
  after: pathText.optional(),
  limit,
})
export const entries = z.object({ items: z.array(entry), more: z.boolean() })

export const findQuery = z
  .strictObject({
    /** A name or a glob, as `openmaas find` takes it. */
    pattern: pathText.min(1).max(1024),
    sourceId: idOf('source').optional(),
    pointId: idOf('point').optional(),
    limit,
  })
  .refine((query) => query.sourceId !== undefined || query.pointId !== undefined, {
    message: 'sourceId or pointId is needed',
  })
export const found = z.object({
  items: z.array(z.object({ pointId: idOf('point'), takenAt: timeShown, path: z.string(), entry })),
  more: z.boolean(),
})

export const contentQuery = z.strictObject({
  path: pathText.min(1),
  offset: z.coerce.number<number | string>().int().nonnegative().default(0),
  length: z.coerce.number<number | string>().int().min(1).optional(),
})

export const lockRequest = z.strictObject({ until: time, reason: lineText.optional() })

const PATH_COUNT_MAX = 10_000
export const restoreRequest = z.strictObject({
  hostId: idOf('host'),
  /** Below the root of the point; none means all of it. */
  paths: z.array(pathText).max(PATH_COUNT_MAX).default([]),
  to: absolutePath,
  conflict: z.enum(['fail', 'skip', 'overwrite', 'rename']).default('fail'),
  bytesPerSecond: count.min(1).nullable().default(null),
})
