/**
 * One writer of a snapshot, by POOL.md section 3. Lives in the owner; its lanes may be threads.
 *
 *   open ── lanes put, packs are sealed and logged ──▶ commit ──SNAPSHOT durable──▶ closed
 *     └───────── any error, abort, or the owner's end ────────────────────────────▶ closed
 *
 * What a session may reference: chunks its lanes put (their packs are pinned), and whatever its
 * parent snapshot holds (the parent is a GC root while the session is open). Nothing else keeps a
 * chunk alive.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { makeSnapshotId } from '@openmaas/kernel/ids'
import type { SessionId, SnapshotId } from '@openmaas/kernel/ids'
import { CHUNK_SIZE_MAX, ChunkType } from '../chunk/chunk.ts'
import { PackStatus } from '../index/pack-table.ts'
import { PinSet } from '../index/pin-set.ts'
import { LogType } from '../log/types.ts'
import type { SnapshotBody } from '../log/types.ts'
import type { OpenSession, PoolCore } from './core.ts'
import { LANE_DEFAULTS, SessionLane } from './lane.ts'
import type { LaneHandoff } from './lane.ts'
import { copyCount } from '../backend/superblock.ts'
import { snapshotRow } from './snapshot-row.ts'
import type { SealedPack, SnapshotManifest, SnapshotRow, StoredManifest } from './types.ts'

/** Where the sealed packs of a lane in another thread come out. */
export interface LanePort {
  onSealed(listener: (pack: SealedPack) => void): void
}

export interface CommitOptions {
  /** Pool time before which the snapshot cannot be deleted. */
  readonly lockUntil?: number
  /**
   * References in the whole snapshot, as its visitor counts them; every GC compares. By default
   * what the manifest's summary says: chunks + nodes.
   */
  readonly chunkCount?: number
}

export interface SessionParts {
  readonly core: PoolCore
  readonly id: SessionId
  readonly parent: SnapshotId | undefined
  /** Bytes kept free, per brick. */
  readonly reserves: readonly number[]
}

export class Session implements OpenSession {
  readonly id: SessionId
  readonly parent: SnapshotId | undefined
  readonly sessionNo: number
  readonly openedAtSequence: number
  readonly pins: PinSet
  readonly #used: PinSet
  readonly #core: PoolCore
  readonly #reserves: readonly number[]
  readonly #inlineLanes: SessionLane[] = []
  /** Appends under way; each is awaited by the commit. */
  readonly #logged: Promise<unknown>[] = []
  readonly #handedOver = new Set<number>()
  /** Decided: SNAPSHOT has its sequence number, and the pins stay until it applies or fails. */
  #state: 'open' | 'committing' | 'decided' | 'closed' = 'open'
  #failure: unknown

  constructor({ core, id, parent, reserves }: SessionParts) {
    this.id = id
    this.parent = parent
    this.sessionNo = core.takeSessionNo()
    this.openedAtSequence = core.state.sequence
    this.#core = core
    this.#reserves = reserves
    const packCountMax = core.tuning.packCountMax ?? LANE_DEFAULTS.packCountMax
    this.pins = new PinSet(PinSet.allocate(packCountMax))
    this.#used = new PinSet(PinSet.allocate(packCountMax))
    core.sessions.set(id, this)
    const body = { session: id, ...(parent === undefined ? {} : { parent }) }
    this.#track(core.append({ type: LogType.sessionOpen, body }))
  }

  laneHandoff(): LaneHandoff {
    const { superblock, brickPaths, masterKey, index, tuning } = this.#core
    return {
      sessionNo: this.sessionNo,
      poolId: superblock.poolId,
      masterKey,
      bricks: brickPaths,
      // Without a brick there are fewer copies until fsck repairs; better than no backup.
      copies: Math.min(
        copyCount(superblock.redundancy, superblock.brickCount),
        this.#reserves.filter(Number.isFinite).length,
      ),
      reserves: this.#reserves,
      index: index.handoff(),
      pins: this.pins.buffer,
      used: this.#used.buffer,
      packSizes: tuning.packSizes ?? LANE_DEFAULTS.packSizes,
      packCountMax: tuning.packCountMax ?? LANE_DEFAULTS.packCountMax,
    }
  }

  attachLane(port: LanePort): void {
    port.onSealed((pack) => this.packSealed(pack))
  }

  /** A lane in the owner's own thread; flushed by the commit and closed with the session. */
  inlineLane(): SessionLane {
    this.#demand('open')
    return this.#makeLane()
  }

  #makeLane(): SessionLane {
    const { deps, index } = this.#core
    const lane = new SessionLane(this.laneHandoff(), {
      fs: deps.fs,
      random: deps.random,
      onSealed: (pack) => this.packSealed(pack),
      relieve: () => index.maintain(),
    })
    this.#inlineLanes.push(lane)
    return lane
  }

  /** Takes over a pack that a lane has made durable: appends PACK to the log. */
  packSealed(pack: SealedPack): void {
    if (this.#state === 'closed') return // Unlogged: the next owner puts the file to quarantine.
    const at = this.#core.time.now()
    this.#handedOver.add(pack.packNo)
    const core = this.#core
    const logged = core.append({ type: LogType.pack, body: { ...pack, at } })
    // Now that its pack is live, a full memtable can become a run; lanes may be waiting for that.
    this.#track(logged.then(() => core.maintainIndex()))
  }

  /** Marks the session as failed, because one of its lanes is: it can only be aborted. */
  fail(error: unknown): void {
    this.#failure ??= error
  }

  /**
   * Makes the snapshot exist. Lanes of other threads have flushed and handed over their packs.
   *
   * @returns when SNAPSHOT is durable on every log mirror: only now is the backup acknowledged
   * @throws MaasError SESSION_CLOSED, SESSION_CLOSURE, POOL_READ_ONLY, POOL_FULL, FS_*; the
   *   session is then over
   */
  async commit(manifest: SnapshotManifest, options: CommitOptions = {}): Promise<SnapshotRow> {
    this.#demand('open')
    this.#state = 'committing'
    try {
      for (const lane of this.#inlineLanes) lane.flush()
      await this.settle()
      this.#demand('committing')
      const stored = this.#store(manifest, options)
      await this.settle()
      const entry = { type: LogType.snapshot, body: stored } as const
      const record = await this.#core.append(entry, () => {
        this.#demand('committing') // It may have been aborted while it waited.
        this.#checkClosure(stored)
        this.#state = 'decided'
      })
      return snapshotRow({ ...stored, sequence: record.sequence })
    } catch (error) {
      this.#abandon()
      throw error
    }
  }

  /**
   * Ends the session without a snapshot; its logged packs stay until the next GC. Too late, and
   * without effect, once the commit is decided: dropping the pins then would let a collection
   * take what the snapshot is about to be the root of.
   */
  abort(): void {
    if (this.#state === 'closed' || this.#state === 'decided') return
    this.#abandon()
  }

  /** Part of OpenSession: SNAPSHOT has applied, or the owner ends. */
  closed(): void {
    this.#state = 'closed'
    for (const lane of this.#inlineLanes.splice(0)) lane.close()
  }

  #store(manifest: SnapshotManifest, options: CommitOptions): SnapshotBody {
    const { deps } = this.#core
    const id = makeSnapshotId(deps.clock, deps.random)
    const createdAtMs = Math.floor(deps.clock.wallMs())
    const { lockUntil } = options
    const { chunks = 0, nodes = 0 } = manifest.summary
    const chunkCount = options.chunkCount ?? chunks + nodes
    const lock = lockUntil === undefined ? {} : { lockUntil }
    const stored: StoredManifest = {
      ...manifest,
      snapshot: { id, createdAtMs, chunkCount, ...lock },
    }
    const bytes = Buffer.from(JSON.stringify(stored))
    assert(bytes.length <= CHUNK_SIZE_MAX, 'a manifest fits one chunk')
    const lane = this.#inlineLanes[0] ?? this.#makeLane()
    const manifestChunk = lane.put(ChunkType.manifest, bytes).toString('hex')
    lane.flush()
    return {
      id,
      kind: manifest.kind,
      root: manifest.root,
      manifestChunk,
      chunkCount,
      createdAtMs,
      session: this.id,
      ...lock,
      ...(manifest.parent === undefined ? {} : { parent: manifest.parent }),
    }
  }

  /**
   * Rule: the closure check. Runs in the turn in which SNAPSHOT gets its sequence number.
   *
   * Every pack this session wrote or deduplicated against is live in the log, and root and
   * manifest resolve. What the parent holds needs no check: it is a GC root since the session
   * opened. So by induction every chunk of the snapshot is there, without reading any of them.
   */
  #checkClosure(body: SnapshotBody): void {
    const { packs, state, index } = this.#core
    for (const packNo of this.#used.numbers()) {
      const logged = state.packs.get(packNo)?.state === 'live'
      if (!logged || packs.status(packNo) !== PackStatus.live) {
        throw closure('a pack the snapshot needs is not live', { packNo })
      }
    }
    for (const chunk of [body.root, body.manifestChunk]) {
      if (index.view.lookup(Buffer.from(chunk, 'hex'), 0) === undefined) {
        throw closure('a chunk the snapshot needs is not in the pool', { chunk })
      }
    }
  }

  /** Waits until every pack handed over is in the log. @throws what failed the session */
  async settle(): Promise<void> {
    while (this.#logged.length > 0) await Promise.all(this.#logged.splice(0))
    if (this.#failure !== undefined) throw asError(this.#failure)
    this.#core.maintainIndex()
  }

  #track(append: Promise<unknown>): void {
    // Kept until the commit looks at it; by then a rejection must not count as unobserved.
    append.catch((error: unknown) => this.fail(error))
    this.#logged.push(append)
  }

  #abandon(): void {
    const core = this.#core
    if (this.#state === 'closed') return // An abort came first; the commit's own error follows.
    core.sessions.delete(this.id)
    this.closed()
    // Nobody will seal these: their entries must not be carried along.
    for (const packNo of this.pins.numbers()) {
      const isOwn = core.packs.openSession(packNo) === this.sessionNo
      if (isOwn && !this.#handedOver.has(packNo)) core.packs.setStatus(packNo, PackStatus.dead)
    }
    // A log that is read-only needs no SESSION_CLOSE: the next owner voids all sessions.
    core.append({ type: LogType.sessionClose, body: { session: this.id } }).catch(() => undefined)
  }

  #demand(state: 'open' | 'committing'): void {
    if (this.#state === state) return
    throw new MaasError('SESSION_CLOSED', 'the session is over', { session: this.id })
  }
}

function closure(what: string, details: Record<string, string | number>): MaasError {
  return new MaasError('SESSION_CLOSURE', `the snapshot cannot be committed: ${what}`, details)
}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(String(failure))
}
