/**
 * A pool and its one owner. Everything that changes the pool is here; reading alone needs only a
 * PoolReader. POOL.md is the specification, docs/internals/pool.md the tour.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { makeSessionId } from '@openmaas/kernel/ids'
import type { PoolId, SnapshotId } from '@openmaas/kernel/ids'
import type { Superblock } from '../backend/superblock.ts'
import type { OwnerLock } from '../backend/owner-lock.ts'
import { checkPool } from '../fsck/check.ts'
import { distrustDamaged } from '../fsck/distrust.ts'
import { FsckRun } from '../fsck/report.ts'
import type { FsckOptions, FsckProgress, FsckReport } from '../fsck/report.ts'
import { collectGarbage } from '../gc/collect.ts'
import type { GcOptions, GcProgress, GcReport } from '../gc/run.ts'
import { LogType } from '../log/types.ts'
import type { PinKind } from '../log/types.ts'
import type { LogMirrors } from '../log/mirrors.ts'
import { ChunkReader } from './chunk-reader.ts'
import type { ReaderHandoff } from './chunk-reader.ts'
import type { PoolCore } from './core.ts'
import { createPool } from './create.ts'
import type { PoolCreateOptions } from './create.ts'
import { parseManifest } from './manifest.ts'
import { openPool } from './open.ts'
import type { OpenedPool, PoolOpenOptions } from './open.ts'
import { CONFIRMATIONS_MIN } from './pool-time.ts'
import type { RecoveredFiles } from './recover-files.ts'
import { Session } from './session.ts'
import { snapshotRow } from './snapshot-row.ts'
import type { SnapshotRow, StoredManifest } from './types.ts'

export type { PoolCreateOptions } from './create.ts'
export type { PoolOpenOptions } from './open.ts'

export interface PinRequest {
  /** Chosen by the holder: a medium's id, or any unique text; pinning it again renews it. */
  readonly id: string
  readonly kind: PinKind
  readonly snapshots: readonly SnapshotId[]
  readonly pid?: number
  readonly bootId?: string
}

export interface PoolStatus {
  readonly poolId: PoolId
  readonly superblock: Superblock
  readonly bricks: readonly string[]
  readonly missingBricks: readonly number[]
  readonly ownerEpoch: number
  readonly sequence: number
  readonly snapshots: number
  readonly packs: number
  /** Bytes of live pack files, one copy each. */
  readonly packBytes: number
  readonly condemnedPacks: number
  readonly condemnedBytes: number
  /** Logged packs that no brick holds: what they hold is lost unless it is backed up again. */
  readonly lostPacks: readonly number[]
  /** Logged packs with fewer copies than the log says. */
  readonly incompletePacks: readonly number[]
  readonly pins: number
  readonly poolTimeMs: number
  readonly frozen: boolean
  readonly readOnly: boolean
  /** Why the index could not be kept in order, if so; it is only a cache. */
  readonly indexProblem?: string
}

export class Pool {
  readonly core: PoolCore
  /** What opening found and put right. */
  readonly recovered: RecoveredFiles
  readonly available: readonly number[]
  readonly reserves: readonly number[]
  readonly #lock: OwnerLock
  readonly #mirrors: LogMirrors
  #reader: ChunkReader | undefined
  #closed = false

  private constructor(opened: OpenedPool) {
    this.core = opened.core
    this.recovered = opened.recovered
    this.available = opened.available
    this.reserves = opened.reserves
    this.#lock = opened.lock
    this.#mirrors = opened.mirrors
  }

  /** @throws MaasError POOL_EXISTS, USAGE, FS_* */
  static async create(options: PoolCreateOptions): Promise<{ poolId: PoolId; masterKey: Buffer }> {
    return createPool(options)
  }

  /** Becomes the owner and recovers; see openPool for what it throws. */
  static async open(options: PoolOpenOptions): Promise<Pool> {
    return new Pool(await openPool(options))
  }

  get masterKey(): Buffer {
    return this.core.masterKey
  }

  /** @throws MaasError SNAPSHOT_NOT_FOUND when the parent is not live; POOL_READ_ONLY */
  openSession(options: { parent?: SnapshotId } = {}): Session {
    this.#requireWritable()
    const { parent } = options
    if (parent !== undefined) this.#requireSnapshot(parent)
    const id = makeSessionId(this.core.deps.clock, this.core.deps.random)
    return new Session({ core: this.core, id, parent, reserves: this.reserves })
  }

  /** Live snapshots, oldest first. */
  snapshots(): SnapshotRow[] {
    return [...this.core.state.snapshots.values()]
      .toSorted((a, b) => a.sequence - b.sequence)
      .map(snapshotRow)
  }

  /** @throws MaasError CHUNK_MISSING, RECORD_INVALID… */
  manifest(row: SnapshotRow): StoredManifest {
    return parseManifest(this.chunks.read(Buffer.from(row.manifestChunk, 'hex')), row)
  }

  /** Reads in the owner's thread; sees what is committed at once. */
  get chunks(): ChunkReader {
    this.#reader ??= new ChunkReader(this.readerHandoff(), { fs: this.core.deps.fs })
    return this.#reader
  }

  /** For readers in other threads of the owner's process. */
  readerHandoff(): ReaderHandoff {
    const { superblock, masterKey, brickPaths, index } = this.core
    return { poolId: superblock.poolId, masterKey, bricks: brickPaths, index: index.handoff() }
  }

  /**
   * Durable when it resolves. The space comes back with the next GC.
   * @throws MaasError SNAPSHOT_NOT_FOUND, SNAPSHOT_LOCKED, POOL_TIME_FROZEN
   */
  async deleteSnapshot(id: SnapshotId): Promise<void> {
    await this.core.append({ type: LogType.snapshotDelete, body: { id } }, () => {
      const { lockUntil } = this.#requireSnapshot(id)
      if (lockUntil === undefined) return
      if (this.core.time.now() < lockUntil) {
        throw new MaasError('SNAPSHOT_LOCKED', 'the snapshot is locked', {
          snapshot: id,
          lockUntil,
        })
      }
      this.core.time.requireRunning()
    })
  }

  /**
   * A date as pool time, for locks: as far from the pool's now as the date is from the clock's.
   * Pool time never runs ahead of the clock, so the lock never ends before the date.
   */
  lockTime(until: Date): number {
    return this.core.time.now() + Math.max(0, until.getTime() - this.core.deps.clock.wallMs())
  }

  /** @throws MaasError SNAPSHOT_NOT_FOUND; SNAPSHOT_LOCKED when it would become shorter */
  async extendLock(id: SnapshotId, lockUntil: number): Promise<void> {
    await this.core.append({ type: LogType.lockExtend, body: { id, lockUntil } }, () => {
      const row = this.#requireSnapshot(id)
      if (lockUntil < (row.lockUntil ?? 0)) {
        throw new MaasError('SNAPSHOT_LOCKED', 'a lock is never made shorter', { snapshot: id })
      }
    })
  }

  /**
   * Keeps the snapshots, even when they are deleted, and every pack condemned from now on, until
   * the pin is gone. @throws MaasError SNAPSHOT_NOT_FOUND
   */
  async pin(request: PinRequest): Promise<void> {
    const { id, kind, pid, bootId } = request
    const body = {
      id,
      kind,
      snapshots: [...request.snapshots],
      at: this.core.time.now(),
      ...(pid === undefined ? {} : { pid }),
      ...(bootId === undefined ? {} : { bootId }),
    }
    await this.core.append({ type: LogType.pin, body }, () => {
      const held = this.core.state.pins.get(id)?.snapshots ?? []
      for (const snapshot of request.snapshots) {
        if (!held.includes(snapshot)) this.#requireSnapshot(snapshot)
      }
    })
  }

  /** A pin that is not there is gone: no error. */
  async unpin(id: string): Promise<void> {
    if (!this.core.state.pins.has(id)) return
    await this.core.append({ type: LogType.unpin, body: { id } })
  }

  /**
   * Releases the pins of readers whose process is gone; media and holds are released by name.
   * @param isAlive by pid and boot id; the pool itself looks at no processes
   * @returns the ids of the released pins
   */
  async releaseDeadPins(
    isAlive: (holder: { pid: number; bootId: string }) => boolean,
  ): Promise<string[]> {
    const dead = [...this.core.state.pins.values()].filter(({ kind, pid, bootId }) => {
      const isNamed = pid !== undefined && pid > 0 && bootId !== undefined
      return kind === 'reader' && isNamed && !isAlive({ pid, bootId })
    })
    await Promise.all(dead.map(({ id }) => this.unpin(id)))
    return dead.map(({ id }) => id)
  }

  /** Two people say that the clock is right: pool time runs again. */
  async confirmTime(people: readonly string[]): Promise<void> {
    if (new Set(people).size < CONFIRMATIONS_MIN) {
      throw new MaasError('POOL_TIME_FROZEN', 'two people have to confirm the time', { people })
    }
    const { time } = this.core
    const at = time.now()
    const body = { at, wallMs: time.wallMs, confirmedBy: people }
    await this.core.append({ type: LogType.poolTime, body })
    time.unfreeze()
  }

  /** Frees what no snapshot, session or pin needs; see collectGarbage for what it throws. */
  async gc(
    options: GcOptions = {},
    onProgress: (progress: GcProgress) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<GcReport> {
    this.#requireWritable()
    const { core, chunks: reader, reserves } = this
    return collectGarbage({ core, reader, reserves, options, onProgress, signal })
  }

  /** Checks the pool, and repairs it when asked; damage is in the report, not an error. */
  async fsck(
    options: FsckOptions = {},
    onProgress: (progress: FsckProgress) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<FsckReport> {
    this.#requireWritable()
    const { core, chunks: reader, available } = this
    return checkPool(new FsckRun({ core, reader, available, options, onProgress, signal }))
  }

  /** For whoever met damage and is about to store again what was lost; see distrustDamaged. */
  async distrustDamaged(): Promise<number> {
    this.#requireWritable()
    return distrustDamaged(this.core, this.available)
  }

  status(): PoolStatus {
    const { core } = this
    const { state, superblock, brickPaths, time, log } = core
    const live = state.livePacks()
    const condemned = state.condemnedPacks()
    const sum = (packs: readonly { size: number }[]) =>
      packs.reduce((total, { size }) => total + size, 0)
    return {
      poolId: superblock.poolId,
      superblock,
      bricks: brickPaths,
      missingBricks: [...brickPaths.keys()].filter((index) => !this.available.includes(index)),
      ownerEpoch: state.ownerEpoch,
      sequence: state.sequence,
      snapshots: state.snapshots.size,
      packs: live.length,
      packBytes: sum(live),
      condemnedPacks: condemned.length,
      condemnedBytes: sum(condemned),
      lostPacks: [...new Set([...this.recovered.missing, ...this.core.index.unreadable])],
      incompletePacks: this.recovered.incomplete,
      pins: state.pins.size,
      poolTimeMs: time.now(),
      frozen: time.frozen,
      readOnly: log.failure !== undefined,
      ...(core.index.problem instanceof Error ? { indexProblem: core.index.problem.message } : {}),
    }
  }

  /** Ends the owner in order. Open sessions are aborted. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { core } = this
    try {
      for (const session of core.sessions.values()) session.abort()
      if (core.log.failure === undefined) await this.#checkpoint()
      await core.log.drain()
    } finally {
      core.log.close('the pool is closed')
      // A batch under way needs its mirrors to the end: it may be acknowledged yet.
      await core.log.drain()
      this.#reader?.close()
      core.index.close()
      this.#mirrors.close()
      this.#lock.release()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #checkpoint(): Promise<void> {
    const { core } = this
    await this.#saveIndex()
    const at = core.time.now()
    const frozen = core.time.frozen ? { frozen: true } : {}
    const body = {
      stateHash: core.lastMac.toString('hex'),
      indexGeneration: core.index.runCount,
      closed: true,
    }
    await Promise.all([
      core.append({ type: LogType.poolTime, body: { at, wallMs: core.time.wallMs, ...frozen } }),
      core.append({ type: LogType.checkpoint, body }),
    ])
  }

  async #saveIndex(): Promise<void> {
    const { core } = this
    const { index, deps } = core
    try {
      index.consolidate(core.state.packs.values())
      index.mergeInBackground(deps.yieldTurn)
      await index.settled()
      // Both in one turn: the mac has to be that of the record with this sequence.
      index.save(core.state.sequence, core.lastMac.toString('hex'), core.state.packs.values())
      index.removeOldRuns()
    } catch (error) {
      // A full disk: the index of before is still good, and the next owner reads more footers.
      if (!isMaasError(error) || error.category !== 'exhausted') throw error
    }
  }

  #requireSnapshot(id: string): { lockUntil?: number } {
    const row = this.core.state.snapshots.get(id)
    if (row !== undefined) return row
    throw new MaasError('SNAPSHOT_NOT_FOUND', 'there is no such snapshot', { snapshot: id })
  }

  #requireWritable(): void {
    assert(!this.#closed, 'a closed pool is not used')
    if (this.core.log.failure !== undefined) throw this.core.log.failure
  }
}
