import { describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { packPath } from '../pack/path.ts'
import { FLAT_VISITORS, putFlat } from '../pool/flat-snapshot.test-support.ts'
import { Pool } from '../pool/pool.ts'
import { rebuildLog } from './rebuild-log.ts'
import type { SnapshotRow } from '../pool/types.ts'

const passphrase = 'p'
const tuning = {
  reserveBytes: 0,
  packSizes: { data: 1 * MiB, metadata: 1 * MiB },
  memtableSlots: 256,
  packCountMax: 4096,
  visitors: FLAT_VISITORS,
}

class Site {
  readonly clock = new FakeClock()
  readonly fs = new MemoryFs({ clock: this.clock })
  readonly random = new SeededRandom(1)
  readonly bricks: string[]
  masterKey: Buffer = Buffer.alloc(0)

  constructor(brickCount = 2) {
    this.bricks = Array.from({ length: brickCount }, (_, index) => `/b${index}`)
  }

  async create(): Promise<void> {
    const { fs, clock, random, bricks } = this
    const redundancy = bricks.length === 1 ? 'single' : 'mirror:2'
    const options = { fs, clock, random, bricks, redundancy, passphrase } as const
    this.masterKey = (await Pool.create(options)).masterKey
  }

  open(degraded = false): Promise<Pool> {
    const { fs, clock, random } = this
    const unlock = { masterKey: this.masterKey } // Opening by passphrase takes 50 ms each time.
    const yieldTurn = () => Promise.resolve()
    return Pool.open({ fs, clock, random, path: '/b0', unlock, tuning, yieldTurn, degraded })
  }

  flip(path: string, offset: number): void {
    const file = this.fs.open(path, 'readWrite')
    const byte = Buffer.alloc(1)
    this.fs.read(file, byte, offset)
    byte[0]! ^= 0x10
    this.fs.write(file, byte, offset)
    this.fs.close(file)
  }

  /** Every file of the pool but the lock and what lies in quarantine. */
  files(directory = ''): string[] {
    const roots = directory === '' ? this.bricks : [directory]
    return roots.flatMap((root) =>
      this.fs.readDirectory(root).flatMap((name) => {
        const path = `${root}/${name}`
        if (this.fs.stat(path)?.kind === 'directory')
          return name === 'quarantine' ? [] : this.files(path)
        return name === 'lock' ? [] : [path]
      }),
    )
  }

  packs(pool: Pool): string[] {
    return pool.core.state
      .livePacks()
      .map(({ packId }) => packPath('/b0', Buffer.from(packId, 'hex')))
  }
}

async function backUp(pool: Pool, from: number, count = 5): Promise<SnapshotRow> {
  const session = pool.openSession()
  const chunks = Array.from({ length: count }, (_, i) => new SeededRandom(from + i).bytes(700))
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

describe('fsck', () => {
  test('finds nothing in a healthy pool, and its repair changes no byte', async () => {
    const site = new Site()
    await site.create()
    const pool = await site.open()
    await backUp(pool, 100)
    const { sequence } = pool.status()
    const before = site.files().map((path) => `${path} ${site.fs.stat(path)!.mtimeMs}`)
    const report = await pool.fsck({ level: 'data', repair: true })
    expect(report).toMatchObject({ healthy: true, problemCount: 0, affected: [] })
    expect(report.records).toBeGreaterThan(5)
    expect(pool.status().sequence).toBe(sequence)
    expect(site.files().map((path) => `${path} ${site.fs.stat(path)!.mtimeMs}`)).toEqual(before)
    await pool.close()
  })

  // Goal: one flipped bit anywhere is found, and put right from the other copy.
  test('detects and repairs a flipped byte in any file of a mirrored pool', async () => {
    const site = new Site()
    await site.create()
    const first = await site.open()
    // More than 64 packs: so that a run and a manifest of the index are there too.
    for (let i = 0; i < 40; i += 1) await backUp(first, 10 * i, 3)
    await first.close()
    const seeded = new SeededRandom(7)
    const paths = site.files()
    expect(paths.some((path) => path.endsWith('.run'))).toBe(true)
    const targets = Array.from({ length: 60 }, () => paths[seeded.below(paths.length)]!)
    for (const name of ['pool.json', 'manifest.json', 'passphrase.json', '.log', '.run']) {
      targets.push(...paths.filter((path) => path.endsWith(name)))
    }
    for (const path of targets) {
      const size = site.fs.stat(path)?.size ?? 0
      if (size === 0) continue // A run that a rebuild has replaced.
      const offset = seeded.below(size)
      const what = `byte ${offset} of ${path}`
      site.flip(path, offset)
      const pool = await site.open()
      const report = await pool.fsck({ level: 'data', repair: true })
      expect(report.problemCount, what).toBeGreaterThan(0)
      expect(report.healthy, what).toBe(true)
      expect(readAll(pool), what).toBe(120)
      await pool.close()
    }
    const pool = await site.open()
    expect(await pool.fsck({ level: 'data' })).toMatchObject({ problemCount: 0, healthy: true })
    await pool.close()
  })

  test('restores a copy that is missing, truncated or not there yet', async () => {
    const site = new Site()
    await site.create()
    const first = await site.open()
    await backUp(first, 1)
    const [one, two] = site.packs(first)
    await first.close()
    site.fs.unlink(one!)
    const file = site.fs.open(two!, 'readWrite')
    site.fs.truncate(file, 2048)
    site.fs.close(file)
    const pool = await site.open()
    expect(pool.status().incompletePacks.length).toBe(2)
    expect(await pool.fsck({ repair: true })).toMatchObject({ repairedCount: 2, healthy: true })
    expect(await pool.fsck({ level: 'data' })).toMatchObject({ problemCount: 0 })
    await pool.close()
  })

  test('names the snapshots that a lost pack affects, and the next backup heals them', async () => {
    const site = new Site(1)
    await site.create()
    const first = await site.open()
    const lost = await backUp(first, 100)
    await backUp(first, 200)
    const dataPack = first.core.state.livePacks().find(({ kind }) => kind === 'data')!
    await first.close()
    site.fs.unlink(packPath('/b0', Buffer.from(dataPack.packId, 'hex')))

    const pool = await site.open()
    expect(pool.status().lostPacks).toEqual([dataPack.packNo])
    const report = await pool.fsck({ level: 'data', repair: true })
    expect(report.healthy).toBe(false)
    expect(report.affected).toMatchObject([{ id: lost.id, name: 'source-100', missingChunks: 5 }])
    await expect(pool.gc({ approve: true })).rejects.toMatchObject({ code: 'GC_ABORTED' })
    await backUp(pool, 100)
    expect(readAll(pool)).toBe(15)
    expect((await pool.fsck()).affected).toEqual([])
    await pool.close()
  })

  test('saves what can be read of a damaged pack without a second copy', async () => {
    const site = new Site(1)
    await site.create()
    const first = await site.open()
    const damaged = await backUp(first, 100, 20)
    const pack = first.core.state.livePacks().find(({ kind }) => kind === 'data')!
    await first.close()
    site.flip(packPath('/b0', Buffer.from(pack.packId, 'hex')), 5000)

    const pool = await site.open()
    expect((await pool.fsck()).healthy).toBe(true) // The structure is whole; the byte is data.
    const report = await pool.fsck({ level: 'data', repair: true })
    expect(report.affected).toMatchObject([{ id: damaged.id, missingChunks: 1 }])
    await pool.close()
    const again = await site.open()
    const session = again.openSession()
    const lane = session.inlineLane()
    const chunks = Array.from({ length: 20 }, (_, i) => new SeededRandom(100 + i).bytes(700))
    await session.commit(putFlat(lane, chunks, 'again').manifest)
    // The lost chunk and the manifest; the root was there.
    expect(lane.counters.newChunks).toBe(1 + 1)
    expect(readAll(again)).toBe(40)
    await again.close()
  })

  test('a pool without one brick reads, backs up when told to, is completed later', async () => {
    const site = new Site()
    await site.create()
    const first = await site.open()
    await backUp(first, 1)
    await first.close()
    site.fs.rename('/b1', '/away')
    await expect(site.open()).rejects.toMatchObject({ code: 'POOL_BRICK_MISSING' })
    const degraded = await site.open(true)
    await backUp(degraded, 50)
    expect(readAll(degraded)).toBe(10)
    await degraded.close()
    site.fs.rename('/away', '/b1')
    const pool = await site.open()
    const report = await pool.fsck({ level: 'data', repair: true })
    expect(report.problems.map(({ what }) => what)).toContain('pack-copies')
    expect(report.healthy).toBe(true)
    expect(pool.core.state.livePacks().every(({ bricks }) => bricks.length === 2)).toBe(true)
    await pool.close()
  })

  test('makes a new log from the packs when every mirror is lost', async () => {
    const site = new Site()
    await site.create()
    const first = await site.open()
    const made: SnapshotRow[] = []
    for (const from of [100, 200, 300]) {
      made.push(await backUp(first, from))
      site.clock.advance(1000)
    }
    const [kept, broken] = [made.slice(0, 2), made[2]!]
    const rows = first.snapshots()
    const dataPacks = first.core.state.livePacks().filter(({ kind }) => kind === 'data')
    await first.close()
    const { fs, clock, masterKey } = site
    const options = { fs, clock, path: '/b0', unlock: { masterKey }, visitors: FLAT_VISITORS }
    await expect(rebuildLog(options)).rejects.toMatchObject({ code: 'POOL_EXISTS' })
    for (const brick of site.bricks) {
      // One mirror is gone, in the other the first record of all is damaged.
      if (brick === '/b0') fs.unlink('/b0/log/00000001.log')
      else site.flip('/b1/log/00000001.log', 30)
      fs.unlink(packPath(brick, Buffer.from(dataPacks[2]!.packId, 'hex')))
    }
    await expect(site.open()).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
    const report = await rebuildLog(options)
    expect(report.snapshots).toEqual(kept.map(({ id }) => id))
    expect(report.incomplete).toEqual([broken.id])

    const pool = await site.open()
    const again = pool.snapshots().map(({ seq: _, ...row }) => row)
    expect(again).toEqual(rows.slice(0, 2).map(({ seq: _, ...row }) => row))
    expect(readAll(pool)).toBe(10)
    expect((await pool.fsck({ level: 'data' })).healthy).toBe(true)
    await pool.close()
  })
})
