/**
 * Consistency groups: databases that are recovered at one moment. Decision 0016 says what one
 * moment means.
 */
import { z } from 'zod'
import {
  count,
  failure,
  idOf,
  labels,
  lineText,
  nameText,
  plan,
  time,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'
import { accepted } from './job.ts'
import { branchRequest } from './virtual-database.ts'

/** A run marks all of them at once; an application with more databases has more than one group. */
export const GROUP_MEMBER_MAX = 32
const MEMBER_MIN = 2
/** Databases of different hosts with time synchronisation are milliseconds apart. */
const CLOCK_LIMIT_DEFAULT_MS = 1000
const CLOCK_LIMIT_MAX_MS = 3_600_000

const sourceIds = z
  .array(idOf('source'))
  .min(MEMBER_MIN)
  .max(GROUP_MEMBER_MAX)
  .refine((ids) => new Set(ids).size === ids.length, { message: 'a source is named twice' })
  .meta({ description: 'Databases; of one instance, one source is a moment of all of them.' })
const clockLimitMs = count.min(1).max(CLOCK_LIMIT_MAX_MS)

export const group = z
  .object({
    id: idOf('consistencyGroup'),
    name: z.string(),
    sourceIds: z.array(idOf('source')),
    /** The policy of all its members, by which it runs; null: only by hand. */
    policyId: idOf('policy').nullable(),
    /** Clocks of production that are further apart make no group point. */
    clockLimitMs: count,
    labels,
    nextRunAt: timeOrNull,
    /** The moment of its newest point. */
    lastPointAt: timeOrNull,
    /** Why its last run made no point. */
    problem: failure.nullable(),
    createdBy: z.string(),
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'Group' })
export type Group = z.infer<typeof group>

export const groupCreate = z.strictObject({
  name: nameText,
  sourceIds,
  policyId: idOf('policy').nullable().default(null),
  clockLimitMs: clockLimitMs.default(CLOCK_LIMIT_DEFAULT_MS),
  labels: labels.default({}),
})

/** Members that are named are all of them from then on. */
export const groupChange = z.strictObject({
  name: nameText.optional(),
  sourceIds: sourceIds.optional(),
  policyId: idOf('policy').nullable().optional(),
  clockLimitMs: clockLimitMs.optional(),
  labels: labels.optional(),
})

export const groupPoint = z
  .object({
    id: idOf('groupPoint'),
    groupId: idOf('consistencyGroup'),
    /** The moment: a recovery of it holds everything that was committed before. */
    at: timeShown,
    members: z.array(
      z.object({
        sourceId: idOf('source'),
        /** Its log reaches beyond the moment. */
        pointId: idOf('point'),
        /** It was taken before the moment, and is what is cloned. */
        basePointId: idOf('point'),
        /** Production's clock against the server's, and how exactly it was measured; null: not. */
        clockOffsetMs: z.number().nullable(),
        clockErrorMs: z.number().nullable(),
      }),
    ),
    /** How far apart the clocks of production may have been; null: it was not measured. */
    clockSpreadMs: z.number().nullable(),
    reasons: z.array(z.string()),
    createdAt: timeShown,
  })
  .meta({ id: 'GroupPoint' })
export type GroupPoint = z.infer<typeof groupPoint>

/** As one virtual database has them. */
const { listen, user, lifetimeSeconds, quotaBytes, purpose, port, settings } = branchRequest.shape

/** A virtual database of each member, all at one moment: all of them, or none. */
export const groupDatabasesCreate = z
  .strictObject({
    /** Each is called after this and its source: `test-orders`, `test-billing`. */
    name: nameText,
    hostId: idOf('host'),
    listen,
    user,
    lifetimeSeconds,
    /** Of each of them. */
    quotaBytes,
    purpose,
    labels: labels.default({}),
    groupPointId: idOf('groupPoint').optional(),
    /** Any other moment: the whole second at or before it. */
    at: time.optional(),
    /** What is otherwise for one of them. */
    members: z
      .array(
        z.strictObject({
          sourceId: idOf('source'),
          name: nameText.optional(),
          hostId: idOf('host').optional(),
          port,
          settings,
        }),
      )
      .max(GROUP_MEMBER_MAX)
      .default([]),
  })
  .refine(({ groupPointId, at }) => groupPointId === undefined || at === undefined, {
    message: 'only one of groupPointId and at can be given',
  })

export const groupProtectRequest = z.strictObject({
  /** Written to the job. */
  reason: lineText.optional(),
})

const made = z.object({
  sourceId: idOf('source'),
  virtualDatabaseId: idOf('virtualDatabase'),
  name: z.string(),
})
export const groupDatabasesAccepted = z
  .object({ ...accepted.shape, at: timeShown, virtualDatabases: z.array(made) })
  .meta({ id: 'GroupDatabasesAccepted' })
export const groupDatabasesPlan = plan
  .extend({ at: timeShown, takesPointFirst: z.boolean() })
  .meta({ id: 'GroupDatabasesPlan' })
