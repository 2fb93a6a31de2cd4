import { expect, test } from 'vitest'
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { systemRandom } from '@openmaas/kernel/random'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { createPool } from './create.ts'
import { PoolReader } from './reader.ts'

const CALLS = ['open', 'write', 'dataSync', 'syncDirectory', 'rename', 'unlink', 'makeDirectory']

/** The process is gone at the n-th call that changes something. */
function dyingAt(fs: Fs, n: number): Fs {
  let count = 0
  return new Proxy(fs, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (CALLS.includes(String(name))) {
          count += 1
          if (count >= n) throw new Error('killed')
        }
        return Reflect.apply(value, target, args)
      }
    },
  })
}

const create = (fs: Fs, bricks: string[]): { masterKey: Buffer } =>
  createPool({
    bricks,
    redundancy: bricks.length === 1 ? 'single' : 'mirror:2',
    passphrase: 'x',
    fs,
    clock: systemClock,
    random: systemRandom,
  })

const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'made'
  } catch (error) {
    return error instanceof MaasError ? error.code : (error as Error).message
  }
}

test.each([[['/one']], [['/one', '/two']]])(
  'an init of %j that was killed anywhere is begun again, or was done',
  async (bricks) => {
    let n = 0
    let first = ''
    do {
      n += bricks.length + 1 // Each costs two derivations of a key from a passphrase.
      const fs = new MemoryFs()
      first = codeOf(() => create(dyingAt(fs, n), bricks))
      // By the key where there is one, which is far quicker than by the passphrase.
      let unlock: { masterKey: Buffer } | { passphrase: string } = { passphrase: 'x' }
      const again = codeOf(() => (unlock = { masterKey: create(fs, bricks).masterKey }))
      expect(['made', 'POOL_EXISTS'], `killed at call ${n}`).toContain(again)
      const reader = await PoolReader.open({ path: '/one', unlock, fs })
      expect(reader.snapshots()).toEqual([])
    } while (first === 'killed')
    expect(n).toBeGreaterThan(20)
  },
  60_000,
)

test('of two inits at once, one makes the pool and the other changes nothing', async () => {
  const fs = new MemoryFs()
  let second = ''
  const interrupted = new Proxy(fs, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        // The other one runs when the first has its key and is about to write it down.
        if (second === '' && String(args[0]).includes('key-slot')) {
          second = 'running'
          second = codeOf(() => create(fs, ['/one']))
        }
        return Reflect.apply(value, target, args)
      }
    },
  })
  const { masterKey } = create(interrupted, ['/one'])
  expect(second).toBe('POOL_BUSY')
  expect(codeOf(() => create(fs, ['/one']))).toBe('POOL_EXISTS')
  const reader = await PoolReader.open({ path: '/one', unlock: { masterKey }, fs })
  expect(reader.snapshots()).toEqual([])
})

test.each([
  ['a pack', '/one/packs/00', 'pack'],
  ['a file of somebody else', '/one', 'letter.txt'],
  ['a file of somebody else among ours', '/one/tmp', 'letter.txt'],
])('a directory that holds %s is left alone', (_what, directory, name) => {
  const fs = new MemoryFs()
  codeOf(() => create(dyingAt(fs, 20), ['/one']))
  fs.makeDirectory(directory)
  fs.close(fs.open(`${directory}/${name}`, 'create'))
  expect(codeOf(() => create(fs, ['/one']))).toBe('POOL_EXISTS')
  expect(fs.stat(`${directory}/${name}`)).toBeDefined()
})

test('an empty pool that was made stays when one of its bricks is named for another', () => {
  const fs = new MemoryFs()
  create(fs, ['/one', '/two'])
  expect(codeOf(() => create(fs, ['/three', '/two']))).toBe('POOL_EXISTS')
  expect(codeOf(() => create(fs, ['/two']))).toBe('POOL_EXISTS')
  expect(codeOf(() => create(fs, ['/three', '/one']))).toBe('POOL_EXISTS')
  expect(fs.stat('/two/pool.json')).toBeDefined()
})
