/** Databases as sources: how production is reached, and how their standby stands. */
import { z } from 'zod'
import {
  count,
  freeText,
  idOf,
  lineText,
  NAME_LENGTH_MAX,
  timeOrNull,
  timeShown,
} from './common.ts'

/** Those whose plug-ins come with the agent. MariaDB is `mysql`. */
export const DATABASE_KINDS = ['postgres', 'mysql'] as const
/** Sources of such a kind have no block `database`; of any other kind they have one. */
export const PLAIN_KINDS = ['files', 'disk'] as const

const isPlain = (kind: string): boolean => (PLAIN_KINDS as readonly string[]).includes(kind)

/** An engine: one of those above, or one that a plug-in of some host knows. */
export const databaseKind = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'the name of an engine such as postgres')
  .refine((kind) => !isPlain(kind), 'no engine of a database')
export type DatabaseKind = z.infer<typeof databaseKind>

export const portNumber = z.number().int().min(1).max(65_535)
/** Certificates of an authority: a chain of a few, in PEM. */
const CA_LENGTH_MAX = 65_536
const PASSWORD_LENGTH_MAX = 1024
const GIB = 1024 ** 3

/** How production is reached from the staging host. */
const connectionFields = {
  /** A name or an address; an absolute path is a Unix socket. */
  host: lineText.min(1).max(1024),
  port: portNumber,
  user: lineText.min(1).max(NAME_LENGTH_MAX),
  tls: z.enum(['off', 'require', 'verify']).default('off'),
  /** PEM; null: the authorities that the staging host trusts. */
  ca: z.string().max(CA_LENGTH_MAX).nullable().default(null),
}
/** `password` is sealed, and never shown again; null: peer authentication over the socket. */
export const databaseConnection = z
  .strictObject({
    ...connectionFields,
    password: z.string().max(PASSWORD_LENGTH_MAX).nullable().default(null),
  })
  .meta({ id: 'DatabaseConnection' })
export type DatabaseConnection = z.infer<typeof databaseConnection>

export const databaseConnectionShown = z
  .object({ ...connectionFields, hasPassword: z.boolean() })
  .meta({ id: 'DatabaseConnectionShown' })

/** May data consumers make virtual databases of it: never, with consent, or by themselves. */
export const selfService = z.enum(['off', 'approval', 'on'])

/** Each must answer one row with one column that is true. */
const ASSERTION_COUNT_MAX = 100
export const sqlAssertions = z
  .array(z.strictObject({ database: lineText.min(1).max(NAME_LENGTH_MAX), sql: freeText.min(1) }))
  .max(ASSERTION_COUNT_MAX)

const protectionFields = {
  /** The agent that runs the standby; null: the host of the source. */
  stagingHostId: idOf('host').nullable().default(null),
  /** Of the volume; null: three times the database, and at least 4 GiB. It is thin. */
  volumeBytes: count
    .min(GIB / 4)
    .nullable()
    .default(null),
  /** Up to which it grows by itself when it is nearly full; null: four times `volumeBytes`. */
  volumeMaxBytes: count
    .min(GIB / 4)
    .nullable()
    .default(null),
  /** What production may keep for a standby that is away: then it gives the log up. */
  retainedLimitBytes: count.min(GIB / 16).default(16 * GIB),
  /** Production waits for the standby with each commit: nothing acknowledged is ever lost. */
  synchronous: z.boolean().default(false),
  selfService: selfService.default('off'),
  /** Asked of each point that is verified, beside the engine's own checks. */
  assertions: sqlAssertions.default([]),
}
/** What a source of a database needs; of a change, the whole block, the password if it changes. */
export const databaseProtection = z
  .strictObject({ connection: databaseConnection, ...protectionFields })
  .meta({ id: 'DatabaseProtection' })
export type DatabaseProtection = z.infer<typeof databaseProtection>

/** What is not named stays: no field has a default here. */
const changedConnection = z
  .strictObject({
    ...connectionFields,
    tls: connectionFields.tls.unwrap(),
    ca: connectionFields.ca.unwrap(),
    password: databaseConnection.shape.password.unwrap(),
  })
  .partial()
export const databaseProtectionChange = z
  .strictObject({
    connection: changedConnection,
    /** A changed connection is tried first, from the standby's host; false: it is believed. */
    check: z.boolean(),
    stagingHostId: idOf('host').nullable(),
    /** Larger only: a job makes the volume so while the standby follows. */
    volumeBytes: count.min(GIB / 4),
    volumeMaxBytes: count.min(GIB / 4),
    retainedLimitBytes: count.min(GIB / 16),
    synchronous: z.boolean(),
    selfService,
    assertions: sqlAssertions,
  })
  .partial()
  .meta({ id: 'DatabaseProtectionChange' })
export type DatabaseProtectionChange = z.infer<typeof databaseProtectionChange>

/** How its standby stood when it was last asked. */
export const standbyStatus = z
  .object({
    /** `new`: never seeded. */
    state: z.enum(['new', 'seeding', 'following', 'stopped', 'broken']),
    reason: z.string(),
    mustReseed: z.boolean(),
    received: z.string().nullable(),
    lagBytes: count.nullable(),
    lagMs: count.nullable(),
    /** What production keeps for us alone. */
    retainedBytes: count.nullable(),
    logBytes: count.nullable(),
    /** Of the file system of its volume; null: not known yet. */
    volume: z.object({ sizeBytes: count, freeBytes: count }).nullable(),
    at: timeOrNull,
  })
  .meta({ id: 'StandbyStatus' })
export type StandbyStatus = z.infer<typeof standbyStatus>

/** As a source shows it. */
export const databaseShown = z
  .object({
    ...protectionFields,
    /** Null for one who may only make virtual databases. */
    connection: databaseConnectionShown.nullable(),
    /** The host that it is: `stagingHostId`, else the host of the source. */
    standbyHostId: idOf('host'),
    engineVersion: z.string(),
    /** The engine's own id of the instance; empty before the first check. */
    identity: z.string(),
    /** The medium that is its volume, once there is one. */
    mediumId: idOf('medium').nullable(),
    status: standbyStatus,
  })
  .meta({ id: 'Database' })

/** What a point of a database is a point of. */
export const pointDatabase = z
  .object({
    engine: z.string(),
    engineVersion: z.string(),
    /** Where it stands in the engine's log: LSN, GTID set. */
    position: z.string(),
    detail: z.string(),
    /** Every second from here to the point can be recovered from the point alone. */
    logFromAt: timeOrNull,
  })
  .meta({ id: 'PointDatabase' })
export type PointDatabase = z.infer<typeof pointDatabase>

export const databaseCheckRequest = z.strictObject({
  kind: databaseKind,
  /** The agent that would run the standby: it asks production. */
  hostId: idOf('host'),
  connection: databaseConnection,
})
export const databaseChecked = z
  .object({
    /** All of the checks hold. */
    ok: z.boolean(),
    engineVersion: z.string(),
    sizeBytes: count,
    identity: z.string(),
    checks: z.array(
      z.object({
        name: z.string(),
        ok: z.boolean(),
        message: z.string(),
        /** SQL or settings to run on production; empty when there is nothing to do. */
        remedy: z.string(),
      }),
    ),
    /** What `volumeBytes: null` would become. */
    volumeBytes: count,
  })
  .meta({ id: 'DatabaseChecked' })

export const databaseDiscoverRequest = z.strictObject({ hostId: idOf('host') })
export const databasesDiscovered = z
  .object({
    items: z.array(
      z.object({
        kind: z.string(),
        engineVersion: z.string(),
        dataDirectory: z.string(),
        host: z.string().nullable(),
        port: portNumber.nullable(),
        running: z.boolean(),
        sizeBytes: count,
        databases: z.array(z.string()),
        /** The source that protects it already. */
        sourceId: idOf('source').nullable(),
      }),
    ),
  })
  .meta({ id: 'DatabasesDiscovered' })

/** Which moments can be had. */
export const recoverRange = z
  .object({
    sourceId: idOf('source'),
    /** The oldest moment; null: nothing yet. */
    from: timeOrNull,
    /** The newest; when `live`, a point is taken first for what is later than the newest one. */
    until: timeOrNull,
    live: z.boolean(),
    /** Without gaps within each: any second, and any transaction. Oldest first. */
    ranges: z.array(z.object({ from: timeShown, until: timeShown })),
    pointCount: count,
  })
  .meta({ id: 'RecoverRange' })
export type RecoverRange = z.infer<typeof recoverRange>

export const databaseVerifyRequest = z.strictObject({
  /** Where it is started for the check; null: the standby's host. */
  hostId: idOf('host').nullable().default(null),
  /** Beside those of the source. */
  assertions: sqlAssertions.default([]),
})
