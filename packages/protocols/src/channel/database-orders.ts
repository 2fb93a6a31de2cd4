/**
 * What control asks of an agent about databases, and what a plug-in of an engine answers: the same
 * requests over the wire, inside the agent, and over stdio to a plug-in in another language.
 *
 * Wire: docs/protocols/channel.md, docs/protocols/source-plugin.md. Decision 0012. Directories are
 * absolute paths of the agent's host, mounted already. Times in milliseconds since 1970. Every
 * request may be repeated: the second finds the work done, or goes on with it.
 */
import { z } from 'zod'

const text = z.string().max(4096)
const count = z.number().int().nonnegative()
const port = z.number().int().min(1).max(65_535)

/** Which plug-in; MariaDB is `mysql`, and `version` says which of the two. */
export const databaseEngine = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)

/** How the production instance is reached from the staging host. */
export const databaseConnection = z.object({
  /** An absolute path is the directory of a Unix socket (PostgreSQL) or the socket (MySQL). */
  host: text,
  port,
  user: text,
  /** Null: peer authentication over the socket. */
  password: text.nullable(),
  /** Never weaker than asked; `verify` checks the certificate with `ca` or the system's. */
  tls: z.enum(['off', 'require', 'verify']).default('off'),
  ca: text.nullable().default(null),
})
export type DatabaseConnection = z.output<typeof databaseConnection>

/** A place in the engine's log. */
export const databasePosition = z.object({
  /** PostgreSQL: LSN; MySQL: GTID set; MariaDB: GTID position. */
  position: text,
  /** PostgreSQL: timeline; MySQL: binlog file and offset; empty when the engine has no such. */
  detail: text,
})

/** One thing that must hold before protection, and how to make it hold. */
export const databaseCheck = z.object({
  name: text,
  ok: z.boolean(),
  /** In plain words. */
  message: text,
  /** SQL or settings to run on production, empty when there is nothing to do. */
  remedy: text,
})

/** Where a recovery ends. */
export const recoveryTarget = z.discriminatedUnion('kind', [
  /** The state of the clone itself. */
  z.object({ kind: z.literal('snapshot') }),
  /** Every transaction that committed at or before this moment. */
  z.object({ kind: z.literal('time'), atMs: z.number() }),
  /** This transaction (xid, GTID) is the last one. */
  z.object({ kind: z.literal('transaction'), id: text }),
  /** A named restore point, LSN or binlog position of the engine. */
  z.object({ kind: z.literal('position'), position: text }),
])
export type RecoveryTarget = z.output<typeof recoveryTarget>

export const databaseInstance = z.object({
  engine: databaseEngine,
  version: text,
  dataDirectory: text,
  /** Where to connect, when it runs. */
  host: text.nullable(),
  port: port.nullable(),
  running: z.boolean(),
  sizeBytes: count,
  databases: z.array(text).max(10_000),
})

export const databaseState = z.enum(['seeding', 'following', 'stopped', 'broken'])

/** How a standby stands. */
export const databaseStatus = z.object({
  state: databaseState,
  /** In words, when it does not follow; and whether only a new seed helps. */
  reason: text,
  mustReseed: z.boolean(),
  /** What is durable on the volume. */
  received: databasePosition.nullable(),
  applied: databasePosition.nullable(),
  /** Behind production; null when unknown. */
  lagBytes: count.nullable(),
  lagMs: count.nullable(),
  /** What production keeps for us alone (slot, binlogs), against the limit it may keep. */
  retainedBytes: count.nullable(),
  retainedLimitBytes: count.nullable(),
  logBytes: count,
  /** Room on the volume, which the agent adds to what a plug-in says; full: the standby stands. */
  volume: z.object({ sizeBytes: count, freeBytes: count, full: z.boolean() }).optional(),
  /** Log was removed that no point had taken yet: until the next one, nothing later is had. */
  logCutAtMs: z.number().nullable().optional(),
})
export type DatabaseStatus = z.output<typeof databaseStatus>

/** Of a standby that nobody can look at. */
export const NOTHING_KNOWN = {
  received: null,
  applied: null,
  lagBytes: null,
  lagMs: null,
  retainedBytes: null,
  retainedLimitBytes: null,
} as const satisfies Partial<DatabaseStatus>

export function stoppedStatus(reason: string): DatabaseStatus {
  return { ...NOTHING_KNOWN, state: 'stopped', reason, mustReseed: false, logBytes: 0 }
}

const place = {
  engine: databaseEngine,
  /** Of the source or of the virtual database: names slots, users, processes. */
  id: z.string().regex(/^[a-z]{3}_[0-9A-Z]{26}$/),
  /** The root of the mounted volume: data/, log/ and openmaas.json are below it. */
  directory: text,
}

export const runningInstance = z.object({
  pid: count,
  version: text,
  port,
  /** A directory (PostgreSQL) or a file (MySQL). */
  socket: text,
  /** The last transaction that is in it. */
  recoveredTo: databasePosition.extend({ timeMs: z.number().nullable() }),
  databases: z.array(text).max(10_000),
})
export type RunningInstance = z.output<typeof runningInstance>

export const DATABASE_ORDERS = {
  /** Instances on this host, of every engine that has a plug-in. */
  'database.discover': {
    role: 'agent',
    params: z.object({}),
    result: z.object({ instances: z.array(databaseInstance).max(1000) }),
  },
  /** Whether it can be protected; asks production, changes nothing. */
  'database.check': {
    role: 'agent',
    params: z.object({ engine: databaseEngine, connection: databaseConnection }),
    result: z.object({
      version: text,
      /** Of the data directory, for the size of the volume. */
      sizeBytes: count,
      identity: text,
      checks: z.array(databaseCheck).max(100),
    }),
  },
  /** The physical copy, once; an interrupted one is begun again. Follows nothing yet. */
  'database.seed': {
    role: 'agent',
    params: z.object({
      ...place,
      connection: databaseConnection,
      bytesPerSecond: count.nullable().default(null),
      /** The request that wants a new copy: one that was made for another is of no use. */
      renew: text.optional(),
    }),
    result: z.object({ version: text, sizeBytes: count, position: databasePosition }),
  },
  /** Sees to it that the standby runs and receives the log; answers once it does. */
  'database.follow': {
    role: 'agent',
    params: z.object({
      ...place,
      connection: databaseConnection,
      /** What production may keep for a standby that is away: then the slot is given up. */
      retainedLimitBytes: count,
      /** Production waits for the standby with each commit: RPO 0. */
      synchronous: z.boolean().default(false),
    }),
    result: databaseStatus,
  },
  'database.status': {
    role: 'agent',
    params: z.object({ ...place, connection: databaseConnection.nullable().default(null) }),
    result: databaseStatus,
  },
  /**
   * Makes what follows a good moment for a snapshot: all that was committed before the call is on
   * the volume, and its log is in log/. Of a virtual database: a checkpoint.
   */
  'database.mark': {
    role: 'agent',
    params: z.object({ ...place, connection: databaseConnection.nullable().default(null) }),
    result: z.object({
      atMs: z.number(),
      position: databasePosition,
      consistency: z.enum(['application', 'crash']),
      /** From where to where recovery within log/ is possible. */
      logFromMs: z.number().nullable(),
      /** Files of log/ that the last points need no more were removed. */
      prunedBytes: count,
      /** Production's clock against this host's, as it was asked: half the round trip is error. */
      clock: z.object({ offsetMs: z.number(), errorMs: z.number().nonnegative() }).optional(),
    }),
  },
  /** Ends the standby; with `forget` the slot or replica user is gone from production too. */
  'database.unfollow': {
    role: 'agent',
    params: z.object({
      ...place,
      connection: databaseConnection.nullable().default(null),
      forget: z.boolean(),
    }),
    result: z.object({}),
  },
  /** An instance of its own on a clone, recovered to the target and open for writing. */
  'database.activate': {
    role: 'agent',
    params: z.object({
      ...place,
      /** Roots of later points, mounted read-only: their log/ is read after the clone's own. */
      logDirectories: z.array(text).max(16),
      target: recoveryTarget,
      /** Null: any free one is taken, and told. */
      port: port.nullable(),
      /** Addresses to listen on. */
      listen: z.array(text).max(16).default(['127.0.0.1']),
      /** An administrator of the new instance, made or given this password. */
      user: text,
      password: text,
      /** Settings of the instance, such as shared_buffers. */
      settings: z.record(text, text).default({}),
      /** Follows production for good instead of opening: live sync, read-only until ended. */
      follow: databaseConnection.nullable().default(null),
      /** Of one that follows: it receives nothing more for now, also after a restart. */
      paused: z.boolean().optional(),
      /**
       * Stands where production stood: its accounts, passwords and settings, and nothing confined.
       * `user` and `password` are not made.
       */
      asProduction: z.boolean().optional(),
    }),
    result: runningInstance,
  },
  /** Stops the instance cleanly; false when none ran. */
  'database.deactivate': {
    role: 'agent',
    params: z.object({ ...place, immediate: z.boolean().default(false) }),
    result: z.object({ stopped: z.boolean() }),
  },
  /**
   * Brings an instance's volume to a local directory. The agent does that itself, for every
   * engine: plug-ins are only asked to write out and to stop the instance.
   *
   * `copy`: again and again, while it runs, until little is left to copy; `to` is what counts
   * never. `finish`: stops it cleanly, copies what changed since, and makes all of it durable;
   * nothing runs when it answers.
   */
  'database.relocate': {
    role: 'agent',
    params: z.object({
      ...place,
      to: text,
      /** `look`: whether `to` can take it; nothing is made. */
      phase: z.enum(['look', 'copy', 'finish']),
      bytesPerSecond: count.nullable().default(null),
    }),
    result: z.object({
      /** Of the files: what they hold, and what all passes together wrote. */
      sizeBytes: count,
      writtenBytes: count,
      passes: count,
      /** Of `finish`: from the order to stop until all of it was durable. */
      stoppedMs: count,
    }),
  },
  /** Removes a directory that `database.relocate` made for this id; anything else is refused. */
  'database.discard': {
    role: 'agent',
    params: z.object({ ...place }),
    result: z.object({ removed: z.boolean() }),
  },
  /** Checks of an instance that runs: the engine's own, and assertions in SQL. */
  'database.verify': {
    role: 'agent',
    params: z.object({
      ...place,
      port,
      user: text,
      password: text,
      /** Each must answer one row with one column that is true. */
      assertions: z.array(z.object({ database: text, sql: text })).max(100),
    }),
    result: z.object({
      ok: z.boolean(),
      checks: z
        .array(z.object({ name: text, ok: z.boolean(), evidence: text, tookMs: count }))
        .max(10_000),
    }),
  },
} as const

export type DatabaseVerb = keyof typeof DATABASE_ORDERS
/** What the agent does itself, for every engine. */
export const AGENT_DATABASE_VERBS = ['database.relocate', 'database.discard'] as const
export type AgentDatabaseVerb = (typeof AGENT_DATABASE_VERBS)[number]
/** What a plug-in is asked. */
export type PluginVerb = Exclude<DatabaseVerb, AgentDatabaseVerb>
export type DatabaseParams<V extends DatabaseVerb> = z.output<(typeof DATABASE_ORDERS)[V]['params']>
export type DatabaseResult<V extends DatabaseVerb> = z.output<(typeof DATABASE_ORDERS)[V]['result']>
