/**
 * What control asks of agents and nodes, and what they answer: the whole vocabulary. There is no
 * verb that runs a command. Everything is checked on both ends with these schemas.
 *
 * Wire: docs/protocols/channel.md. Sizes in bytes, times in milliseconds since 1970.
 */
import { z } from 'zod'
import { DATABASE_ORDERS } from './database-orders.ts'

const text = z.string().max(4096)
const count = z.number().int().nonnegative()
const ruleList = z.array(text).max(1000)

/** The rules of one source, as `openmaas backup` takes them. */
export const captureRules = z.object({
  include: ruleList.default([]),
  exclude: ruleList.default([]),
  oneFileSystem: z.boolean().default(false),
})

/** Where an agent sends what it captures, or fetches what it restores. */
export const poolTarget = z.discriminatedUnion('kind', [
  /** The pool is open in the agent's own process. */
  z.object({ kind: z.literal('local'), poolId: text }),
  /** A node's data port; the ticket says which source and pool, and is signed by control. */
  z.object({
    kind: z.literal('node'),
    poolId: text,
    address: text,
    fingerprint: text,
    ticket: text,
    channels: z.number().int().min(1).max(16).default(2),
  }),
])
export type PoolTarget = z.infer<typeof poolTarget>

export const warningRecord = z.object({ path: text, code: text, message: text })

export const captureResult = z.object({
  snapshotId: text,
  kind: z.enum(['tree', 'volume']),
  takenAt: count,
  sizeBytes: count,
  addedBytes: count,
  readBytes: count,
  itemCount: count,
  /** All of them; `warnings` holds the first. */
  warningCount: count,
  warnings: z.array(warningRecord).max(1000),
  /** Seconds each part waited for the others: the bottleneck is where nobody waited. */
  waits: z.record(z.enum(['source', 'network', 'pool', 'cpu']), z.number()),
})

export const poolStats = z.object({
  poolId: text,
  path: text,
  state: z.enum(['online', 'degraded', 'full']),
  /** Of the file systems below the bricks. */
  sizeBytes: count,
  freeBytes: count,
  /** Live pack files; what they would be without deduplication and compression. */
  physicalBytes: count,
  logicalBytes: count,
  snapshotCount: count,
  packCount: count,
  badBlocks: count,
})

export const snapshotRow = z.object({
  snapshotId: text,
  kind: z.enum(['tree', 'volume']),
  takenAt: count,
  host: text,
  sourceName: text,
  sizeBytes: count,
  addedBytes: count,
  itemCount: count,
  warningCount: count,
  lockUntil: count.nullable(),
  tags: z.record(text, text),
})
export type SnapshotRowMessage = z.infer<typeof snapshotRow>

export const entryRow = z.object({
  name: text,
  kind: z.enum(['file', 'directory', 'symlink', 'other']),
  size: count,
  mtimeMs: z.number(),
  mode: count,
  owner: text,
  target: text.optional(),
})

const pointPlace = z.object({ poolId: text, snapshotId: text })

/** verb → parameters and result; `role` says who understands it. */
export const ORDERS = {
  // ── agent ────────────────────────────────────────────────────────────────
  /** File systems, disks and databases that could be protected. */
  'host.discover': {
    role: 'agent',
    params: z.object({}),
    result: z.object({
      items: z
        .array(
          z.object({
            kind: z.enum(['files', 'disk', 'postgres', 'mysql']),
            path: text,
            sizeBytes: count,
            usedBytes: count.optional(),
            detail: text,
          }),
        )
        .max(10_000),
    }),
  },
  /** Directories below one, to choose a source or a target by. */
  'host.list': {
    role: 'agent',
    params: z.object({ path: text, limit: z.number().int().min(1).max(1000).default(200) }),
    result: z.object({ entries: z.array(entryRow).max(1000), more: z.boolean() }),
  },
  'source.capture': {
    role: 'agent',
    params: z.object({
      sourceId: text,
      sourceName: text,
      kind: z.enum(['files', 'disk']),
      path: text,
      rules: captureRules,
      target: poolTarget,
      /** The newest snapshot of this source, when there is one. */
      parentSnapshotId: text.nullable(),
      /** Chosen by control: asking twice with the same one makes one snapshot. */
      requestId: text,
      tags: z.record(text, text),
      lockUntil: count.nullable(),
      bytesPerSecond: count.nullable(),
    }),
    result: captureResult,
  },
  'point.restore': {
    role: 'agent',
    params: z.object({
      sourceId: text,
      snapshotId: text,
      kind: z.enum(['tree', 'volume']),
      /** Below the snapshot's root; empty for all of it. */
      paths: z.array(text).max(10_000),
      to: text,
      conflict: z.enum(['fail', 'skip', 'overwrite', 'rename']),
      dryRun: z.boolean(),
      target: poolTarget,
      bytesPerSecond: count.nullable(),
    }),
    result: z.object({
      files: count,
      bytes: count,
      warningCount: count,
      warnings: z.array(warningRecord).max(1000),
    }),
  },
  /** Makes a served medium a disk of this host, mounted when asked. */
  'medium.attach': {
    role: 'agent',
    params: z.object({
      mediumId: text,
      readOnly: z.boolean(),
      mountPath: text.nullable(),
      /** Made on a disk that holds none yet; on any other nothing is made. */
      format: z.enum(['ext4', 'xfs', 'auto']).nullable().default(null),
      /** Its file system takes all of the disk, before it is mounted where it must. */
      grow: z.boolean().default(false),
      /** Where a node serves it, from `medium.serve`; null: it is on this very host. */
      nbd: z
        .object({ address: text, exportName: text, fingerprint: text, ticket: text })
        .nullable(),
    }),
    result: z.object({ device: text, mountPath: text.nullable() }),
  },
  'medium.detach': {
    role: 'agent',
    params: z.object({ mediumId: text, force: z.boolean() }),
    result: z.object({ detached: z.boolean() }),
  },
  /** What is attached here, for reconciliation after a crash of anybody. */
  'medium.attached': {
    role: 'agent',
    params: z.object({}),
    result: z.object({
      media: z
        .array(
          z.object({
            mediumId: text,
            device: text.nullable(),
            mountPath: text.nullable(),
            state: text,
          }),
        )
        .max(10_000),
      /** Where media of databases belong, also those of this host's own node; null: it is well. */
      mounts: z
        .array(z.object({ path: text, why: text.nullable() }))
        .max(10_000)
        .optional(),
    }),
  },
  /**
   * The file system of a volume that has grown, while it is mounted. MEDIUM_GROW_OFFLINE where the
   * kernel of the host lets nobody do that: detached, and attached with `grow`, it is done.
   */
  'medium.resize': {
    role: 'agent',
    params: z.object({ mediumId: text }),
    result: z.object({ sizeBytes: count }),
  },
  ...DATABASE_ORDERS,
  // ── node ─────────────────────────────────────────────────────────────────
  'pool.list': {
    role: 'node',
    params: z.object({}),
    result: z.object({ pools: z.array(poolStats).max(1000) }),
  },
  'pool.create': {
    role: 'node',
    params: z.object({ bricks: z.array(text).min(1).max(32), redundancy: text }),
    /** The passphrase of the new pool, shown once: without it the pool is nobody's. */
    result: z.object({ poolId: text, passphrase: text.nullable() }),
  },
  /** Takes a pool that exists into the node's care. */
  'pool.adopt': {
    role: 'node',
    params: z.object({ path: text, passphrase: text }),
    result: z.object({ poolId: text }),
  },
  'pool.snapshots': {
    role: 'node',
    params: z.object({ poolId: text, after: text.nullable(), limit: z.number().int().max(10_000) }),
    result: z.object({ snapshots: z.array(snapshotRow).max(10_000), more: z.boolean() }),
  },
  'pool.delete': {
    role: 'node',
    params: z.object({ poolId: text, snapshotIds: z.array(text).max(10_000) }),
    /** What could not go, with the code of the reason. */
    result: z.object({
      deleted: z.array(text),
      refused: z.array(z.object({ snapshotId: text, code: text })),
    }),
  },
  'pool.lock': {
    role: 'node',
    params: z.object({ poolId: text, snapshotId: text, lockUntil: count }),
    result: z.object({}),
  },
  'pool.gc': {
    role: 'node',
    params: z.object({ poolId: text, approve: z.boolean() }),
    result: z.object({ freedBytes: count, condemned: count, waiting: count }),
  },
  'pool.check': {
    role: 'node',
    params: z.object({ poolId: text, data: z.boolean(), snapshotIds: z.array(text).max(10_000) }),
    result: z.object({ problems: z.array(text).max(1000), checkedBytes: count }),
  },
  'point.list': {
    role: 'node',
    params: z.object({
      ...pointPlace.shape,
      path: text,
      after: text.nullable(),
      limit: z.number().int().min(1).max(1000),
    }),
    result: z.object({ entries: z.array(entryRow).max(1000), more: z.boolean() }),
  },
  'point.find': {
    role: 'node',
    params: z.object({
      poolId: text,
      snapshotIds: z.array(text).max(1000),
      pattern: text,
      limit: z.number().int().min(1).max(1000),
    }),
    result: z.object({
      found: z.array(z.object({ snapshotId: text, path: text, entry: entryRow })).max(1000),
      more: z.boolean(),
    }),
  },
  /** One piece of one file, base64: for preview and download. */
  'point.read': {
    role: 'node',
    params: z.object({
      ...pointPlace.shape,
      path: text,
      offset: count,
      length: z
        .number()
        .int()
        .min(1)
        .max(1 << 20),
    }),
    result: z.object({ data: z.string(), size: count }),
  },
  /** Serves a point or a clone as a medium: on this host, or to another over NBD with TLS. */
  'medium.serve': {
    role: 'node',
    params: z.object({
      mediumId: text,
      poolId: text,
      snapshotId: text,
      sourceName: text,
      readOnly: z.boolean(),
      quotaBytes: count.nullable(),
      bytesPerSecond: count.nullable(),
      /** Local: attached and mounted by the node itself, at this path. */
      local: z.object({ mountPath: text.nullable() }).nullable(),
    }),
    result: z.object({
      poolMediumId: text,
      device: text.nullable(),
      mountPath: text.nullable(),
      exportName: text.nullable(),
    }),
  },
  'medium.withdraw': {
    role: 'node',
    params: z.object({ mediumId: text, poolId: text, force: z.boolean() }),
    result: z.object({ withdrawn: z.boolean() }),
  },
  'medium.served': {
    role: 'node',
    params: z.object({ poolId: text }),
    result: z.object({
      media: z
        .array(
          z.object({
            mediumId: text,
            poolMediumId: text,
            state: text,
            /** What was written to it; absent while that is not known. */
            writtenBytes: count.optional(),
            /** Why writes to it fail: its quota is used up, or the disk of the pool is full. */
            full: z.enum(['quota', 'disk']).optional(),
          }),
        )
        .max(10_000),
    }),
  },
  /** Another quota for a medium that is served, while it is used; null: none. */
  'medium.limit': {
    role: 'node',
    params: z.object({ mediumId: text, poolId: text, quotaBytes: count.nullable() }),
    result: z.object({}),
  },
  /**
   * An empty volume, as a snapshot with the tag `openmaas.request`: `medium.serve` serves it, and a
   * medium that is sealed with `rebase` is a volume that lives on. Decision 0012.
   */
  'volume.create': {
    role: 'node',
    params: z.object({
      poolId: text,
      requestId: text,
      sourceName: text,
      sizeBytes: count,
      grainBytes: count.default(65_536),
    }),
    result: z.object({ snapshotId: text }),
  },
  /**
   * What the medium holds at this moment stands still from now on, in O(1); the medium goes on.
   * The caller has flushed what is above the disk. The same request freezes once.
   */
  'medium.freeze': {
    role: 'node',
    params: z.object({ mediumId: text, poolId: text, requestId: text }),
    result: z.object({ frozenAt: count }),
  },
  /** Stores what `medium.freeze` froze for this request; reads only grains that were written. */
  'medium.seal': {
    role: 'node',
    params: z.object({
      mediumId: text,
      poolId: text,
      requestId: text,
      sourceName: text,
      tags: z.record(text, text),
      lockUntil: count.nullable(),
      /** The medium stands on the new snapshot from then on, and its layers are gone. */
      rebase: z.boolean(),
    }),
    result: captureResult,
  },
  /** Larger only. The disk is larger when this answers; `medium.resize` does the file system. */
  'medium.grow': {
    role: 'node',
    params: z.object({ mediumId: text, poolId: text, sizeBytes: count }),
    result: z.object({ sizeBytes: count }),
  },
  /** A copy of the catalog, kept in the pool as a snapshot with the tag `openmaas.catalog`. */
  'catalog.store': {
    role: 'node',
    params: z.object({ poolId: text, path: text }),
    result: z.object({ snapshotId: text, bytes: count }),
  },
} as const

export type Verb = keyof typeof ORDERS
export type Params<V extends Verb> = z.input<(typeof ORDERS)[V]['params']>
export type CheckedParams<V extends Verb> = z.output<(typeof ORDERS)[V]['params']>
export type Result<V extends Verb> = z.output<(typeof ORDERS)[V]['result']>

/**
 * Orders that see to it that something is there. Their answers are not kept: what was there a
 * minute ago may not be any more, by a kill or by an order that took it away, and who finds it
 * there still has done nothing. What takes it away is told apart by whether there was something:
 * its answer is kept.
 */
export const STANDING_VERBS: ReadonlySet<Verb> = new Set<Verb>(['medium.serve', 'medium.attach'])

/** Sent at most twice a second by whoever works on an order. */
export const orderProgress = z.object({
  phase: text,
  bytesDone: count,
  bytesTotal: count.nullable(),
  itemsDone: count,
})
export type OrderProgress = z.infer<typeof orderProgress>

/**
 * Gives an order to a host and waits for its answer. Control has one over WebSockets; `serve`
 * has one in its own process for what it embeds.
 */
export interface OrderGiver {
  /**
   * @param options.key the same key asks for the same work: an order that is already under way
   *   or just done is not begun again, its answer is given (agents keep answers for ten minutes,
   *   but not those of STANDING_VERBS)
   * @throws MaasError HOST_OFFLINE, ORDER_TIMEOUT, CANCELLED, or what the host answered
   */
  order<V extends Verb>(
    hostId: string,
    verb: V,
    params: Params<V>,
    options: {
      readonly key: string
      readonly timeoutMs: number
      readonly signal?: AbortSignal
      readonly onProgress?: (progress: OrderProgress) => void
    },
  ): Promise<Result<V>>
  isConnected(hostId: string): boolean
}

/** What an agent or a node does about a verb. */
export type OrderHandlers = {
  readonly [V in Verb]?: (
    params: CheckedParams<V>,
    context: { readonly signal: AbortSignal; readonly progress: (p: OrderProgress) => void },
  ) => Promise<Result<V>>
}
