/**
 * What the log means: a pure reducer over its records. No I/O, no clock, no randomness; the same
 * records give the same state on every machine.
 *
 *   pack:     (PACK) live ──CONDEMN──▶ condemned ──DELETE──▶ deleted
 *                     ◀─UNCONDEMN──┘
 *   snapshot: (SNAPSHOT) live ──SNAPSHOT_DELETE──▶ deleted; a pin keeps a deleted one as GC root
 *   session:  (SESSION_OPEN) open ──SESSION_CLOSE | SNAPSHOT | OWNER──▶ gone
 *
 * A record that does not fit the state is a bug of the owner that wrote it, or a forged log: the
 * pool does not open (LOG_CORRUPT).
 */
import { MaasError } from '@openmaas/kernel/errors'
import { unreachable } from '@openmaas/kernel/assert'
import { LogType } from '../log/types.ts'
import type { LogRecord } from '../log/record.ts'
import type {
  OwnerBody,
  PackBody,
  PacksBody,
  PinBody,
  PoolTimeBody,
  SnapshotBody,
} from '../log/types.ts'

/** 4,194,304 packs of 64 MiB are 256 TiB: bounds the tables indexed by pack number. */
export const PACK_COUNT_MAX = 2 ** 22

export interface PackRow extends PackBody {
  readonly sequence: number
  readonly state: 'live' | 'condemned' | 'deleted'
  /** Sequence and pool time of the CONDEMN; 0 while live. */
  readonly condemnedSequence: number
  readonly condemnedAt: number
  /** Its referenced chunks lie in newer packs; readers that pinned before may still look here. */
  readonly superseded: boolean
}

export interface SnapshotState extends SnapshotBody {
  readonly sequence: number
}

export interface PinState extends PinBody {
  readonly sequence: number
}

export interface SessionState {
  readonly session: string
  readonly parent: string | undefined
  readonly sequence: number
}

export class PoolState {
  #sequence = 0
  #ownerEpoch = 0
  #poolTimeMs = 0
  #wallMs = 0
  #frozen = false
  #closed = false
  #nextPackNo = 0
  #poolId: string | undefined
  readonly packs = new Map<number, PackRow>()
  readonly packNumbers = new Map<string, number>()
  readonly snapshots = new Map<string, SnapshotState>()
  readonly deletedSnapshots = new Map<string, SnapshotState>()
  readonly pins = new Map<string, PinState>()
  readonly sessions = new Map<string, SessionState>()

  get sequence(): number {
    return this.#sequence
  }

  get ownerEpoch(): number {
    return this.#ownerEpoch
  }

  get poolTimeMs(): number {
    return this.#poolTimeMs
  }

  /** Wall time when pool time was last logged. */
  get wallMs(): number {
    return this.#wallMs
  }

  get frozen(): boolean {
    return this.#frozen
  }

  /** True when the last owner ended in order. */
  get closed(): boolean {
    return this.#closed
  }

  /** The first pack number no record has used. */
  get nextPackNo(): number {
    return this.#nextPackNo
  }

  get poolId(): string | undefined {
    return this.#poolId
  }

  /** @throws MaasError LOG_CORRUPT when the record does not follow from the state */
  apply(record: LogRecord): void {
    const { entry } = record
    this.#demand(record.sequence === this.#sequence + 1, record, 'sequence has a gap')
    this.#closed = false
    switch (entry.type) {
      case LogType.owner:
        this.#applyOwner(record, entry.body)
        break
      case LogType.sessionOpen:
        this.sessions.set(entry.body.session, {
          session: entry.body.session,
          parent: entry.body.parent,
          sequence: record.sequence,
        })
        break
      case LogType.sessionClose:
        this.sessions.delete(entry.body.session)
        break
      case LogType.pack:
        this.#applyPack(record, entry.body)
        break
      case LogType.snapshot:
        this.#applySnapshot(record, entry.body)
        break
      case LogType.snapshotDelete: {
        const row = this.snapshots.get(entry.body.id)
        this.#demand(row !== undefined, record, 'deletes a snapshot that is not live')
        this.snapshots.delete(row.id)
        this.deletedSnapshots.set(row.id, row)
        break
      }
      case LogType.lockExtend: {
        const row = this.snapshots.get(entry.body.id)
        this.#demand(row !== undefined, record, 'locks a snapshot that is not live')
        this.#demand(entry.body.lockUntil >= (row.lockUntil ?? 0), record, 'shortens a lock')
        this.snapshots.set(row.id, { ...row, lockUntil: entry.body.lockUntil })
        break
      }
      case LogType.pin:
        this.#applyPin(record, entry.body)
        break
      case LogType.unpin:
        this.pins.delete(entry.body.id)
        break
      case LogType.condemn:
      case LogType.uncondemn:
      case LogType.delete:
        this.#applyPacks(record, entry.type, entry.body)
        break
      case LogType.repair: {
        const row = this.packs.get(entry.body.packNo)
        this.#demand(row !== undefined, record, 'repairs an unknown pack')
        this.packs.set(row.packNo, { ...row, bricks: entry.body.bricks })
        break
      }
      case LogType.checkpoint:
        this.#closed = entry.body.closed
        break
      case LogType.keyEpoch:
        break
      case LogType.poolTime:
        this.#applyPoolTime(entry.body)
        break
      default:
        unreachable(entry)
    }
    this.#sequence = record.sequence
  }

  livePacks(): PackRow[] {
    return [...this.packs.values()].filter((pack) => pack.state === 'live')
  }

  condemnedPacks(): PackRow[] {
    return [...this.packs.values()].filter((pack) => pack.state === 'condemned')
  }

  /** Pinned snapshots, live or deleted: what a reader or medium needs stays readable. */
  pinnedSnapshots(): SnapshotState[] {
    const rows = new Map<string, SnapshotState>()
    for (const pin of this.pins.values()) {
      for (const id of pin.snapshots) {
        const row = this.snapshots.get(id) ?? this.deletedSnapshots.get(id)
        if (row !== undefined) rows.set(id, row)
      }
    }
    return [...rows.values()]
  }

  #applyOwner(record: LogRecord, body: OwnerBody): void {
    this.#demand(body.epoch > this.#ownerEpoch, record, 'owner epoch does not rise')
    this.#demand(body.epoch === record.ownerEpoch, record, 'owner epoch differs from its record')
    this.#demand(this.#poolId === undefined || this.#poolId === body.poolId, record, 'other pool')
    this.#poolId = body.poolId
    this.#ownerEpoch = body.epoch
    // The sessions of the owner before are void: their clients send their chunk ids again.
    this.sessions.clear()
  }

  #applyPack(record: LogRecord, body: PackBody): void {
    this.#demand(!this.packs.has(body.packNo), record, 'pack number used twice')
    this.#demand(body.packNo < PACK_COUNT_MAX, record, 'pack number out of range')
    this.#demand(!this.packNumbers.has(body.packId), record, 'pack id used twice')
    this.packs.set(body.packNo, {
      ...body,
      sequence: record.sequence,
      state: 'live',
      condemnedSequence: 0,
      condemnedAt: 0,
      superseded: false,
    })
    this.packNumbers.set(body.packId, body.packNo)
    this.#nextPackNo = Math.max(this.#nextPackNo, body.packNo + 1)
  }

  #applySnapshot(record: LogRecord, body: SnapshotBody): void {
    const known = this.snapshots.has(body.id) || this.deletedSnapshots.has(body.id)
    this.#demand(!known, record, 'snapshot id used twice')
    this.snapshots.set(body.id, { ...body, sequence: record.sequence })
    if (body.session !== undefined) this.sessions.delete(body.session)
  }

  #applyPin(record: LogRecord, body: PinBody): void {
    for (const id of body.snapshots) {
      // A pin may be renewed (same id): then it may name a snapshot deleted since.
      const held = this.pins.get(body.id)?.snapshots.includes(id) === true
      this.#demand(held || this.snapshots.has(id), record, 'pins a snapshot that is not live')
    }
    this.pins.set(body.id, { ...body, sequence: record.sequence })
  }

  #applyPacks(
    record: LogRecord,
    type: typeof LogType.condemn | typeof LogType.uncondemn | typeof LogType.delete,
    body: PacksBody,
  ): void {
    const before = type === LogType.condemn ? 'live' : 'condemned'
    for (const packNo of body.packs) {
      const row = this.packs.get(packNo)
      this.#demand(row?.state === before, record, `pack is not ${before}`)
      if (type === LogType.condemn) {
        this.packs.set(packNo, {
          ...row,
          state: 'condemned',
          condemnedSequence: record.sequence,
          condemnedAt: body.at,
          superseded: body.superseded === true,
        })
      } else if (type === LogType.uncondemn) {
        const calm = { condemnedSequence: 0, condemnedAt: 0, superseded: false }
        this.packs.set(packNo, { ...row, ...calm, state: 'live' })
      } else {
        this.packs.set(packNo, { ...row, state: 'deleted' })
      }
    }
  }

  #applyPoolTime(body: PoolTimeBody): void {
    // Pool time never runs backwards, whatever a clock said.
    this.#poolTimeMs = Math.max(this.#poolTimeMs, body.at)
    this.#wallMs = body.wallMs
    this.#frozen = body.frozen === true
  }

  #demand(condition: unknown, record: LogRecord, what: string): asserts condition {
    if (!condition) {
      throw new MaasError('LOG_CORRUPT', `the pool log contradicts itself: ${what}`, {
        sequence: record.sequence,
        type: record.entry.type,
      })
    }
  }
}
