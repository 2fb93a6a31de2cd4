/**
 * One capture or restore over the data wire: the connections that belong to it, the pool session
 * (or the pin) that holds what it reads, and the commit.
 *
 *   open ──COMMIT──▶ committing ──▶ over
 *     └── any connection lost, any rule broken, silence, the node's end ──▶ over, nothing kept
 */
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import type { TLSSocket } from 'node:tls'
import { assert } from '@openmaas/kernel/assert'
import { errorToMessage, toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { Session } from '@openmaas/pool/pool/session'
import type { SnapshotManifest, SnapshotRow } from '@openmaas/pool/pool/types'
import type { Ticket } from '@openmaas/protocols/channel/ticket'
import { dataViolation, encodeJson, FrameType } from '@openmaas/protocols/data/frames'
import {
  type CapturedSnapshot,
  type Commit,
  commit as commitSchema,
  decodeMessage,
  type Welcome,
} from '@openmaas/protocols/data/messages'
import type { OpenPool } from '../open-pool.ts'
import { REQUEST_TAG, SOURCE_TAG } from '../snapshot-catalog.ts'
import { Lane, type LaneOwner } from './lane.ts'
import { Shown } from './shown.ts'
import type { VerifiedSnapshot } from './verify-snapshot.ts'

/** Connections of one session: as many as an agent may have lanes. */
export const CONNECTIONS_MAX = 16
/** A manifest is one chunk, and the node adds its own to it. */
const COMMIT_SIZE_MAX = 900 * 1024
/** A lock that an agent asks for: a longer one is set by control itself. */
const LOCK_MAX_MS = 366 * 24 * 3600_000

/** What reading the pool says when it is damaged; an agent cannot bring these about. */
const DAMAGE: ReadonlySet<string> = new Set([
  'CHUNK_MISSING',
  'PACK_MISSING',
  'PACK_INVALID',
  'RECORD_INVALID',
])

export interface CaptureWish {
  readonly kind: 'tree' | 'volume'
  readonly requestId: string
  readonly parent: SnapshotRow | undefined
}

export interface DataSessionOptions {
  readonly pool: OpenPool
  readonly ticket: Ticket
  /** A capture; or the snapshot to restore. */
  readonly work: { readonly capture: CaptureWish } | { readonly restore: SnapshotRow }
  /** Called once, when it is over and its threads have ended. */
  readonly ended: (session: DataSession, error: unknown) => void
}

export class DataSession implements LaneOwner {
  readonly id = randomUUID()
  readonly ticket: Ticket
  readonly #options: DataSessionOptions
  readonly #shown: SharedArrayBuffer
  readonly #lanes: Lane[] = []
  #session: Session | undefined
  #pin: string | undefined
  #state: 'open' | 'committing' | 'over' = 'open'

  private constructor(options: DataSessionOptions) {
    this.#options = options
    this.ticket = options.ticket
    const first = 'capture' in options.work ? options.work.capture.parent : options.work.restore
    this.#shown = Shown.allocate(first?.chunkCount ?? 0)
    if (first !== undefined) {
      new Shown(this.#shown).showRoot(first.kind, Buffer.from(first.root, 'hex'))
    }
  }

  /** @throws MaasError SNAPSHOT_NOT_FOUND when the snapshot has been deleted meanwhile, POOL_* */
  static async open(options: DataSessionOptions): Promise<DataSession> {
    const made = new DataSession(options)
    const { pool } = options.pool
    if ('capture' in options.work) {
      const { parent } = options.work.capture
      made.#session = pool.openSession(parent === undefined ? {} : { parent: parent.id })
      return made
    }
    const id = `data:${made.id}`
    const snapshots = [options.work.restore.id]
    await pool.pin({ id, kind: 'reader', snapshots, pid: process.pid, bootId: bootId() })
    made.#pin = id
    return made
  }

  get connectionCount(): number {
    return this.#lanes.length
  }

  /** @throws MaasError DATA_SESSIONS_TOO_MANY, SESSION_CLOSED */
  attach(socket: TLSSocket, rest: Buffer, joins: boolean): void {
    if (this.#state !== 'open') throw new MaasError('SESSION_CLOSED', 'the session is over')
    if (this.#lanes.length >= CONNECTIONS_MAX) {
      throw new MaasError('DATA_SESSIONS_TOO_MANY', 'the session has as many connections as it may')
    }
    const { pool } = this.#options.pool
    const setup = {
      reader: pool.readerHandoff(),
      shown: this.#shown,
      ...(this.#session !== undefined && { session: this.#session.laneHandoff() }),
    }
    const lane = new Lane(socket, setup, this)
    this.#lanes.push(lane)
    lane.send(encodeJson(FrameType.welcome, this.#welcome(joins)))
    lane.begin(rest)
  }

  sealed(pack: Parameters<Session['packSealed']>[0]): void {
    this.#session?.packSealed(pack)
  }

  commit(lane: Lane, payload: Buffer): void {
    if (this.#state !== 'open') return
    this.#state = 'committing'
    void this.#commit(lane, payload).catch((error: unknown) => this.failed(error))
  }

  /** Ends everything; the agent is told why on every connection. */
  failed(error: unknown): void {
    if (this.#state === 'over') return
    const { code, message } = errorToMessage(error)
    if (DAMAGE.has(code)) this.#options.pool.distrustDamaged()
    // Details may name places of this machine: they are not for other hosts.
    this.#end(error, encodeJson(FrameType.error, { code, message, details: {} }))
  }

  #welcome(joins: boolean): Welcome {
    const { pool, work } = this.#options
    const base = { version: 1, session: this.id, keys: null, parent: null, done: null }
    if (joins) return { ...base, snapshot: null }
    if ('restore' in work) return { ...base, snapshot: describeRestored(pool, work.restore) }
    const { chunkIdKey, chunkerKey } = pool.pool.core.keys
    const { parent } = work.capture
    const summary = parent && pool.snapshots.find(parent.id)?.manifest?.summary
    return {
      ...base,
      keys: { chunkId: chunkIdKey.toString('hex'), chunker: chunkerKey.toString('hex') },
      parent:
        parent === undefined
          ? null
          : {
              snapshotId: parent.id,
              root: parent.root,
              bytes: summary?.['bytes'] ?? 0,
              files: summary?.['files'] ?? 0,
            },
      snapshot: null,
    }
  }

  async #commit(lane: Lane, payload: Buffer): Promise<void> {
    const { pool, work } = this.#options
    const session = this.#session
    assert(session !== undefined && 'capture' in work, 'a restore has no commit')
    if (payload.length > COMMIT_SIZE_MAX) throw dataViolation(`a COMMIT of ${payload.length} bytes`)
    const message = decodeMessage(commitSchema, payload)
    const { kind, requestId } = work.capture
    // Another attempt of the same request may have come through since this one began.
    const before = pool.snapshots.ofRequest(this.ticket.sourceId, requestId)
    const row = before ?? (await this.#store(session, lane, message, kind))
    const answer = describeCaptured(pool, row)
    this.#end(undefined, undefined, { lane, frame: encodeJson(FrameType.committed, answer) })
  }

  async #store(
    session: Session,
    lane: Lane,
    message: Commit,
    kind: 'tree' | 'volume',
  ): Promise<SnapshotRow> {
    const received = this.#lanes.map((each) => each.received)
    if (received.includes(undefined)) {
      throw new MaasError('DATA_PROTOCOL_VIOLATION', 'a COMMIT before every connection flushed')
    }
    // From here on its chunks are found by readers, the check's among them.
    await session.settle()
    const { root } = message
    const tables = received as Int32Array[]
    const verified = await lane.verify({ snapshot: kind, root, received: tables })
    const { lockUntil } = message
    const { pool } = this.#options.pool
    const lock =
      lockUntil === null
        ? {}
        : { lockUntil: pool.lockTime(new Date(Math.min(lockUntil, Date.now() + LOCK_MAX_MS))) }
    const { chunkCount } = verified
    return session.commit(this.#manifest(message, kind, verified), { ...lock, chunkCount })
  }

  #manifest(
    message: Commit,
    kind: 'tree' | 'volume',
    verified: VerifiedSnapshot,
  ): SnapshotManifest {
    const { work } = this.#options
    assert('capture' in work, 'a restore has no manifest')
    const { parent, requestId } = work.capture
    const sum = (name: 'newBytes' | 'storedBytes') =>
      this.#lanes.reduce((total, { report }) => total + report[name], 0)
    // Names in our own space are the node's to give.
    const tags = Object.entries(message.tags).filter(([name]) => !name.startsWith('openmaas.'))
    const { warnings, users, groups } = message
    return {
      kind,
      source: { name: message.sourceName, host: message.host, path: message.sourcePath },
      startedAt: message.startedAt,
      endedAt: message.endedAt,
      root: message.root,
      summary: {
        ...verified.summary,
        newBytes: sum('newBytes'),
        storedBytes: sum('storedBytes'),
      },
      users,
      groups,
      tags: {
        ...Object.fromEntries(tags),
        [SOURCE_TAG]: this.ticket.sourceId,
        [REQUEST_TAG]: requestId,
      },
      status: warnings.count === 0 ? 'complete' : 'warnings',
      ...(warnings.count > 0 && { warnings }),
      ...(parent !== undefined && { parent: parent.id }),
      ...(verified.volume !== undefined && { volume: verified.volume }),
      ...(message.lockUntil !== null && {
        lockedUntil: new Date(message.lockUntil).toISOString(),
      }),
    }
  }

  #end(error: unknown, frame: Buffer | undefined, last?: { lane: Lane; frame: Buffer }): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    for (const lane of this.#lanes) lane.end(lane === last?.lane ? last.frame : frame)
    void this.#release(error)
  }

  async #release(error: unknown): Promise<void> {
    const { pool, ended } = this.#options
    // Without effect after a commit. Threads end first: their files must not be swept from below.
    await Promise.all(this.#lanes.map(({ exited }) => exited))
    this.#session?.abort()
    try {
      if (this.#pin !== undefined) await pool.pool.unpin(this.#pin)
    } catch (cause) {
      ended(this, toMaasError(cause))
      return
    }
    ended(this, error)
  }
}

function describeRestored(pool: OpenPool, row: SnapshotRow): Welcome['snapshot'] {
  const manifest = pool.snapshots.find(row.id)?.manifest
  return {
    kind: row.kind,
    root: row.root,
    sourceName: manifest?.source.name ?? '',
    sourcePath: manifest?.source.path ?? '',
    users: { ...manifest?.users },
    groups: { ...manifest?.groups },
  }
}

export function describeCaptured(pool: OpenPool, row: SnapshotRow): CapturedSnapshot {
  const { snapshotId, kind, takenAt, sizeBytes, addedBytes, itemCount } =
    pool.snapshots.describe(row)
  return { snapshotId, kind, takenAt, sizeBytes, addedBytes, itemCount }
}
