import { describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { PackStatus } from '../index/pack-table.ts'
import { packPath } from '../pack/path.ts'
import { FLAT_VISITORS, putFlat } from '../pool/flat-snapshot.test-support.ts'
import { Pool } from '../pool/pool.ts'
import type { SnapshotRow } from '../pool/types.ts'
import type { SnapshotId } from '@openmaas/kernel/ids'

const DAY = 24 * 3_600_000
const passphrase = 'p'

interface Site {
  readonly fs: MemoryFs
  readonly clock: FakeClock
  readonly random: SeededRandom
  readonly masterKey: Buffer
}

async function makeSite(seed = 1): Promise<Site> {
  const clock = new FakeClock()
  const site = { fs: new MemoryFs({ clock }), clock, random: new SeededRandom(seed) }
  const options = { ...site, bricks: ['/b0', '/b1'], redundancy: 'mirror:2' as const, passphrase }
  const { masterKey } = await Pool.create(options)
  return { ...site, masterKey }
}

function openOwner({ masterKey, ...deps }: Site): Promise<Pool> {
  return Pool.open({
    ...deps,
    path: '/b0',
    unlock: { masterKey },
    yieldTurn: () => Promise.resolve(),
    tuning: {
      reserveBytes: 0,
      packSizes: { data: 2 * MiB, metadata: 2 * MiB },
      memtableSlots: 1024,
      packCountMax: 4096,
      visitors: FLAT_VISITORS,
    },
  })
}

const chunk = (number: number, size = 1000): Buffer => new SeededRandom(number + 1).bytes(size)

async function backUp(
  pool: Pool,
  numbers: readonly number[],
  parent?: SnapshotId,
): Promise<SnapshotRow> {
  const session = pool.openSession(parent === undefined ? {} : { parent })
  const { manifest } = putFlat(
    session.inlineLane(),
    numbers.map((n) => chunk(n)),
  )
  return session.commit(manifest)
}

/** Reads every chunk of the snapshot through the pool. */
function readAll(pool: Pool, row: SnapshotRow): number {
  const ids = pool.chunks.read(Buffer.from(row.root, 'hex'))
  for (let at = 0; at < ids.length; at += 32)
    pool.chunks.read(Buffer.from(ids.subarray(at, at + 32)))
  return ids.length / 32
}

const packFilesOf = (pool: Pool): string[] =>
  [...pool.core.state.packs.values()]
    .flatMap(({ packId }) =>
      ['/b0', '/b1'].map((brick) => packPath(brick, Buffer.from(packId, 'hex'))),
    )
    .filter((path) => pool.core.deps.fs.stat(path) !== undefined)

describe('garbage collection', () => {
  test('takes what only a deleted snapshot needed, and its files', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const kept = await backUp(pool, [1, 2, 3])
    const gone = await backUp(pool, [4, 5, 6])
    const filesBefore = packFilesOf(pool).length
    await pool.deleteSnapshot(gone.id)
    site.clock.advance(2 * DAY)
    const report = await pool.gc({ approve: true })
    expect(report.deletedPacks).toBeGreaterThan(0)
    expect(packFilesOf(pool).length).toBe(filesBefore - 2 * report.deletedPacks)
    expect(readAll(pool, kept)).toBe(3)
    await pool.close()
    const again = await openOwner(site)
    expect(again.snapshots().map(({ id }) => id)).toEqual([kept.id])
    expect(readAll(again, kept)).toBe(3)
    expect((await again.gc({ approve: true })).garbagePacks).toBe(0)
    await again.close()
  })

  test('changes nothing in a pool without garbage', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    await backUp(pool, [1, 2])
    const { sequence } = pool.status()
    expect(await pool.gc()).toMatchObject({ garbagePacks: 0, condemnedPacks: 0, deletedPacks: 0 })
    expect(pool.status().sequence).toBe(sequence)
    await pool.close()
  })

  test('asks for approval before it takes a third of the bytes or a young pack', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const gone = await backUp(pool, [1, 2, 3])
    await backUp(pool, [4])
    await pool.deleteSnapshot(gone.id)
    await expect(pool.gc()).rejects.toMatchObject({
      code: 'GC_NEEDS_APPROVAL',
      details: { reasons: ['share', 'young'] },
    })
    expect(pool.status().condemnedPacks).toBe(0)
    expect((await pool.gc({ dryRun: true })).needsApproval).toEqual(['share', 'young'])
    await pool.close()
  })

  test('keeps what an open session pinned, although no snapshot needs it', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const gone = await backUp(pool, [1, 2, 3])
    const session = pool.openSession()
    const lane = session.inlineLane()
    const { manifest } = putFlat(lane, [chunk(1), chunk(2)])
    expect(lane.counters.newChunks).toBe(1) // Only the root is new.
    await pool.deleteSnapshot(gone.id)
    site.clock.advance(2 * DAY)
    const report = await pool.gc({ approve: true })
    const row = await session.commit(manifest)
    expect(report.deletedPacks).toBe(0) // The session was there before the CONDEMN.
    expect(readAll(pool, row)).toBe(2)
    await pool.gc({ approve: true })
    expect(readAll(pool, row)).toBe(2)
    await pool.close()
  })

  test('keeps what a session referenced that commits while the mark runs', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const gone = await backUp(pool, [1, 2, 3])
    await backUp(pool, [7])
    const session = pool.openSession()
    const { manifest } = putFlat(session.inlineLane(), [chunk(1), chunk(2)])
    await pool.deleteSnapshot(gone.id)
    const commit: { row?: SnapshotRow; running?: Promise<void> } = {}
    await pool.gc({ approve: true }, ({ phase }) => {
      if (phase !== 'mark' || commit.running !== undefined) return
      commit.running = session.commit(manifest).then((row) => void (commit.row = row))
    })
    await commit.running
    expect(readAll(pool, commit.row!)).toBe(2)
    await pool.gc({ approve: true })
    expect(readAll(pool, commit.row!)).toBe(2)
    await pool.close()
  })

  test('keeps a deleted parent while a session builds on it', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const parent = await backUp(pool, [1, 2, 3])
    const session = pool.openSession({ parent: parent.id })
    const lane = session.inlineLane()
    await pool.deleteSnapshot(parent.id)
    await pool.gc({ approve: true })
    // The session copies the parent's root without naming its chunks.
    const root = pool.chunks.read(Buffer.from(parent.root, 'hex'))
    lane.put(2, root)
    const row = await session.commit({
      ...pool.manifest(parent),
      parent: parent.id,
      root: parent.root,
    })
    await pool.gc({ approve: true })
    expect(readAll(pool, row)).toBe(3)
    await pool.close()
  })

  test('rewrites sparse packs, and readers see the same chunks in their new place', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const session = pool.openSession()
    const lane = session.inlineLane()
    const numbers = Array.from({ length: 200 }, (_, n) => n)
    const first = putFlat(
      lane,
      numbers.map((n) => chunk(n)),
    )
    const big = await session.commit(first.manifest)
    const small = await backUp(pool, [3, 4, 5])
    await pool.deleteSnapshot(big.id)
    site.clock.advance(2 * DAY)
    const before = pool.status().packBytes
    const report = await pool.gc({ approve: true, compactBelow: 1 })
    expect(report.sparsePacks).toBe(1)
    expect(report.copiedBytes).toBeGreaterThan(0)
    expect(pool.status().packBytes).toBeLessThan(before)
    expect(readAll(pool, small)).toBe(3)
    const quiet = await pool.gc({ approve: true, compactBelow: 1 })
    expect(quiet).toMatchObject({ garbageBytes: 0, sparseBytes: 0, deletedPacks: 0 })
    await pool.close()
    const again = await openOwner(site)
    expect(readAll(again, small)).toBe(3)
    await again.close()
  })

  test('leaves a moved pack to readers that pinned before, until they are gone', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const numbers = Array.from({ length: 200 }, (_, n) => n)
    const big = await backUp(pool, numbers)
    const small = await backUp(pool, [3, 4, 5])
    await pool.pin({ id: 'reader-1', kind: 'reader', snapshots: [small.id] })
    await pool.deleteSnapshot(big.id)
    site.clock.advance(2 * DAY)
    const options = { approve: true, compactBelow: 1 }
    expect(await pool.gc(options)).toMatchObject({ waitingPacks: 1 })
    await pool.unpin('reader-1')
    expect(await pool.gc(options)).toMatchObject({ deletedPacks: 1, waitingPacks: 0 })
    await pool.close()
  })

  test('a pin keeps a deleted snapshot whole until it is released', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const row = await backUp(pool, [1, 2, 3])
    await pool.pin({ id: 'medium-1', kind: 'medium', snapshots: [row.id] })
    await pool.deleteSnapshot(row.id)
    site.clock.advance(2 * DAY)
    expect(await pool.gc({ approve: true })).toMatchObject({ deletedPacks: 0, garbagePacks: 0 })
    expect(readAll(pool, row)).toBe(3)
    await pool.unpin('medium-1')
    expect((await pool.gc({ approve: true })).deletedPacks).toBeGreaterThan(0)
    await pool.close()
  })

  test('stops without deleting anything when a snapshot cannot be read whole', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const damaged = await backUp(pool, [1, 2, 3])
    const gone = await backUp(pool, [4, 5, 6])
    await pool.deleteSnapshot(gone.id)
    // A look-up that answers "not there": a damaged index, or a lost pack.
    for (const pack of pool.core.state.livePacks()) {
      if (pack.sequence < damaged.seq) pool.core.packs.setStatus(pack.packNo, PackStatus.lost)
    }
    const files = packFilesOf(pool)
    await expect(pool.gc({ approve: true })).rejects.toMatchObject({ code: 'GC_ABORTED' })
    expect(packFilesOf(pool)).toEqual(files)
    await pool.close()
  })

  test('waits for the delay in pool time, which a jumping clock does not hasten', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const gone = await backUp(pool, [1, 2, 3])
    await pool.deleteSnapshot(gone.id)
    const options = { approve: true, delayMs: DAY }
    expect((await pool.gc(options)).deletedPacks).toBe(0)
    site.clock.jump(site.clock.wallMs() + 20 * 3_600_000)
    expect((await pool.gc(options)).deletedPacks).toBe(0)
    site.clock.jump(site.clock.wallMs() + 30 * DAY)
    await expect(pool.gc(options)).rejects.toMatchObject({ code: 'POOL_TIME_FROZEN' })
    await expect(pool.confirmTime(['ada', 'ada'])).rejects.toMatchObject({
      code: 'POOL_TIME_FROZEN',
    })
    await pool.confirmTime(['ada', 'grace'])
    site.clock.advance(DAY)
    expect((await pool.gc(options)).deletedPacks).toBeGreaterThan(0)
    await pool.close()
  })

  test('a lock outlives deletions, and time that passed while nobody owned the pool', async () => {
    const site = await makeSite()
    const pool = await openOwner(site)
    const session = pool.openSession()
    const { manifest } = putFlat(session.inlineLane(), [chunk(1)])
    const lockUntil = pool.status().poolTimeMs + 10 * DAY
    const row = await session.commit(manifest, { lockUntil })
    await expect(pool.deleteSnapshot(row.id)).rejects.toMatchObject({ code: 'SNAPSHOT_LOCKED' })
    await pool.close()
    for (let day = 0; day < 40; day += 1) {
      site.clock.jump(site.clock.wallMs() + DAY)
      const owner = await openOwner(site)
      await expect(owner.deleteSnapshot(row.id)).rejects.toMatchObject({ code: 'SNAPSHOT_LOCKED' })
      await owner.close()
    }
  })
})
