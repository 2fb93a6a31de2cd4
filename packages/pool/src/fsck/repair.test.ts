/** What a repair must not do: believe a copy it has not read, or give up what is only away. */
import { beforeEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import type { Redundancy } from '../backend/superblock.ts'
import { packPath } from '../pack/path.ts'
import { FLAT_VISITORS, putFlat } from '../pool/flat-snapshot.test-support.ts'
import { Pool } from '../pool/pool.ts'
import type { SnapshotRow } from '../pool/types.ts'

const clock = new FakeClock()
const random = new SeededRandom(3)
let fs: MemoryFs
let masterKey: Buffer

async function create(redundancy: Redundancy): Promise<void> {
  const options = { fs, clock, random, bricks: ['/b0', '/b1'], redundancy, passphrase: 'p' }
  masterKey = (await Pool.create(options)).masterKey
}

function open(degraded = false): Promise<Pool> {
  const tuning = {
    reserveBytes: 0,
    packSizes: { data: 1 * MiB, metadata: 1 * MiB },
    memtableSlots: 256,
    packCountMax: 4096,
    visitors: FLAT_VISITORS,
  }
  const yieldTurn = () => Promise.resolve()
  const unlock = { masterKey }
  return Pool.open({ fs, clock, random, path: '/b0', unlock, tuning, yieldTurn, degraded })
}

async function backUp(pool: Pool, from: number): Promise<SnapshotRow> {
  const session = pool.openSession()
  const chunks = Array.from({ length: 20 }, (_, i) => new SeededRandom(from + i).bytes(700))
  return session.commit(putFlat(session.inlineLane(), chunks, `source-${from}`).manifest)
}

function readAll(pool: Pool): number {
  let count = 0
  for (const row of pool.snapshots()) {
    const ids = pool.chunks.read(Buffer.from(row.root, 'hex'))
    for (let at = 0; at < ids.length; at += 32)
      pool.chunks.read(Buffer.from(ids.subarray(at, at + 32)))
    count += ids.length / 32
  }
  return count
}

function flip(path: string, offset: number): void {
  const file = fs.open(path, 'readWrite')
  const byte = Buffer.alloc(1)
  fs.read(file, byte, offset)
  byte[0]! ^= 0x10
  fs.write(file, byte, offset)
  fs.close(file)
}

beforeEach(() => {
  fs = new MemoryFs({ clock })
})

test('a copy that was not read whole repairs no other', async () => {
  await create('mirror:2')
  const first = await open()
  await backUp(first, 100)
  const data = first.core.state.livePacks().find(({ kind }) => kind === 'data')!
  await first.close()
  const packId = Buffer.from(data.packId, 'hex')
  // One copy has a bad record and a good footer, the other a bad footer and good records.
  flip(packPath('/b0', packId), 1000)
  flip(packPath('/b1', packId), data.size - 10)
  const pool = await open()
  const report = await pool.fsck({ level: 'structure', repair: true })
  expect(report.problemCount).toBeGreaterThan(0)
  expect(readAll(pool)).toBe(20)
  await pool.close()
  const again = await open()
  expect(await again.fsck({ level: 'data' })).toMatchObject({ affected: [] })
  expect(readAll(again)).toBe(20)
  await again.close()
})

test('packs of a brick that is away are not given up by a repair', async () => {
  fs.freeBytes = (path) => (path.startsWith('/b1') ? 2e9 : 1e9) // New packs go to b1.
  await create('single')
  const first = await open()
  await backUp(first, 100)
  await backUp(first, 200)
  expect(first.core.state.livePacks().every(({ bricks }) => bricks[0] === 1)).toBe(true)
  await first.close()
  for (const name of ['pool.json', 'pool.json.copy']) fs.rename(`/b1/${name}`, `/b1/${name}.away`)
  const degraded = await open(true)
  const report = await degraded.fsck({ repair: true })
  expect(report.healthy).toBe(false)
  expect(degraded.status().condemnedPacks).toBe(0)
  await degraded.close()
  for (const name of ['pool.json', 'pool.json.copy']) fs.rename(`/b1/${name}.away`, `/b1/${name}`)
  const back = await open()
  expect(readAll(back)).toBe(40)
  expect(await back.fsck({ level: 'data' })).toMatchObject({ healthy: true })
  await back.gc({ approve: true })
  await back.close()
})
