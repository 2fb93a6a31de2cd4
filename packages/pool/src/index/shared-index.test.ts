import { describe, expect, test } from 'vitest'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { SeededRandom } from '@openmaas/kernel/random'
import { PackStatus, PackTable } from './pack-table.ts'
import { SharedIndex } from './shared-index.ts'

describe('the shared index', () => {
  test('keeps 100,000 chunks in runs, bounded in number, and finds each', async () => {
    const packTable = PackTable.allocate(4096)
    const index = SharedIndex.open({
      fs: new MemoryFs(),
      directory: '/index',
      poolId: 'pol_test',
      poolIdBytes: Buffer.alloc(16),
      packs: [],
      packTable,
      nextPackNo: 0,
      logMac: () => undefined,
      writable: true,
      slotCount: 4096,
    })
    const random = new SeededRandom(3)
    const ids: Buffer[] = []
    for (let packNo = 0; packNo < 100; packNo += 1) {
      index.packs.setOpen(packNo, 1)
      for (let recordNumber = 0; recordNumber < 1000; recordNumber += 1) {
        const id = random.bytes(32)
        ids.push(id)
        index.view.insert(id, { packNo, recordNumber, offset: 1, encodedLength: 1, rawLength: 1 })
      }
      index.packs.setStatus(packNo, PackStatus.live)
      index.maintain()
      while (await index.merge(() => Promise.resolve())) {
        // Until every tier has room.
      }
    }
    expect(index.runCount).toBeGreaterThan(0)
    expect(index.runCount).toBeLessThan(24)
    for (const [i, id] of ids.entries()) {
      const location = index.view.lookup(id, 0)
      if (location?.packNo !== Math.floor(i / 1000)) expect.fail(`chunk ${i} is not found`)
    }
    expect(index.view.lookup(random.bytes(32), 0)).toBeUndefined()
    index.close()
  })
})
