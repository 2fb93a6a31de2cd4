/** Virtual databases: instances on clones, with a port and credentials that outlive a refresh. */
import { z } from 'zod'
import {
  count,
  danger,
  failure,
  idOf,
  labels,
  lineText,
  nameText,
  NAME_LENGTH_MAX,
  plan,
  time,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'
import { portNumber } from './database.ts'
import { accepted } from './job.ts'
import { lifetimeSeconds } from './medium.ts'
import { duration } from '../policy.ts'

export const VIRTUAL_DATABASE_STATES = [
  'creating',
  'running',
  'stopping',
  'stopped',
  'starting',
  'refreshing',
  'resetting',
  'promoting',
  'dropping',
  'dropped',
  'failed',
  'lost',
] as const
export const virtualDatabaseState = z.enum(VIRTUAL_DATABASE_STATES)
export type VirtualDatabaseState = z.infer<typeof virtualDatabaseState>

/**
 * `copy`: a database of its own for somebody's work, confined. `production`: stands where
 * production stood, with its accounts and settings, and nothing confines it.
 */
export const virtualDatabaseMode = z.enum(['copy', 'production'])
export type VirtualDatabaseMode = z.infer<typeof virtualDatabaseMode>

/** How one stands that follows production. */
export const syncStatus = z
  .object({
    /** `stopped`: it does not follow at the moment; `broken`: only a refresh helps. */
    state: z.enum(['following', 'paused', 'stopped', 'broken', 'unknown']),
    /** Behind production; null when it is not known, as while production is away. */
    lagMs: count.nullable(),
    lagBytes: count.nullable(),
    /** In words, when it does not follow. */
    reason: z.string(),
    /** When this was seen. */
    asOf: timeOrNull,
  })
  .meta({ id: 'SyncStatus' })
export type SyncStatus = z.infer<typeof syncStatus>

/** Settings of the instance, as its engine calls them. */
const SETTING_COUNT_MAX = 200
const LISTEN_COUNT_MAX = 16
const settings = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/), lineText.max(1024))
  .refine((map) => Object.keys(map).length <= SETTING_COUNT_MAX, 'too many settings')
const listen = z.array(lineText.min(1).max(255)).min(1).max(LISTEN_COUNT_MAX)
const databaseUser = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,30}$/)
  .refine((name) => !name.startsWith('pg_'), 'names that begin with pg_ are of the server itself')

/** When it is refreshed by itself: `every` so long, or by cron in a time zone. */
export const autoRefresh = z
  .strictObject({
    every: duration.optional(),
    cron: z.string().min(9).max(200).optional(),
    timezone: z.string().max(64).default('UTC'),
  })
  .refine((value) => (value.every === undefined) !== (value.cron === undefined), {
    message: 'either every or cron is needed',
  })
  .meta({ id: 'AutoRefresh' })
export type AutoRefresh = z.infer<typeof autoRefresh>

/** The moment that it shows: that of a point, a time, a transaction, a position of the log. */
export const recoveryTarget = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('point') }),
    z.object({ kind: z.literal('time'), at: timeShown }),
    z.object({ kind: z.literal('transaction'), id: z.string() }),
    z.object({ kind: z.literal('position'), position: z.string() }),
    z.object({ kind: z.literal('bookmark'), bookmarkId: idOf('bookmark') }),
  ])
  .meta({ id: 'RecoveryTarget' })
export type RecoveryTarget = z.infer<typeof recoveryTarget>

export const virtualDatabase = z
  .object({
    id: idOf('virtualDatabase'),
    name: z.string(),
    engine: z.string(),
    engineVersion: z.string(),
    sourceId: idOf('source'),
    /** What it was branched from. */
    parentId: idOf('virtualDatabase').nullable(),
    /** The point below it; null for a branch, which stands on a bookmark. */
    pointId: idOf('point').nullable(),
    bookmarkId: idOf('bookmark').nullable(),
    target: recoveryTarget,
    hostId: idOf('host'),
    poolId: idOf('pool'),
    /** The clone that it stands on. */
    mediumId: idOf('medium').nullable(),
    state: virtualDatabaseState,
    /** The moment that its data is of, before its own changes. */
    dataAt: timeOrNull,
    /** The last transaction of production in it. */
    position: z.string().nullable(),
    /** Where to connect; the password: the verb `connection`. */
    address: z.string().nullable(),
    port: portNumber.nullable(),
    user: z.string(),
    databases: z.array(z.string()),
    listen: z.array(z.string()),
    settings: z.record(z.string(), z.string()),
    /** Until then; null: for good. */
    leaseUntil: timeOrNull,
    quotaBytes: count.nullable(),
    /** What it wrote itself, as far as it is known. */
    writtenBytes: count.nullable(),
    autoRefresh: autoRefresh.nullable(),
    nextRefreshAt: timeOrNull,
    lastRefreshAt: timeOrNull,
    mode: virtualDatabaseMode,
    /** Follows production, read-only, until it is opened. */
    liveSync: z.boolean(),
    /** Null unless it follows. */
    sync: syncStatus.nullable(),
    /**
     * Who logs in: its own user, or the accounts of production with their passwords there. A
     * PostgreSQL that follows is read-only to the last table of the catalog, so it can have no
     * user of its own until it is opened.
     */
    accounts: z.enum(['own', 'production']),
    /** Refuses to be dropped, by hand and by its lifetime. */
    kept: z.boolean(),
    masked: z.boolean(),
    /** Where it was promoted to: a local directory of its host; null: it stands on the clone. */
    directory: z.string().nullable(),
    purpose: z.string(),
    labels,
    createdBy: z.string(),
    createdAt: timeShown,
    readyAt: timeOrNull,
    endedAt: timeOrNull,
    problem: failure.nullable(),
    version,
  })
  .meta({ id: 'VirtualDatabase' })
export type VirtualDatabase = z.infer<typeof virtualDatabase>

const LIFETIME_DEFAULT_SECONDS = 7 * 86_400

/** A source with a moment, or a point: at most one moment, none is the newest. */
/** A transaction id of PostgreSQL, a GTID of MariaDB (0-1-129) or of MySQL (uuid:129). */
const TRANSACTION = /^(?:\d{1,20}|\d+-\d+-\d+|[0-9a-fA-F-]{36}:\d+)$/
/** An LSN, GTID positions and sets, and names that an administrator gives restore points. */
const POSITION = /^[\w,:./ -]+$/

const momentFields = {
  sourceId: idOf('source').optional(),
  pointId: idOf('point').optional(),
  at: time.optional(),
  /** xid or GTID: the last transaction that is in it. */
  transaction: lineText.min(1).max(64).regex(TRANSACTION).optional(),
  /** LSN, binlog position, or the name of a restore point. */
  position: lineText.min(1).max(1024).regex(POSITION).optional(),
}
type Moment = { [K in keyof typeof momentFields]?: string | undefined }
const isOneMoment = ({ pointId, at, transaction, position }: Moment) =>
  [pointId, at, transaction, position].filter((value) => value !== undefined).length <= 1
const ONE_MOMENT = 'only one of pointId, at, transaction and position can be given'

const instanceFields = {
  name: nameText,
  hostId: idOf('host'),
  /** Null: a free one is chosen, and stays. */
  port: portNumber.nullable().default(null),
  listen: listen.default(['127.0.0.1']),
  /** An administrator of the new instance; the password is made up. */
  user: databaseUser.default('openmaas'),
  settings: settings.default({}),
  lifetimeSeconds: lifetimeSeconds.nullable().default(LIFETIME_DEFAULT_SECONDS),
  quotaBytes: count.min(1).nullable().default(null),
  purpose: lineText.default(''),
  labels: labels.default({}),
}

export const virtualDatabaseCreate = z
  .strictObject({
    ...instanceFields,
    ...momentFields,
    autoRefresh: autoRefresh.nullable().default(null),
    liveSync: z.boolean().default(false),
    /** Where the source asks for consent. */
    reason: lineText.min(3).optional(),
    approvalId: idOf('approval').optional(),
  })
  .refine((body) => (body.pointId === undefined) !== (body.sourceId === undefined), {
    message: 'either pointId or sourceId is needed',
  })
  .refine(isOneMoment, { message: ONE_MOMENT })

export const virtualDatabaseChange = z.strictObject({
  name: nameText.optional(),
  labels: labels.optional(),
  purpose: lineText.optional(),
  autoRefresh: autoRefresh.nullable().optional(),
  kept: z.boolean().optional(),
})

/** The same source at another moment; nothing: the newest. Name, port and password stay. */
export const refreshRequest = z
  .strictObject({
    pointId: momentFields.pointId,
    at: momentFields.at,
    transaction: momentFields.transaction,
    position: momentFields.position,
  })
  .refine(isOneMoment, { message: ONE_MOMENT })
const DIRECTORY_LENGTH_MAX = 1024
/** An absolute path of a host, without empty parts, `.` and `..`. */
const localDirectory = lineText
  .max(DIRECTORY_LENGTH_MAX)
  .regex(/^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+){2,}$/, 'an absolute path such as /srv/pg/shop')
/** To a directory of its host that is empty or does not exist yet. */
export const promoteRequest = z.strictObject({
  directory: localDirectory,
  /** Of the copy in the background; null: as fast as it goes. */
  bytesPerSecond: count.min(1).nullable().default(null),
})

/** Back to how it was made or refreshed, or to one of its bookmarks. */
export const resetRequest = z.strictObject({
  bookmarkId: idOf('bookmark').nullable().default(null),
})
export const stopRequest = z.strictObject({
  /** Like a crash: what is not committed is gone anyway. */
  immediate: z.boolean().default(false),
})
/** What is left out stays. */
export const virtualDatabaseExtend = z.strictObject({
  lifetimeSeconds: lifetimeSeconds.nullable().optional(),
  /** What it may write from now on; null: as much as the disk of its pool has. */
  quotaBytes: count.min(1).nullable().optional(),
})
export const dropRequest = z.strictObject({
  /** Although its host is away, or the instance does not stop. */
  force: z.boolean().default(false),
  /** For the audit log. */
  reason: lineText.min(3).optional(),
  /** Of one that was promoted: its directory stays; only the instance ends. */
  keepData: z.boolean().default(false),
  /** Its name typed again: for one whose directory goes, and one that stands for production. */
  confirm: nameText.optional(),
  approvalId: idOf('approval').optional(),
})

/** Starts a point where production stood. `confirm` is the name of the source. */
export const productionRecovery = z
  .strictObject({
    ...danger.shape,
    name: nameText,
    hostId: idOf('host'),
    sourceId: idOf('source').optional(),
    pointId: momentFields.pointId,
    at: momentFields.at,
    transaction: momentFields.transaction,
    position: momentFields.position,
    /** Where applications look for it. */
    port: portNumber,
    listen: listen.default(['127.0.0.1']),
    settings: settings.default({}),
    purpose: lineText.default(''),
    labels: labels.default({}),
  })
  .refine((body) => (body.pointId === undefined) !== (body.sourceId === undefined), {
    message: 'either pointId or sourceId is needed',
  })
  .refine(isOneMoment, { message: ONE_MOMENT })

/** A branch is a virtual database of its own, from a bookmark or from now. */
export const branchRequest = z.strictObject({
  ...instanceFields,
  /** Null: the same host. */
  hostId: idOf('host').nullable().default(null),
  bookmarkId: idOf('bookmark').nullable().default(null),
})

export const bookmark = z
  .object({
    id: idOf('bookmark'),
    virtualDatabaseId: idOf('virtualDatabase'),
    name: z.string(),
    state: z.enum(['creating', 'available', 'deleting', 'failed']),
    takenAt: timeOrNull,
    sizeBytes: count.nullable(),
    addedBytes: count.nullable(),
    createdBy: z.string(),
    createdAt: timeShown,
    problem: failure.nullable(),
  })
  .meta({ id: 'Bookmark' })
export type Bookmark = z.infer<typeof bookmark>
export const bookmarkCreate = z.strictObject({ name: nameText })

export const virtualDatabaseAccepted = z
  .object({ ...accepted.shape, virtualDatabaseId: idOf('virtualDatabase') })
  .meta({ id: 'VirtualDatabaseAccepted' })
export const bookmarkAccepted = z
  .object({ ...accepted.shape, bookmarkId: idOf('bookmark') })
  .meta({ id: 'BookmarkAccepted' })

/** What a request would do. */
export const virtualDatabasePlan = plan
  .extend({
    /** The point that is cloned; null: one is taken first. */
    pointId: idOf('point').nullable(),
    dataAt: timeOrNull,
    takesPointFirst: z.boolean(),
    sizeBytes: count,
    /** As the last ones of this source took; null: there was none. */
    expectedMs: count.nullable(),
    /** What it uses at once: a clone uses what is written to it. */
    usesBytes: count,
  })
  .meta({ id: 'VirtualDatabasePlan' })

/** Everything that a program needs to connect. The request is audited. */
export const connectionRevealed = z
  .object({
    engine: z.string(),
    host: z.string(),
    port: portNumber,
    /** `production`: log in as a user of production; `user` is a proposal, `password` empty. */
    accounts: z.enum(['own', 'production']),
    /** It follows production: nothing can be written. */
    readOnly: z.boolean(),
    user: z.string(),
    password: z.string(),
    database: z.string().max(NAME_LENGTH_MAX),
    databases: z.array(z.string()),
    /** `postgresql://…`, `mysql://…` */
    url: z.string(),
    jdbc: z.string(),
    odbc: z.string(),
    /** The line for a shell: psql or mariadb. */
    command: z.string(),
    /** PGHOST, MYSQL_HOST, DATABASE_URL and so on, for the environment of a test. */
    environment: z.record(z.string(), z.string()),
  })
  .meta({ id: 'ConnectionRevealed' })
export type ConnectionRevealed = z.infer<typeof connectionRevealed>
