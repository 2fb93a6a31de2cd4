import { describe, expect, test } from 'vitest'
import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { FLAT_VISITORS, putFlat } from './flat-snapshot.test-support.ts'
import { Pool } from './pool.ts'
import { reserveFor } from './space.ts'
import type { SnapshotRow } from './types.ts'

const CAPACITY = 24 * MiB
const RESERVE = 4 * MiB

describe('a full disk', () => {
  test('ends the backup in plain words, and deletion and collection still work', async () => {
    const clock = new FakeClock()
    const fs = new MemoryFs({ clock, capacity: CAPACITY })
    const deps = { fs, clock, random: new SeededRandom(1) }
    const { masterKey } = await Pool.create({
      ...deps,
      bricks: ['/b0'],
      redundancy: 'single',
      passphrase: 'p',
    })
    const open = () =>
      Pool.open({
        ...deps,
        path: '/b0',
        unlock: { masterKey },
        yieldTurn: () => Promise.resolve(),
        tuning: {
          reserveBytes: RESERVE,
          packSizes: { data: 2 * MiB, metadata: 1 * MiB },
          memtableSlots: 1024,
          visitors: FLAT_VISITORS,
        },
      })
    const pool = await open()
    const rows: SnapshotRow[] = []
    const backUp = async (): Promise<SnapshotRow> => {
      const session = pool.openSession()
      try {
        const chunks = Array.from({ length: 40 }, () => deps.random.bytes(50_000))
        return await session.commit(putFlat(session.inlineLane(), chunks).manifest)
      } catch (error) {
        session.abort()
        throw error
      }
    }
    let full: unknown
    while (full === undefined) {
      try {
        rows.push(await backUp())
      } catch (error) {
        full = error
      }
    }
    expect(isMaasError(full, 'POOL_FULL')).toBe(true)
    expect(rows.length).toBeGreaterThan(4)
    expect(fs.freeBytes('/b0')).toBeGreaterThan(RESERVE - 2 * MiB)

    for (const row of rows.splice(0, 3)) await pool.deleteSnapshot(row.id)
    const report = await pool.gc({ approve: true, compactBelow: 1 })
    expect(report.deletedBytes).toBeGreaterThan(4 * MiB)
    rows.push(await backUp())
    await pool.close()
    const again = await open()
    expect(again.snapshots().map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
    expect((await again.fsck({ level: 'data' })).healthy).toBe(true)
    await again.close()
  })

  test('keeps 2 % and 256 MiB, but never more than a tenth of a small disk', () => {
    expect(reserveFor(100 * 1024 * MiB)).toBe(2304 * MiB)
    expect(reserveFor(100 * MiB)).toBe(10 * MiB)
  })
})
