/**
 * What the threads that serve one overlay share, in one SharedArrayBuffer: locks, counters of the
 * commit protocol, and (in another buffer) the grain map.
 *
 *   control words (Int32)                     counters (Float64, under the lock named)
 *    0 log lock       4 dirty records          0 journal end, bytes       commit lock
 *    1 commit lock    5 of them committed      1 batch sequence           commit lock
 *    2 failed         6 commits begun          2 journal generation       commit lock
 *    3 journal file   7 last commit that ended 3 compact journal length   commit lock
 *    8 to 39 region locks                      4 grains written           log lock
 *
 * Order of locks: regions (ascending) → commit → log. A lock is a futex word: 0 free, 1 held,
 * 2 held and waited for. A thread that dies takes the whole engine with it, so no lock outlives
 * its holder.
 */
import { assert } from '@openmaas/kernel/assert'

export const CONTROL = {
  logLock: 0,
  commitLock: 1,
  failed: 2,
  journalFile: 3,
  dirtyCount: 4,
  dirtyCommitted: 5,
  commitsBegun: 6,
  commitEnded: 7,
  regionLocks: 8,
} as const

export const COUNTER = {
  journalEnd: 0,
  batchSequence: 1,
  generation: 2,
  compactLength: 3,
  writtenGrains: 4,
} as const

/** Regions are 1 MiB, the largest request of FUSE; a lock serves every 32nd. */
export const REGION_LOCK_COUNT = 32
const CONTROL_WORDS = CONTROL.regionLocks + REGION_LOCK_COUNT
const COUNTERS = 5
export const SHARED_STATE_SIZE = CONTROL_WORDS * 4 + COUNTERS * 8

export class SharedState {
  readonly buffer: SharedArrayBuffer
  readonly control: Int32Array
  readonly counters: Float64Array

  constructor(buffer = new SharedArrayBuffer(SHARED_STATE_SIZE)) {
    assert(buffer.byteLength === SHARED_STATE_SIZE, 'the buffer is a shared state')
    this.buffer = buffer
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS)
    this.counters = new Float64Array(buffer, CONTROL_WORDS * 4)
  }

  lock(word: number): void {
    const words = this.control
    if (Atomics.compareExchange(words, word, 0, 1) === 0) return
    while (Atomics.exchange(words, word, 2) !== 0) Atomics.wait(words, word, 2)
  }

  unlock(word: number): void {
    const before = Atomics.exchange(this.control, word, 0)
    assert(before !== 0, 'only a held lock is released')
    if (before === 2) Atomics.notify(this.control, word, 1)
  }

  /** Keeps out every write to the regions [first, last], which one lock or all locks guard. */
  lockRegions(first: number, last: number): void {
    if (first === last) return this.lock(CONTROL.regionLocks + (first % REGION_LOCK_COUNT))
    for (let i = 0; i < REGION_LOCK_COUNT; i += 1) this.lock(CONTROL.regionLocks + i)
  }

  unlockRegions(first: number, last: number): void {
    if (first === last) return this.unlock(CONTROL.regionLocks + (first % REGION_LOCK_COUNT))
    for (let i = REGION_LOCK_COUNT - 1; i >= 0; i -= 1) this.unlock(CONTROL.regionLocks + i)
  }
}
