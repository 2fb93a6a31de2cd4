/**
 * What the parts of an owner share: the state and its log, the index, the clocks, the open
 * sessions. Everything that changes the pool goes through `append`, and everything that follows
 * from a durable record happens in `apply`, in one turn with it.
 */
import type { Clock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import type { Random } from '@openmaas/kernel/random'
import type { KeyRing } from '../keys/key-ring.ts'
import type { PackKind } from '../chunk/chunk.ts'
import type { SnapshotVisitors } from '../gc/visitors.ts'
import type { Superblock } from '../backend/superblock.ts'
import type { SharedIndex } from '../index/shared-index.ts'
import { PackStatus } from '../index/pack-table.ts'
import type { PackTable } from '../index/pack-table.ts'
import type { PinSet } from '../index/pin-set.ts'
import type { LogRecord } from '../log/record.ts'
import { LogType } from '../log/types.ts'
import type { LogEntry, PackBody } from '../log/types.ts'
import type { LogWriter } from '../log/writer.ts'
import type { PoolState } from './state.ts'
import type { PoolTime } from './pool-time.ts'

/** What comes in from outside; nothing in pool/ touches time, chance or files by itself. */
export interface PoolDeps {
  readonly fs: Fs
  readonly clock: Clock
  readonly random: Random
  /**
   * Awaited at every protocol boundary. In production it lets other work run; the simulator's
   * scheduler interleaves there.
   */
  readonly yieldTurn?: () => Promise<void>
  /** Of this process, for the lock file and pins. */
  readonly pid?: number
  readonly bootId?: string
}

/** Sizes that tests and the simulator make small. */
export interface PoolTuning {
  readonly packSizes?: Readonly<Record<PackKind, number>>
  readonly memtableSlots?: number
  readonly packCountMax?: number
  readonly arenaSizeMax?: number
  /** How snapshots are walked; the simulator has simpler ones. */
  readonly visitors?: SnapshotVisitors
  /** Bytes kept free on every brick; by default 2 % + 256 MiB, at most a tenth of the disk. */
  readonly reserveBytes?: number
}

/** A session as the collector and `apply` see it. */
export interface OpenSession {
  readonly id: string
  readonly sessionNo: number
  /** Snapshot whose chunks the session may reference without naming them. */
  readonly parent: string | undefined
  /** Log sequence when it was opened. */
  readonly openedAtSequence: number
  readonly pins: PinSet
  /** Called in the turn in which its SNAPSHOT applies. */
  closed(): void
  abort(): void
}

/** What opening found wrong and put right. */
export interface OpeningFacts {
  /** Directories of log mirrors that were damaged or missing. */
  readonly damagedMirrors: readonly string[]
}

/** Set while a collector marks: pins of sessions that commit meanwhile would drop unseen. */
export interface CommitWatcher {
  sessionCommitted(session: OpenSession): void
}

export class PoolCore {
  readonly deps: Required<PoolDeps>
  readonly tuning: PoolTuning
  readonly superblock: Superblock
  readonly brickPaths: readonly string[]
  readonly masterKey: Buffer
  readonly keys: KeyRing
  readonly state: PoolState
  readonly time: PoolTime
  readonly packs: PackTable
  readonly sessions = new Map<string, OpenSession>()
  readonly watchers = new Set<CommitWatcher>()
  /** One garbage collection at a time. */
  collecting = false
  index!: SharedIndex
  log!: LogWriter
  readonly opening: OpeningFacts
  /** Mac of the last applied record, for the index manifest. */
  lastMac: Buffer
  #nextSessionNo = 1

  constructor(parts: {
    deps: Required<PoolDeps>
    tuning: PoolTuning
    superblock: Superblock
    brickPaths: readonly string[]
    masterKey: Buffer
    keys: KeyRing
    state: PoolState
    time: PoolTime
    packs: PackTable
    lastMac: Buffer
    opening: OpeningFacts
  }) {
    this.deps = parts.deps
    this.tuning = parts.tuning
    this.superblock = parts.superblock
    this.brickPaths = parts.brickPaths
    this.masterKey = parts.masterKey
    this.keys = parts.keys
    this.state = parts.state
    this.time = parts.time
    this.packs = parts.packs
    this.lastMac = parts.lastMac
    this.opening = parts.opening
  }

  takeSessionNo(): number {
    this.#nextSessionNo += 1
    return this.#nextSessionNo - 1
  }

  /** Durable and applied when it resolves; see LogWriter.append. */
  append(entry: LogEntry, check?: () => void): Promise<LogRecord> {
    return this.log.append(entry, check)
  }

  /** Makes room in the index; cheap when there is enough. @throws MaasError FS_* */
  maintainIndex(): void {
    this.index.maintain()
    this.index.mergeInBackground(this.deps.yieldTurn)
  }

  /** Called by the log writer for each durable record, and by nobody else. */
  apply(record: LogRecord): void {
    this.state.apply(record)
    this.lastMac = record.mac
    const { entry } = record
    switch (entry.type) {
      case LogType.pack:
        this.#publishPack(entry.body)
        break
      case LogType.repair:
        this.#describePack(this.state.packs.get(entry.body.packNo)!)
        break
      case LogType.condemn:
        for (const packNo of entry.body.packs) this.packs.setStatus(packNo, PackStatus.condemned)
        break
      case LogType.uncondemn:
        for (const packNo of entry.body.packs) this.packs.setStatus(packNo, PackStatus.live)
        break
      case LogType.delete:
        for (const packNo of entry.body.packs) this.packs.setStatus(packNo, PackStatus.dead)
        break
      case LogType.snapshot:
        this.#closeSession(entry.body.session)
        break
      default:
        break
    }
  }

  /** Rule: only now, with PACK durable, may other sessions find the pack's chunks. */
  #publishPack(body: PackBody): void {
    this.#describePack(body)
    this.packs.setStatus(body.packNo, PackStatus.live)
  }

  #describePack(body: PackBody): void {
    const { packNo, kind, bricks, size } = body
    this.packs.setFile(packNo, { packId: Buffer.from(body.packId, 'hex'), kind, bricks, size })
  }

  /** Pins drop in the turn in which SNAPSHOT applies: from here on the snapshot itself is root. */
  #closeSession(id: string | undefined): void {
    const session = id === undefined ? undefined : this.sessions.get(id)
    if (session === undefined) return
    for (const watcher of this.watchers) watcher.sessionCommitted(session)
    this.sessions.delete(session.id)
    session.closed()
  }
}
