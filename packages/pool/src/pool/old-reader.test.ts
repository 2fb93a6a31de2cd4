/** A reader outside of the owner goes on reading, whatever the owner does to index and packs. */
import { beforeEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { ChunkReader } from './chunk-reader.ts'
import { FLAT_VISITORS, putFlat } from './flat-snapshot.test-support.ts'
import { Pool } from './pool.ts'
import { PoolReader } from './reader.ts'
import type { SnapshotRow } from './types.ts'

const clock = new FakeClock()
const random = new SeededRandom(7)
let fs: MemoryFs
let masterKey: Buffer

beforeEach(async () => {
  fs = new MemoryFs({ clock })
  const options = { fs, clock, random, bricks: ['/b'], redundancy: 'single' as const }
  masterKey = (await Pool.create({ ...options, passphrase: 'p' })).masterKey
})

function openOwner(): Promise<Pool> {
  const tuning = {
    reserveBytes: 0,
    packSizes: { data: 2 * MiB, metadata: 2 * MiB },
    memtableSlots: 1024,
    packCountMax: 4096,
    visitors: FLAT_VISITORS,
  }
  const yieldTurn = () => Promise.resolve()
  return Pool.open({ fs, clock, random, path: '/b', unlock: { masterKey }, yieldTurn, tuning })
}

const openReader = () => PoolReader.open({ path: '/b', unlock: { masterKey }, fs })

async function backUp(pool: Pool, first: number, count: number): Promise<SnapshotRow> {
  const session = pool.openSession()
  const numbers = Array.from({ length: count }, (_, i) => first + i)
  const chunks = numbers.map((number) => new SeededRandom(number + 1).bytes(100))
  return session.commit(putFlat(session.inlineLane(), chunks).manifest)
}

async function owning<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
  await using pool = await openOwner()
  return await work(pool)
}

function readAll(chunks: ChunkReader, row: SnapshotRow): number {
  const ids = chunks.read(Buffer.from(row.root, 'hex'))
  for (let at = 0; at < ids.length; at += 32) chunks.read(Buffer.from(ids.subarray(at, at + 32)))
  return ids.length / 32
}

test('run files that were merged away are replaced by those of now', async () => {
  const row = await owning((pool) => backUp(pool, 0, 1500))
  const reader = await openReader()
  const other = new ChunkReader(reader.handoff(), { fs }) // As a thread has it.
  const runs = fs.readDirectory('/b/index').filter((name) => name.endsWith('.run'))
  expect(runs.length).toBeGreaterThan(0)
  for (let round = 1; round < 12; round += 1) {
    await owning((pool) => backUp(pool, round * 2000, 1500))
  }
  for (const run of runs) expect(fs.stat(`/b/index/${run}`)).toBeUndefined()
  expect(readAll(reader.chunks, row)).toBe(1500)
  expect(readAll(other, row)).toBe(1500)
  other.close()
  reader.close()
})

test('chunks that a collection has moved are found where they are now', async () => {
  const [gone, row] = await owning(async (pool) => {
    return [await backUp(pool, 0, 300), await backUp(pool, 200, 300)]
  })
  const reader = await openReader()
  // No pin holds the old packs: the reader was opened while its pin was being written.
  const report = await owning(async (pool) => {
    await pool.deleteSnapshot(gone.id)
    return pool.gc({ approve: true, compactBelow: 1 })
  })
  expect(report.deletedPacks).toBeGreaterThan(0)
  expect(report.copiedBytes).toBeGreaterThan(0)
  expect(readAll(reader.chunks, row)).toBe(300)
  reader.close()
})

test('what is missing is looked for again only when the log has grown', async () => {
  await owning((pool) => backUp(pool, 0, 10))
  const reader = await openReader()
  let opened = 0
  const open = fs.open.bind(fs)
  fs.open = (...given) => {
    opened += 1
    return open(...given)
  }
  const missing = expect.objectContaining({ code: 'CHUNK_MISSING' })
  expect(() => reader.chunks.read(Buffer.alloc(32, 1))).toThrowError(missing)
  expect(opened).toBe(0)
  reader.close()
})
