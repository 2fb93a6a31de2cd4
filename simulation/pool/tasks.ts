/**
 * What the simulated users do, each an asynchronous task that gives up its turn between the steps
 * that a program could be interrupted at. A task tells the oracle what was attempted before, and
 * what was acknowledged after, each call.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { SeededRandom } from '@openmaas/kernel/random'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import type { Pool } from '@openmaas/pool/pool/pool'
import { PoolReader } from '@openmaas/pool/pool/reader'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import type { SimDisk } from '../disk/sim-disk.ts'
import { SimFs } from '../disk/sim-fs.ts'
import type { SimClock } from '../harness/sim-clock.ts'
import { makeTree, openOldTree, verifyTree, writeTree } from './content.ts'
import type { OldTree } from './content.ts'
import type { Counts } from './counts.ts'
import type { Oracle } from './oracle.ts'
import { readWhole } from './invariants.ts'
import { BackupLanes } from './lanes.ts'
import type { Profile } from './profile.ts'
import type { Weather } from './weather.ts'

export interface TaskContext {
  readonly pool: Pool
  readonly fs: SimFs
  readonly disk: SimDisk
  readonly clock: SimClock
  readonly random: SeededRandom
  readonly oracle: Oracle
  readonly counts: Counts
  readonly profile: Profile
  readonly weather: Weather
  readonly turn: () => Promise<void>
  readonly fresh: () => number
  readonly note: (text: string) => void
  /** True once the owner has been told to end, or has ended by itself. */
  isEnding(): boolean
  /** True when a fault struck, a disk was full or a copy was damaged since the owner opened. */
  isExcused(): boolean
}

/** Codes that a user may see when the disk failed him, but never otherwise. */
const FAULT_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FS_IO',
  'FS_NO_SPACE',
  'FS_LIMIT',
  'POOL_FULL',
  'POOL_READ_ONLY',
  'GC_ABORTED',
])
const ENDING_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'POOL_READ_ONLY',
  'SESSION_CLOSED',
])

/** Runs a task's calls; throws on whatever the user should not have seen. */
export async function expectCodes(
  context: TaskContext,
  codes: readonly ErrorCode[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof MaasError)) throw error
    const isExpected =
      codes.includes(error.code) ||
      (context.isEnding() && ENDING_CODES.has(error.code)) ||
      (context.isExcused() && FAULT_CODES.has(error.code))
    if (!isExpected) throw error
    context.note(`refused: ${error.code} ${error.message}`)
    context.counts.refused += 1
  }
}

function pick<T>(random: SeededRandom, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : items[random.below(items.length)]
}

/** One snapshot from scratch or on a parent, by one or two lanes, sealed now and then. */
export async function backup(context: TaskContext): Promise<void> {
  const { pool, random, oracle, counts, turn, note } = context
  const parent = random.below(3) > 0 ? pick(random, pool.snapshots()) : undefined
  const tree = makeTree(random, parent && oracle.trees.get(parent.root), context.fresh)
  // A careless client commits before the owner has heard of all its packs.
  const isCareless = random.below(15) === 0
  const refusals: ErrorCode[] = ['SNAPSHOT_NOT_FOUND']
  await expectCodes(context, refusals, async () => {
    const session = pool.openSession(parent === undefined ? {} : { parent: parent.id })
    note(`${session.id} opens${parent === undefined ? '' : ` on ${parent.id}`}`)
    const lanes = new BackupLanes(context, session)
    try {
      const old = parent === undefined ? undefined : openOld(context, parent)
      const written = await writeTree(lanes, tree, old, turn)
      if (!isCareless) await lanes.flush()
      else if (lanes.flushWithoutWaiting()) refusals.push('SESSION_CLOSURE')
      if (random.below(12) === 0) {
        session.abort()
        counts.aborts += 1
        return
      }
      if (random.below(2) === 0) await turn()
      oracle.attempt(written.root, tree)
      const lock = makeLock(context)
      const row = await session.commit(manifestOf(written.root, parent), {
        chunkCount: written.chunkCount,
        ...lock,
      })
      oracle.committed(row.id, written.root)
      if (lock.lockUntil !== undefined) recordLock(context, row.id, lock.lockUntil)
      counts.commits += 1
      note(`${session.id} committed ${row.id}`)
    } catch (error) {
      session.abort()
      throw error
    } finally {
      lanes.close()
    }
  })
}

function openOld({ pool, oracle }: TaskContext, parent: SnapshotRow): OldTree {
  return openOldTree(pool.chunks, oracle.trees.get(parent.root)!, parent.root)
}

function manifestOf(root: string, parent: SnapshotRow | undefined) {
  return {
    kind: 'tree',
    source: { name: 'simulated', host: 'sim', path: '/' },
    startedAt: '2026-01-01T00:00:00Z',
    endedAt: '2026-01-01T00:00:01Z',
    root,
    summary: {},
    status: 'complete',
    ...(parent === undefined ? {} : { parent: parent.id }),
  } as const
}

const HOUR_MS = 3_600_000

function makeLock({ profile, random, pool }: TaskContext): { lockUntil?: number } {
  if (!profile.locks || random.below(4) > 0) return {}
  return { lockUntil: pool.core.time.now() + (1 + random.below(48)) * HOUR_MS }
}

function recordLock({ oracle, clock, pool }: TaskContext, id: SnapshotId, until: number): void {
  // From now on pool time may not run faster than true time.
  const trueMs = clock.trueMs + (until - pool.core.time.now())
  oracle.locks.set(id, { until, trueMs })
}

export async function deleteSnapshot(context: TaskContext): Promise<void> {
  const { pool, random, oracle, counts, clock, note } = context
  const row = pick(random, pool.snapshots())
  if (row === undefined) return
  const refusals: ErrorCode[] = ['SNAPSHOT_NOT_FOUND', 'SNAPSHOT_LOCKED', 'POOL_TIME_FROZEN']
  await expectCodes(context, refusals, async () => {
    const lock = oracle.locks.get(row.id)
    const wasDeleting = oracle.snapshots.get(row.id)?.deleting === true
    oracle.beginDelete(row.id)
    note(`delete ${row.id}`)
    try {
      await pool.deleteSnapshot(row.id)
    } catch (error) {
      const isRefusal = error instanceof MaasError && refusals.includes(error.code)
      if (isRefusal && !wasDeleting) oracle.refuseDelete(row.id)
      if (error instanceof MaasError && error.code === 'SNAPSHOT_LOCKED') counts.lockRefusals += 1
      throw error
    }
    if (lock !== undefined && clock.trueMs < lock.trueMs) {
      throw new Error(`I8: ${row.id} was deleted ${lock.trueMs - clock.trueMs} ms before its time`)
    }
    oracle.endDelete(row.id)
    counts.deletes += 1
  })
}

/** Reads a snapshot file by file under a pin, in the owner's process. */
export async function readPinned(context: TaskContext): Promise<void> {
  const { pool, random, oracle, note, fs } = context
  const row = pick(random, pool.snapshots())
  if (row === undefined) return
  await expectCodes(context, ['SNAPSHOT_NOT_FOUND'], async () => {
    const id = `reader-${context.fresh()}`
    await pool.pin({ id, kind: 'reader', snapshots: [row.id] })
    oracle.pins.set(id, { snapshots: [row.id], releasing: false })
    note(`${id} reads ${row.id}`)
    const reader = new ChunkReader(pool.readerHandoff(), {
      fs,
      metadataCacheBytes: 0,
      dataCacheBytes: 0,
    })
    // Somebody may release the pin by hand.
    const isOver = (): boolean => oracle.pins.get(id)?.releasing !== false
    await readSlowly(context, { source: reader, root: row.root, isOver })
    reader.close()
    // Some forget their pin: it stays until somebody else takes it away.
    if (random.below(4) === 0) return
    await release(context, id)
  })
}

interface SlowRead {
  readonly source: ChunkSource
  readonly root: string
  /** Nothing is promised any more: not one further read. */
  readonly isOver: () => boolean
}

/** Reads a whole tree, a file a turn. @returns the files read */
export async function readSlowly(context: TaskContext, read: SlowRead): Promise<number> {
  const { oracle, random, counts, turn } = context
  const files = verifyTree(read.source, read.root, oracle.trees.get(read.root)!)
  for (let count = 0; ; count += 1) {
    if (read.isOver() || files.next().done === true) return count
    counts.reads += 1
    await turn()
    if (random.below(3) === 0) await turn()
  }
}

async function release({ pool, oracle }: TaskContext, id: string): Promise<void> {
  // A pin whose making was not acknowledged may be in the log, unknown to the oracle.
  const pin = oracle.pins.get(id)
  if (pin !== undefined) pin.releasing = true
  await pool.unpin(id)
  oracle.pins.delete(id)
}

export async function releasePin(context: TaskContext): Promise<void> {
  const id = pick(context.random, [...context.pool.core.state.pins.keys()])
  if (id !== undefined) await expectCodes(context, [], () => release(context, id))
}

/** Another process looks at the pool as it is now, mid-append or not, and reads one snapshot. */
export async function readElsewhere(context: TaskContext): Promise<void> {
  const { disk, profile, random, oracle, counts, pool, clock } = context
  const fs = new SimFs(disk)
  await expectCodes(context, [], async () => {
    const promised = new Set([...oracle.snapshots].filter(([, s]) => !s.deleting).map(([id]) => id))
    const { masterKey } = pool
    const reader = await PoolReader.open({
      path: profile.bricks[0]!,
      unlock: { masterKey },
      fs,
      clock,
    })
    const rows = reader.snapshots()
    const seen = new Set(rows.map(({ id }) => id))
    for (const id of promised) {
      if (!seen.has(id)) throw new Error(`I1: another process does not see ${id}`)
    }
    const row = pick(random, rows)
    // Nobody else had a turn since the log was read, so GC cannot have come between.
    if (row !== undefined) readWhole(reader.chunks, row.root, oracle)
    reader.close()
    counts.foreignReads += 1
  })
  fs.kill()
}
