import { SeededRandom } from '@openmaas/kernel/random'
import { KiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { CHUNK_SIZE_MAX } from '../chunk/chunk.ts'
import { checkReadable, listPacks, makeFaultyFs, makeWriter, put, readAll } from './pack-fixture.ts'
import { packPath } from './path.ts'
import { scanPack } from './scan.ts'
import type { Fs } from '@openmaas/kernel/fs'
import type { Stored } from './pack-fixture.ts'
import type { PackFailure, PackIdentity, SealedPack } from './writer.ts'

const RAWS = [
  Buffer.alloc(100, 'text '),
  makeData('random', 70 * KiB, 1),
  makeData('text', 300 * KiB, 2),
  makeData('databasePages', 64 * KiB, 3),
  makeData('random', CHUNK_SIZE_MAX, 4),
  Buffer.from('x'),
]

/** One pack of about 2.5 MiB on two bricks, with everything that is told about it. */
function writePack(fs: Fs) {
  const opened: PackIdentity[] = []
  const poisoned: { pack: PackIdentity; failure: PackFailure; known: number }[] = []
  const known: number[] = []
  const stored: Stored[] = []
  const writer = makeWriter(fs, {
    random: new SeededRandom(9),
    place: () => ['/b0', '/b1'],
    onOpen: (pack) => {
      opened.push(pack)
      // What the index has to learn again is exactly what `append` has returned.
      known.push([...writer.records()].length)
      expect(known.at(-1)).toBe(stored.length)
    },
    onPoison: (pack, failure) => poisoned.push({ pack, failure, known: stored.length }),
  })
  const raws = [...RAWS, makeData('random', CHUNK_SIZE_MAX, 10), Buffer.alloc(5000, 'end ')]
  const run = (): SealedPack => {
    for (const raw of raws) stored.push(put(writer, raw))
    return writer.seal()!
  }
  return { run, opened, poisoned, stored, writer }
}

describe('a poisoned file', () => {
  const dry = makeFaultyFs(new MemoryFs(), { errno: 'EIO', failFirst: 1e9, failCount: 0 })
  writePack(dry.fs).run()
  const callCount = dry.calls.length

  test('can come from every call: the dry run has them all', () => {
    expect(callCount).toBeGreaterThan(15)
    expect(new Set(dry.calls).size).toBe(6)
  })

  test.each(['EIO', 'ENOSPC'])(
    'with %s at any one call is written again under a new id, and nothing is lost',
    (errno) => {
      for (let failFirst = 0; failFirst < callCount; failFirst += 1) {
        const base = new MemoryFs()
        const { fs } = makeFaultyFs(base, { errno, failFirst, failCount: 1 })
        const { run, opened, poisoned, stored } = writePack(fs)
        const pack = run()
        const title = `${errno} at call ${failFirst} (${dry.calls[failFirst]})`
        expect(poisoned.length, title).toBe(1)
        expect(opened.length, title).toBe(2)
        expect(opened[0]!.packId.equals(opened[1]!.packId), title).toBe(false)
        expect(pack.packId.equals(opened[1]!.packId), title).toBe(true)
        expect(poisoned[0]!.pack, title).toBe(opened[0])
        checkReadable(base, pack, stored)
        // The dead file is gone from both bricks.
        for (const brick of pack.bricks) {
          expect(listPacks(base, brick), title).toEqual([pack.packId.toString('hex')])
        }
      }
    },
  )

  test('is never written or synced again, whatever failed', () => {
    for (let failFirst = 0; failFirst < callCount; failFirst += 1) {
      const open = new Set<unknown>()
      const dead = new Set<unknown>()
      const touched: string[] = []
      const { fs: faulty } = makeFaultyFs(new MemoryFs(), { errno: 'EIO', failFirst, failCount: 1 })
      const fs = new Proxy(faulty, {
        get(target, name: keyof Fs) {
          const method = target[name] as (...values: unknown[]) => unknown
          return (...values: unknown[]) => {
            const isTouch = name === 'write' || name === 'dataSync'
            if (isTouch && dead.has(values[0])) touched.push(name)
            try {
              const result = method(...values)
              if (name === 'open') open.add(result)
              return result
            } catch (error) {
              for (const file of open) dead.add(file)
              throw error
            }
          }
        },
      })
      writePack(fs).run()
      expect(touched, `call ${failFirst} (${dry.calls[failFirst]})`).toEqual([])
    }
  })

  test.each(['write', 'dataSync', 'syncDirectory'])(
    'that fails twice at %s and then not is written',
    (only) => {
      const base = new MemoryFs()
      const { fs } = makeFaultyFs(base, { errno: 'EIO', failFirst: 0, failCount: 2, only })
      const { run, poisoned, stored } = writePack(fs)
      checkReadable(base, run(), stored)
      expect(poisoned.length).toBe(2)
    },
  )

  test.each([
    ['ENOSPC', 'write', 'FS_NO_SPACE'],
    ['EIO', 'dataSync', 'FS_IO'],
    ['EIO', 'syncDirectory', 'FS_IO'],
    ['EMFILE', 'open', 'FS_LIMIT'],
  ])('with %s at every %s ends the session with %s after the third', (errno, only, code) => {
    const base = new MemoryFs()
    const { fs } = makeFaultyFs(base, { errno, failFirst: 0, failCount: 1e9, only })
    const { run, poisoned, opened, writer } = writePack(fs)
    expect(run).toThrow(expect.objectContaining({ code }))
    expect(poisoned.length).toBe(3)
    expect(opened.length).toBe(3)
    expect(poisoned.every(({ failure }) => failure.brick === '/b0')).toBe(true)
    expect(() => writer.seal()).toThrow('not used again')
    writer.abandon()
    expect([...listPacks(base, '/b0'), ...listPacks(base, '/b1')]).toEqual([])
  })

  test('asks again where to go, and says which brick failed', () => {
    const base = new MemoryFs()
    const bad = '/b1'
    const fs = new Proxy(base, {
      get(target, name: keyof Fs) {
        const method = target[name].bind(target) as (...values: unknown[]) => unknown
        return (...values: unknown[]) => {
          if (name === 'open' && String(values[0]).startsWith(bad)) {
            return makeFaultyFs(base, { errno: 'EIO', failFirst: 0, failCount: 1 }).fs.open(
              String(values[0]),
              'create',
            )
          }
          return method(...values)
        }
      },
    })
    const failures: PackFailure[] = []
    const writer = makeWriter(fs, {
      place: () => (failures.length === 0 ? ['/b0', bad] : ['/b0', '/b2']),
      onPoison: (_pack, failure) => failures.push(failure),
    })
    const stored = RAWS.map((raw) => put(writer, raw))
    const pack = writer.seal()!
    expect(failures.map((failure) => failure.brick)).toEqual([bad])
    expect(pack.bricks).toEqual(['/b0', '/b2'])
    checkReadable(base, pack, stored)
  })

  test('that cannot be removed is named, and the pack is written all the same', () => {
    const base = new MemoryFs()
    const { fs: faulty } = makeFaultyFs(base, {
      errno: 'EIO',
      failFirst: 0,
      failCount: 1,
      only: 'dataSync',
    })
    const fs = new Proxy(faulty, {
      get(target, name: keyof Fs) {
        if (name !== 'unlink') return target[name]
        return (path: string) => base.unlink(`${path}-absent`)
      },
    })
    const { run, poisoned, stored } = writePack(fs)
    checkReadable(base, run(), stored)
    expect(poisoned[0]!.failure.leftBehind).toEqual(['/b0', '/b1'])
    expect(listPacks(base, '/b0').length).toBe(2)
  })

  test('shares no payload byte with its successor: another key, the same offsets', () => {
    const base = new MemoryFs()
    const { fs } = makeFaultyFs(base, {
      errno: 'EIO',
      failFirst: 0,
      failCount: 1,
      only: 'dataSync',
    })
    const kept = new Proxy(fs, {
      get: (target, name: keyof Fs) => (name === 'unlink' ? () => undefined : target[name]),
    })
    const { run, opened, stored } = writePack(kept)
    run()
    const [dead, live] = opened.map((pack) => scanPack(base, packPath('/b0', pack.packId)))
    expect(dead!.records).toEqual(live!.records)
    expect(live!.records.map((record) => record.offset)).toEqual(stored.map((s) => s.at.offset))
    const [a, b] = opened.map((pack) => readAll(base, packPath('/b0', pack.packId)))
    for (const { offset, encodedLength } of live!.records) {
      if (encodedLength < 1000) continue
      const [begin, end] = [offset + 52, offset + 52 + encodedLength]
      let equal = 0
      for (let i = begin; i < end; i += 1) if (a![i] === b![i]) equal += 1
      expect(equal / encodedLength).toBeLessThan(0.05)
    }
  })
})
