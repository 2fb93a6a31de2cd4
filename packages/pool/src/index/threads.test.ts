import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { PackStatus, PackTable } from './pack-table.ts'
import { SharedIndex } from './shared-index.ts'

interface Message {
  readonly sealed: number
  readonly missed?: number
  readonly done?: boolean
}

/** Of 2,048 slots a memtable. */
function openIndex(directory: string): SharedIndex {
  return SharedIndex.open({
    fs: new NodeFs(),
    directory,
    poolId: 'pol_test',
    poolIdBytes: Buffer.alloc(16),
    packs: [],
    packTable: PackTable.allocate(),
    nextPackNo: 0,
    logMac: () => undefined,
    writable: true,
    slotCount: 2048,
  })
}

describe('the index between threads', () => {
  // Goal: memtables rotate and become runs while two lanes insert and look up without locks.
  test('loses nothing and finds everything while the owner empties memtables', async () => {
    using site = new TemporaryDirectory({ inMemory: true })
    const index = openIndex(site.join('index'))
    const count = 40_000
    const handoff = index.handoff()
    let missed = 0
    const runLane = (first: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const url = new URL('lane-thread.test-support.ts', import.meta.url)
        const worker = new Worker(url, { workerData: { handoff, first, count } })
        worker.on('error', reject)
        worker.on('message', (message: Message) => {
          // What goes wrong in here must end the test, not hang it.
          try {
            take(message)
            if (message.done === true) resolve()
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        })
      })
    const take = (message: Message): void => {
      index.packs.setStatus(message.sealed, PackStatus.live)
      index.maintain()
      index.mergeInBackground(() => Promise.resolve())
      missed += message.missed ?? 0
    }
    await Promise.all([runLane(0), runLane(count)])
    await index.settled()
    expect(index.runCount).toBeGreaterThan(0)
    const seen = new Set<number>()
    for (let number = 0; number < 2 * count; number += 1) {
      const id = Buffer.alloc(32)
      for (let word = 0; word < 8; word += 1) {
        id.writeUInt32LE(Math.imul(number + 1, 0x9e3779b1 + 2 * word * 0x85ebca6b) >>> 0, 4 * word)
      }
      if (index.view.lookup(id, 0)?.offset === number) seen.add(number)
    }
    expect(seen.size).toBe(2 * count)
    // A look-up that races with a memtable being carried over may miss; hardly ever.
    expect(missed).toBeLessThan(count / 100)
    index.close()
  })

  // Goal: a million tiny files fill every memtable before the first pack is full. Method: one
  // pack for all, and an owner who does nothing but wait.
  test('makes room for a lane that has sealed nothing yet', async () => {
    using site = new TemporaryDirectory({ inMemory: true })
    const index = openIndex(site.join('index'))
    const workerData = { handoff: index.handoff(), first: 0, count: 8000, recordsPerPack: 8000 }
    const url = new URL('lane-thread.test-support.ts', import.meta.url)
    const worker = new Worker(url, { workerData })
    const last = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    expect(last).toMatchObject({ done: true })
    expect(index.runCount).toBeGreaterThan(0)
    index.close()
  })
})
