import { afterEach, describe, expect, test } from 'vitest'
import type { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import { systemClock } from '@openmaas/kernel/clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { ChunkType } from '../chunk/chunk.ts'
import { SessionLane } from './lane.ts'
import { Pool } from './pool.ts'
import { PoolReader } from './reader.ts'
import type { SnapshotManifest } from './types.ts'

const fs = new NodeFs()
const clock = systemClock
const random = systemRandom
const passphrase = 'correct horse'
const tuning = { reserveBytes: 0 }

const sites: TemporaryDirectory[] = []
afterEach(() => {
  for (const site of sites.splice(0)) site.dispose()
})

async function makePool(brickCount = 1): Promise<string> {
  const site = new TemporaryDirectory()
  sites.push(site)
  const bricks = Array.from({ length: brickCount }, (_, index) => site.join(`brick${index}`))
  const redundancy = brickCount === 1 ? 'single' : `mirror:${brickCount}`
  await Pool.create({ bricks, redundancy: redundancy as 'single', passphrase, fs, clock, random })
  return bricks[0]!
}

const openOwner = (path: string) =>
  Pool.open({ path, unlock: { passphrase }, fs, clock, random, tuning })

function manifestOf(root: Buffer, chunks: number): SnapshotManifest {
  return {
    kind: 'tree',
    source: { name: 'test', host: 'here', path: '/somewhere' },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:01.000Z',
    root: root.toString('hex'),
    summary: { chunks, nodes: 1 },
    status: 'complete',
  }
}

function makeChunks(count: number, seed: number): Buffer[] {
  const seeded = new SeededRandom(seed)
  return Array.from({ length: count }, () => seeded.bytes(100 + seeded.below(400)))
}

describe('a pool on a real file system', () => {
  test('gives back 10,000 chunks of two lanes after it was closed and opened again', async () => {
    const path = await makePool()
    const chunks = makeChunks(10_000, 1)
    const pool = await openOwner(path)
    const session = pool.openSession()
    const lanes = [session.inlineLane(), session.inlineLane()]
    const ids = chunks.map((raw, i) => lanes[i % 2]!.put(ChunkType.data, raw))
    const root = lanes[0]!.put(ChunkType.treeNode, Buffer.concat(ids))
    for (const lane of lanes) lane.flush()
    const row = await session.commit(manifestOf(root, ids.length))
    expect(row.chunkCount).toBe(10_001)
    await pool.close()

    const reader = await PoolReader.open({ path, unlock: { passphrase }, fs })
    expect(reader.snapshots()).toEqual([row])
    expect(reader.manifest(row).source.path).toBe('/somewhere')
    for (const [i, id] of ids.entries()) {
      if (!reader.chunks.read(id).equals(chunks[i]!)) expect.fail(`chunk ${i} differs`)
    }
    reader.close()
  })

  test('stores a chunk once over sessions', async () => {
    const path = await makePool()
    const chunks = makeChunks(500, 2)
    let stored = 0
    for (let run = 0; run < 3; run += 1) {
      const pool = await openOwner(path)
      const session = pool.openSession()
      const lane = session.inlineLane()
      const ids = chunks.map((raw) => lane.put(ChunkType.data, raw))
      const root = lane.put(ChunkType.treeNode, Buffer.concat(ids))
      lane.flush()
      await session.commit(manifestOf(root, ids.length))
      stored += lane.counters.newChunks
      await pool.close()
    }
    expect(stored).toBe(500 + 1 + 3) // The root once, and a manifest each run.
  })

  test('mirrors packs and log on every brick', async () => {
    const path = await makePool(2)
    const pool = await openOwner(path)
    const session = pool.openSession()
    const lane = session.inlineLane()
    const root = lane.put(ChunkType.treeNode, Buffer.from('root'))
    lane.flush()
    await session.commit(manifestOf(root, 0))
    expect([...pool.core.state.packs.values()].every(({ bricks }) => bricks.length === 2)).toBe(
      true,
    )
    await pool.close()
    const size = (brick: string) => fs.stat(`${brick}/log/00000001.log`)?.size
    expect(size(path)).toBeGreaterThan(0)
    expect(size(path.replace(/0$/, '1'))).toBe(size(path))
  })

  test('refuses a wrong passphrase and changes nothing', async () => {
    const path = await makePool()
    await expect(
      Pool.open({ path, unlock: { passphrase: 'wrong' }, fs, clock, random }),
    ).rejects.toMatchObject({ code: 'POOL_PASSPHRASE_WRONG' })
    await (await openOwner(path)).close()
  })

  test('has one owner at a time, and says who', async () => {
    const path = await makePool()
    const first = await Pool.open({ path, unlock: { passphrase }, fs, clock, random, pid: 4711 })
    const error = await openOwner(path).catch((failure: unknown) => failure as MaasError)
    expect(error).toMatchObject({ code: 'POOL_BUSY', details: { pid: 4711 } })
    await first.close()
    await (await openOwner(path)).close()
  })

  test('refuses to commit what a lane has not sealed', async () => {
    const path = await makePool()
    const pool = await openOwner(path)
    const session = pool.openSession()
    const lane = new SessionLane(session.laneHandoff(), { fs, random, onSealed: () => undefined })
    const root = lane.put(ChunkType.data, Buffer.from('never sealed'))
    await expect(session.commit(manifestOf(root, 0))).rejects.toMatchObject({
      code: 'SESSION_CLOSURE',
    })
    expect(pool.snapshots()).toEqual([])
    await pool.close()
  })

  test('a path without a pool is not found; a directory in use is not overwritten', async () => {
    const path = await makePool()
    await expect(openOwner(`${path}/nowhere`)).rejects.toMatchObject({ code: 'POOL_NOT_FOUND' })
    await expect(
      Pool.create({ bricks: [path], redundancy: 'single', passphrase, fs, clock, random }),
    ).rejects.toMatchObject({ code: 'POOL_EXISTS' })
  })
})
