/** What the index says it covers, it covers: a chunk that is missed there is missed for ever. */
import { expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { ChunkType } from '../chunk/chunk.ts'
import { FLAT_VISITORS, putFlat } from '../pool/flat-snapshot.test-support.ts'
import { Pool } from '../pool/pool.ts'
import type { SnapshotRow } from '../pool/types.ts'
import { loadManifest } from './manifest.ts'
import { PackStatus, PackTable } from './pack-table.ts'
import { SharedIndex } from './shared-index.ts'

const clock = new FakeClock()
const fs = new MemoryFs({ clock })
const random = new SeededRandom(9)
const { masterKey } = await Pool.create({
  fs,
  clock,
  random,
  bricks: ['/b'],
  redundancy: 'single',
  passphrase: 'p',
})

function open(): Promise<Pool> {
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

const makeChunks = (first: number, count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => new SeededRandom(first + i + 1).bytes(100))

function readAll(pool: Pool, row: SnapshotRow): number {
  const ids = pool.chunks.read(Buffer.from(row.root, 'hex'))
  for (let at = 0; at < ids.length; at += 32)
    pool.chunks.read(Buffer.from(ids.subarray(at, at + 32)))
  return ids.length / 32
}

test('runs of a manifest that was given up cannot come back with pack numbers used again', async () => {
  const first = await open()
  const given = first.openSession()
  const lane = given.inlineLane()
  for (const chunk of makeChunks(0, 1500)) lane.put(ChunkType.data, chunk)
  first.core.index.maintain()
  given.abort() // Its pack is named in a run, and never comes to be.
  await first.close()
  const runs = fs.readDirectory('/b/index').filter((name) => name.endsWith('.run'))
  expect(runs.length).toBeGreaterThan(0)
  const bytes = runs.map((name) => readFile(`/b/index/${name}`))
  // The manifest cannot be read at this moment; so the numbers of the packs are handed out again.
  const openFile = fs.open.bind(fs)
  fs.open = (path, ...more) => {
    if (path.endsWith('/manifest.json')) throw new MaasError('FS_IO', 'a bad moment', { path })
    return openFile(path, ...more)
  }
  const second = await open()
  fs.open = openFile
  const session = second.openSession()
  const kept = await session.commit(putFlat(session.inlineLane(), makeChunks(5000, 400)).manifest)
  second.core.index.save = () => undefined // A power loss: it never comes to its end.
  await second.close()
  // The removal of the run files was not durable yet.
  for (const [index, name] of runs.entries()) writeFile(`/b/index/${name}`, bytes[index]!)
  const third = await open()
  const again = third.openSession()
  const row = await again.commit(putFlat(again.inlineLane(), makeChunks(0, 300)).manifest)
  expect(readAll(third, row)).toBe(300)
  expect(readAll(third, kept)).toBe(400)
  await third.close()
})

test('a pack of which an entry was lost on the way is not called covered', () => {
  const index = SharedIndex.open({
    fs,
    directory: '/index',
    poolId: 'pol_test',
    poolIdBytes: Buffer.alloc(16),
    packs: [],
    packTable: PackTable.allocate(16),
    nextPackNo: 0,
    logMac: () => undefined,
    writable: true,
    slotCount: 64,
  })
  for (const packNo of [0, 1]) {
    index.packs.setOpen(packNo, 1)
    const location = { packNo, recordNumber: 0, offset: 64, encodedLength: 9, rawLength: 7 }
    index.view.insert(random.bytes(32), location)
    index.packs.setStatus(packNo, PackStatus.live)
  }
  index.view.freezeActive()
  index.maintain()
  // As if a lane had been ended, or two had met, in the middle of an insert into pack 1.
  const logged = [
    { packNo: 0, recordCount: 1 },
    { packNo: 1, recordCount: 2 },
  ]
  index.save(2, 'mac', logged)
  expect(loadManifest(fs, '/index')?.uncovered).toEqual([1])
  index.close()
})

function readFile(path: string): Buffer {
  const file = fs.open(path, 'read')
  const bytes = Buffer.alloc(fs.size(file))
  fs.read(file, bytes, 0)
  fs.close(file)
  return bytes
}

function writeFile(path: string, bytes: Buffer): void {
  if (fs.stat(path) !== undefined) fs.unlink(path)
  const file = fs.open(path, 'create')
  fs.write(file, bytes, 0)
  fs.close(file)
}
