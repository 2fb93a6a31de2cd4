/**
 * What the simulation has found, each as the shortest history that showed it. Seeds change their
 * meaning whenever a world changes; these stay.
 */
import { fsError } from '@openmaas/kernel/fs-errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { KiB } from '@openmaas/kernel/units'
import { Overlay } from '@openmaas/medium/overlay/overlay'
import { createOverlay, prepareOverlay } from '@openmaas/medium/overlay/prepare'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import type { SessionLane } from '@openmaas/pool/pool/lane'
import { Pool } from '@openmaas/pool/pool/pool'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { describe, expect, test } from 'vitest'
import { NO_FAULTS } from './disk/faults.ts'
import { SimDisk } from './disk/sim-disk.ts'
import { SimFs } from './disk/sim-fs.ts'
import { SimClock } from './harness/sim-clock.ts'
import { makeTree, writeTree } from './pool/content.ts'

const BRICKS = ['/b0', '/b1']

/** A pool whose turns are given by hand: nothing of it goes on by itself. */
class Bench {
  readonly clock = new SimClock()
  readonly disk = new SimDisk({ random: new SeededRandom(1), clock: this.clock })
  readonly #random = new SeededRandom(2)
  readonly #waiting: (() => void)[] = []
  #masterKey = Buffer.alloc(0)

  static async make(): Promise<Bench> {
    const bench = new Bench()
    const fs = new SimFs(bench.disk)
    const { clock } = bench
    const random = bench.#random
    const options = { bricks: BRICKS, passphrase: 'x', fs, clock, random }
    const created = await Pool.create({ ...options, redundancy: 'mirror:2' })
    bench.#masterKey = Buffer.from(created.masterKey)
    return bench
  }

  readonly turn = (): Promise<void> =>
    new Promise((resolve) => {
      this.#waiting.push(resolve)
    })

  async open(): Promise<Pool> {
    const opening = Pool.open({
      path: BRICKS[0]!,
      unlock: { masterKey: this.#masterKey },
      fs: new SimFs(this.disk),
      clock: this.clock,
      random: this.#random,
      yieldTurn: this.turn,
      tuning: { packSizes: { data: 2048 * KiB, metadata: 2048 * KiB }, reserveBytes: 0 },
    })
    return this.finish(opening)
  }

  /** Gives one turn to whoever waits longest. @returns false when nobody waits */
  async step(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve))
    const next = this.#waiting.shift()
    next?.()
    await new Promise((resolve) => setImmediate(resolve))
    return next !== undefined
  }

  async finish<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const observed = work.finally(() => {
      isDone = true
    })
    observed.catch(() => undefined) // The caller looks at it.
    while (!isDone && (await this.step())) {
      // Until it is done, or waits for something that is no turn.
    }
    return observed
  }

  async fill(lane: SessionLane): Promise<{ root: string; chunkCount: number }> {
    let fresh = 1000
    const tree = makeTree(new SeededRandom(3), undefined, () => (fresh += 1))
    return writeTree(lane, tree, undefined, () => Promise.resolve())
  }
}

function manifestOf(root: string) {
  const source = { name: 'a', host: 'b', path: '/c' }
  const times = { startedAt: '2026-01-01T00:00:00Z', endedAt: '2026-01-01T00:00:01Z' }
  return { kind: 'tree', source, ...times, root, summary: {}, status: 'complete' } as const
}

describe('the simulation found that', () => {
  // A collection took packs of a snapshot whose SNAPSHOT record was on its way: the abort by a
  // closing pool had dropped the pins. Method: abort after each number of turns, then collect.
  test('an abort after the commit is decided drops no pins', async () => {
    const outcomes = new Set<string>()
    // A decided commit takes four turns to apply: every third turn meets it.
    for (let turns = 0; turns <= 33; turns += 3) {
      const bench = await Bench.make()
      const pool = await bench.open()
      const session = pool.openSession()
      const { root, chunkCount } = await bench.fill(session.inlineLane())
      const committing = session.commit(manifestOf(root), { chunkCount }).then(
        ({ id }) => [id],
        () => [],
      )
      for (let turn = 0; turn < turns; turn += 1) await bench.step()
      session.abort()
      const collecting = pool.gc({ approve: true })
      const ids = await bench.finish(committing)
      await bench.finish(collecting)
      expect(
        pool.snapshots().map(({ id }) => id),
        `${turns} turns`,
      ).toEqual(ids)
      const report = await bench.finish(pool.fsck({ level: 'data' }))
      expect(report.problems, `${turns} turns`).toEqual([])
      await bench.finish(pool.close())
      outcomes.add(ids.length === 0 ? 'aborted' : 'committed')
    }
    expect(outcomes.size).toBe(2)
  }, 180_000)

  // Closing failed at the index and closed the mirrors under a batch, which then synced nothing
  // and was acknowledged.
  test('a pool that fails to close still writes the log batch under way', async () => {
    const bench = await Bench.make()
    const pool = await bench.open()
    const session = pool.openSession()
    session.inlineLane().put(ChunkType.data, Buffer.from('a chunk'))
    await bench.finish(session.settle())
    bench.disk.observer.onCall = (call, path) => {
      const isIndex = path.startsWith('/b0/index') && call !== 'stat'
      if (isIndex) throw fsError('EIO', call, path)
    }
    const pinning = pool.pin({ id: 'p', kind: 'hold', snapshots: [] })
    await bench.step()
    const closing = pool.close()
    await bench.finish(closing).catch(() => undefined)
    const isPinned = await bench.finish(pinning).then(
      () => true,
      () => false,
    )
    delete bench.disk.observer.onCall
    bench.disk.die()
    bench.disk.losePower()
    const again = await bench.open()
    expect(again.core.state.pins.has('p')).toBe(isPinned)
    await bench.finish(again.close())
  })

  // A mirror that was replaced, by an owner that ended before the directory was synced, looked
  // whole to the next owner: its new name was never made durable.
  test('opening makes the names of all mirrors durable, also of those that agree', async () => {
    const bench = await Bench.make()
    const synced = new Set<string>()
    bench.disk.observer.onCall = (call, path) => {
      if (call === 'syncDirectory') synced.add(path)
    }
    const pool = await bench.open()
    expect([...synced]).toEqual(expect.arrayContaining(['/b0/log', '/b1/log']))
    await bench.finish(pool.close())
  })

  test('a check takes no log batch that is under way for a damaged mirror', async () => {
    const bench = await Bench.make()
    const pool = await bench.open()
    const pinning = pool.pin({ id: 'p', kind: 'hold', snapshots: [] })
    const checking = pool.fsck()
    // First turn of the log: one mirror is written. The check looks at the files at once.
    await bench.step()
    const second = pool.fsck()
    for (const check of [checking, second]) {
      expect((await bench.finish(check)).problems).toEqual([])
    }
    await bench.finish(pinning)
    await bench.finish(pool.close())
  })

  // After a failed sync the engine was restarted, trusted the page cache, and flushed: the journal
  // had a hole then, and the overlay was invalid after a power loss.
  test('an overlay remembers a failed sync until the machine is booted again', () => {
    const size = 64 * KiB
    const disk = new SimDisk({ random: new SeededRandom(1), clock: new SimClock() })
    const fs = new SimFs(disk)
    fs.makeDirectory('/layer')
    createOverlay(fs, '/layer', size)
    const open = (boot: number): Overlay => {
      const own = new SimFs(disk)
      const bootId = `00000000-0000-0000-0000-${String(boot).padStart(12, '0')}`
      const { handoff } = prepareOverlay({ fs: own, directory: '/layer', bootId })
      const base = new MemoryDevice({ size, readOnly: true })
      return new Overlay(handoff, base, { fs: own })
    }
    const first = open(1)
    first.write(0, Buffer.alloc(4096, 7))
    disk.rates = { ...NO_FAULTS, dataSync: 1 }
    const failed = expect.objectContaining({ code: 'OVERLAY_FAILED' })
    expect(() => first.flush()).toThrow(failed)
    disk.rates = NO_FAULTS
    disk.die()
    const second = open(1)
    expect(() => second.write(0, Buffer.alloc(4096, 8))).toThrow(failed)
    expect(() => second.flush()).toThrow(failed)
    disk.die()
    disk.losePower()
    const third = open(2)
    third.write(0, Buffer.alloc(4096, 9))
    third.flush()
  })
})
