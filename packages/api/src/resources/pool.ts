/** Storage pools, as their node last reported them. */
import { z } from 'zod'
import {
  absolutePath,
  count,
  idOf,
  labels,
  nameText,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'

/** Bytes and counts; zero until the node has reported. */
export const poolStats = z
  .object({
    /** Of the file systems below the bricks. */
    sizeBytes: count,
    freeBytes: count,
    /** Live pack files, and what they would be without deduplication and compression. */
    physicalBytes: count,
    logicalBytes: count,
    snapshotCount: count,
    packCount: count,
    badBlocks: count,
  })
  .meta({ id: 'PoolStats' })
export type PoolStats = z.infer<typeof poolStats>

export const pool = z
  .object({
    id: idOf('pool'),
    name: z.string(),
    nodeId: idOf('host'),
    path: z.string(),
    labels,
    state: z.enum(['online', 'offline', 'degraded', 'full']),
    stats: poolStats,
    /** At the growth of the last days; null when it does not grow or is too young. */
    daysToFull: z.number().nonnegative().nullable(),
    seenAt: timeOrNull,
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'Pool' })
export type Pool = z.infer<typeof pool>

/** Directories of one pool: a mirror or erasure code over more than these gains nothing. */
const BRICK_COUNT_MAX = 32

export const poolCreate = z.strictObject({
  name: nameText,
  nodeId: idOf('host'),
  bricks: z.array(absolutePath).min(1).max(BRICK_COUNT_MAX),
  redundancy: z
    .string()
    .regex(/^(?:single|mirror:\d{1,2}|ec:\d{1,2}\+\d{1,2})$/)
    .default('single'),
  labels: labels.default({}),
})
export const poolAdopt = z.strictObject({
  name: nameText,
  nodeId: idOf('host'),
  path: absolutePath,
  passphrase: z.string().min(1).max(1024),
  labels: labels.default({}),
})
/** The passphrase of a new pool is shown once: without it the pool is nobody's. */
export const poolCreated = z.object({ pool, passphrase: z.string().nullable() })
export const poolChange = z.strictObject({ name: nameText.optional(), labels: labels.optional() })
export const poolCollect = z.strictObject({
  /** Go on although unusually much would be deleted. */
  approve: z.boolean().default(false),
})
export const poolCheck = z.strictObject({
  /** Read every byte, not only the structure. */
  data: z.boolean().default(false),
})
