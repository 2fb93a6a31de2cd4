/** A thread of threads.test.ts: a lane's use of the index, as fast as it goes. */
import { parentPort, workerData } from 'node:worker_threads'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { Word } from './arena.ts'
import { IndexView } from './view.ts'
import type { IndexHandoff } from './view.ts'

interface Work {
  readonly handoff: IndexHandoff
  readonly first: number
  readonly count: number
  readonly recordsPerPack?: number
}

const { handoff, first, count, recordsPerPack = 500 } = workerData as Work
const view = new IndexView(handoff, { fs: new NodeFs() })

/** An id that the test can make again. */
function idOf(number: number): Buffer {
  const id = Buffer.alloc(32)
  for (let word = 0; word < 8; word += 1) {
    id.writeUInt32LE(Math.imul(number + 1, 0x9e3779b1 + 2 * word * 0x85ebca6b) >>> 0, 4 * word)
  }
  return id
}

let missed = 0
let packNo = 0
for (let i = 0; i < count; i += 1) {
  const recordNumber = i % recordsPerPack
  if (recordNumber === 0) {
    if (i > 0) parentPort?.postMessage({ sealed: packNo })
    packNo = Atomics.add(view.arena.words, Word.nextPackNo, 1)
    view.packs.setOpen(packNo, 1)
  }
  const id = idOf(first + i)
  view.insert(id, { packNo, recordNumber, offset: first + i, encodedLength: 1, rawLength: 1 })
  // What this thread put a while ago, whatever has happened to its memtable since.
  const earlier = first + Math.max(0, i - 300)
  const found = view.lookup(idOf(earlier), 1)
  if (found === undefined) missed += 1
  else if (found.offset !== earlier) throw new Error(`id ${earlier} is found as ${found.offset}`)
}
view.close()
parentPort?.postMessage({ sealed: packNo, missed, done: true })
