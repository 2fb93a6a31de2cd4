/** Media: recovery points and clones made ready to use on a host. */
import { z } from 'zod'
import {
  absolutePath,
  count,
  failure,
  idOf,
  labels,
  lineText,
  nameText,
  time,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'
import { accepted } from './job.ts'

export const medium = z
  .object({
    id: idOf('medium'),
    name: z.string(),
    pointId: idOf('point'),
    sourceId: idOf('source'),
    poolId: idOf('pool'),
    nodeId: idOf('host'),
    hostId: idOf('host'),
    protocol: z.enum(['local', 'nbd']),
    readOnly: z.boolean(),
    mountPath: z.string().nullable(),
    device: z.string().nullable(),
    state: z.enum(['plugging', 'plugged', 'ejecting', 'ejected', 'failed', 'lost']),
    purpose: z.string(),
    leaseUntil: timeOrNull,
    quotaBytes: count.nullable(),
    bytesPerSecond: count.nullable(),
    labels,
    createdBy: z.string(),
    createdAt: timeShown,
    endedAt: timeOrNull,
    problem: failure.nullable(),
    version,
  })
  .meta({ id: 'Medium' })
export type Medium = z.infer<typeof medium>

/** A lease of a year is a permanent thing that nobody looks at any more. */
const LIFETIME_MAX_SECONDS = 366 * 86_400
const LIFETIME_DEFAULT_SECONDS = 86_400
export const lifetimeSeconds = z.number().int().min(60).max(LIFETIME_MAX_SECONDS)

const plugFields = {
  name: nameText.optional(),
  hostId: idOf('host'),
  protocol: z.enum(['auto', 'local', 'nbd']).default('auto'),
  readOnly: z.boolean().default(false),
  /** Where it is mounted; null: a place is chosen. */
  mountPath: absolutePath.nullable().default(null),
  /** Only the disk, not its file system. */
  mount: z.boolean().default(true),
  lifetimeSeconds: lifetimeSeconds.default(LIFETIME_DEFAULT_SECONDS),
  quotaBytes: count.min(1).nullable().default(null),
  bytesPerSecond: count.min(1).nullable().default(null),
  purpose: lineText.default(''),
  labels: labels.default({}),
}

export const mountRequest = z.strictObject(plugFields)
/** A point; or a source with a time: the newest point not after it. */
export const plugRequest = z
  .strictObject({
    ...plugFields,
    pointId: idOf('point').optional(),
    sourceId: idOf('source').optional(),
    at: time.optional(),
  })
  .refine((body) => (body.pointId === undefined) !== (body.sourceId === undefined), {
    message: 'either pointId or sourceId is needed',
  })

export const plugged = z
  .object({ ...accepted.shape, mediumId: idOf('medium') })
  .meta({ id: 'MediumAccepted' })
export const ejectRequest = z.strictObject({
  /** Although programs use it: what they have not written is lost. */
  force: z.boolean().default(false),
})
export const extendRequest = z.strictObject({ lifetimeSeconds })
