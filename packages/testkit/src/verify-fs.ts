/** What every `Fs` promises (kernel/fs.ts), as tests; each implementation calls `verifyFs`. */
import type { ErrorCode } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { DIRECT_ALIGNMENT } from '@openmaas/kernel/fs'
import { alignedBuffer } from '@openmaas/kernel/posix/align'
import { SeededRandom } from '@openmaas/kernel/random'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

export interface MadeFs {
  readonly fs: Fs
  /** An existing empty directory in it. */
  readonly root: string
  dispose?(): void
}

const SEEDS = 20
const OPERATIONS = 150

/** Declares the conformance tests of one kind of file system. */
export function verifyFs(name: string, make: () => MadeFs): void {
  describe(`${name} is a file system`, () => {
    let made: MadeFs
    beforeEach(() => {
      made = make()
    })
    afterEach(() => made.dispose?.())

    const site = (): Site => ({ fs: made.fs, at: (path) => `${made.root}/${path}` })
    verifyFiles(site)
    verifyNames(site)
    verifyHistories(site)
  })
}

interface Site {
  readonly fs: Fs
  at(path: string): string
}

function expectCode(code: ErrorCode, path: string | undefined, work: () => unknown): void {
  const details = path === undefined ? {} : { path }
  const wanted = { code, details: expect.objectContaining(details) }
  expect(work).toThrow(expect.objectContaining(wanted))
}

function put(fs: Fs, path: string, bytes: Buffer): void {
  const file = fs.open(path, 'create')
  fs.write(file, bytes, 0)
  fs.close(file)
}

function get(fs: Fs, path: string): Buffer {
  const file = fs.open(path, 'read')
  const bytes = Buffer.alloc(fs.size(file) + 10, 0xee)
  const count = fs.read(file, bytes, 0)
  fs.close(file)
  return bytes.subarray(0, count)
}

function verifyFiles(site: () => Site): void {
  test('creates a file once, and opens only what exists', () => {
    const { fs, at } = site()
    put(fs, at('a'), Buffer.from('one'))
    expectCode('FS_EXISTS', at('a'), () => fs.open(at('a'), 'create'))
    for (const mode of ['read', 'readWrite'] as const) {
      expectCode('FS_NOT_FOUND', at('b'), () => fs.open(at('b'), mode))
      expectCode('FS_NOT_FOUND', at('a/b'), () => fs.open(at('a/b'), mode))
    }
    expectCode('FS_NOT_FOUND', at('no/b'), () => fs.open(at('no/b'), 'create'))
    expect(get(fs, at('a')).toString()).toBe('one')
  })

  test('reads short only at the end, and zeros where nothing was written', () => {
    const { fs, at } = site()
    const file = fs.open(at('a'), 'create')
    fs.write(file, Buffer.from('xyz'), 5000)
    fs.write(file, Buffer.alloc(0), 9000)
    expect(fs.size(file)).toBe(5003)
    const target = Buffer.alloc(10, 0xee)
    expect(fs.read(file, target, 4999)).toBe(4)
    expect(target).toEqual(Buffer.from([0, 120, 121, 122, 238, 238, 238, 238, 238, 238]))
    expect(fs.read(file, target, 5003)).toBe(0)
    expect(fs.read(file, target, 99_999)).toBe(0)
    fs.dataSync(file)
    fs.close(file)
  })

  test('truncates and grows with zeros', () => {
    const { fs, at } = site()
    const file = fs.open(at('a'), 'create')
    fs.write(file, Buffer.alloc(100, 7), 0)
    fs.truncate(file, 3)
    expect(fs.size(file)).toBe(3)
    fs.truncate(file, 6)
    fs.close(file)
    expect(get(fs, at('a'))).toEqual(Buffer.from([7, 7, 7, 0, 0, 0]))
  })

  test('refuses to write to a file that was opened for reading', () => {
    const { fs, at } = site()
    put(fs, at('a'), Buffer.from('one'))
    const file = fs.open(at('a'), 'read')
    expectCode('FS_IO', at('a'), () => fs.write(file, Buffer.from('x'), 0))
    fs.close(file)
    expect(get(fs, at('a')).toString()).toBe('one')
  })

  test('takes direct writes of aligned pieces, and reads them buffered', () => {
    const { fs, at } = site()
    const file = fs.open(at('a'), 'create', { direct: true })
    const bytes = alignedBuffer(3 * DIRECT_ALIGNMENT)
    bytes.fill(5)
    fs.write(file, bytes.subarray(0, DIRECT_ALIGNMENT), 0)
    fs.write(file, bytes.subarray(DIRECT_ALIGNMENT), DIRECT_ALIGNMENT)
    fs.dataSync(file)
    const target = alignedBuffer(4 * DIRECT_ALIGNMENT)
    expect(fs.read(file, target, DIRECT_ALIGNMENT)).toBe(2 * DIRECT_ALIGNMENT)
    fs.close(file)
    expect(get(fs, at('a'))).toEqual(Buffer.alloc(3 * DIRECT_ALIGNMENT, 5))
    expectCode('FS_EXISTS', at('a'), () => fs.open(at('a'), 'create', { direct: true }))
  })

  test('gives a lock to one open file at a time, until it is closed', () => {
    const { fs, at } = site()
    put(fs, at('lock'), Buffer.alloc(0))
    const [first, second] = [fs.open(at('lock'), 'readWrite'), fs.open(at('lock'), 'readWrite')]
    expect([fs.tryLock(first), fs.tryLock(first), fs.tryLock(second)]).toEqual([true, true, false])
    fs.close(first)
    expect(fs.tryLock(second)).toBe(true)
    fs.close(second)
  })
}

function verifyNames(site: () => Site): void {
  test('renames over a file at once, and an open file outlives its name', () => {
    const { fs, at } = site()
    put(fs, at('a'), Buffer.from('one'))
    put(fs, at('b'), Buffer.from('two'))
    const file = fs.open(at('b'), 'read')
    fs.rename(at('a'), at('b'))
    fs.syncDirectory(at(''))
    expect(fs.readDirectory(at(''))).toEqual(['b'])
    expect(get(fs, at('b')).toString()).toBe('one')
    fs.unlink(at('b'))
    const target = Buffer.alloc(3)
    expect(fs.read(file, target, 0)).toBe(3)
    expect(target.toString()).toBe('two')
    fs.close(file)
    expectCode('FS_NOT_FOUND', at('a'), () => fs.rename(at('a'), at('c')))
    expectCode('FS_NOT_FOUND', at('b'), () => fs.unlink(at('b')))
  })

  test('moves a file and a whole directory to another directory', () => {
    const { fs, at } = site()
    fs.makeDirectory(at('d/e'))
    put(fs, at('d/e/f'), Buffer.from('x'))
    fs.makeDirectory(at('g'))
    fs.rename(at('d/e'), at('g/e'))
    fs.rename(at('g/e/f'), at('f'))
    expect(fs.readDirectory(at('d'))).toEqual([])
    expect(fs.readDirectory(at('g/e'))).toEqual([])
    expect(get(fs, at('f')).toString()).toBe('x')
  })

  test('makes directories with their parents, again without complaint', () => {
    const { fs, at } = site()
    fs.makeDirectory(at('d/e/f'))
    fs.makeDirectory(at('d/e/f'))
    put(fs, at('d/file'), Buffer.alloc(0))
    expect(fs.readDirectory(at('d')).toSorted()).toEqual(['e', 'file'])
    expectCode('FS_EXISTS', at('d/file'), () => fs.makeDirectory(at('d/file')))
    expectCode('FS_EXISTS', at('d'), () => fs.removeDirectory(at('d')))
    fs.removeDirectory(at('d/e/f'))
    expectCode('FS_NOT_FOUND', at('d/e/f'), () => fs.readDirectory(at('d/e/f')))
    expectCode('FS_NOT_FOUND', at('d/e/f'), () => fs.removeDirectory(at('d/e/f')))
    expectCode('FS_NOT_FOUND', at('d/e/f'), () => fs.syncDirectory(at('d/e/f')))
    expectCode('FS_NOT_FOUND', at('d/file'), () => fs.readDirectory(at('d/file')))
  })

  test('tells kind and size, and nothing of what is not there', () => {
    const { fs, at } = site()
    put(fs, at('a'), Buffer.alloc(1234))
    expect(fs.stat(at('a'))).toMatchObject({ kind: 'file', size: 1234 })
    expect(fs.stat(at('a'))?.mtimeMs).toBeGreaterThan(0)
    expect(fs.stat(at(''))).toMatchObject({ kind: 'directory' })
    expect(fs.stat(at('b'))).toBeUndefined()
    expect(fs.stat(at('a/b'))).toBeUndefined()
    expect(fs.freeBytes(at(''))).toBeGreaterThan(0)
  })

  test('keeps names that are not ASCII', () => {
    const { fs, at } = site()
    put(fs, at('恢复点 é'), Buffer.from('x'))
    expect(fs.readDirectory(at(''))).toEqual(['恢复点 é'])
  })
}

function verifyHistories(site: () => Site): void {
  test('agrees with a byte array in random histories', () => {
    const { fs, at } = site()
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const random = new SeededRandom(seed)
      const file = fs.open(at(`history-${seed}`), 'create')
      let model: Buffer = Buffer.alloc(0)
      for (let step = 0; step < OPERATIONS; step += 1) {
        const label = `seed ${seed} step ${step}`
        const offset = random.below(20_000)
        const length = random.below(9000)
        const choice = random.below(10)
        if (choice < 5) {
          const bytes = random.bytes(Math.min(length, 300))
          fs.write(file, bytes, offset)
          if (bytes.length > 0) model = resize(model, Math.max(model.length, offset + bytes.length))
          bytes.copy(model, offset)
        } else if (choice < 9) {
          const target = Buffer.alloc(length)
          const count = fs.read(file, target, offset)
          const wanted = model.subarray(offset, offset + length)
          expect(target.subarray(0, count).equals(wanted), label).toBe(true)
        } else {
          fs.truncate(file, offset)
          model = resize(model, offset)
        }
        expect(fs.size(file), label).toBe(model.length)
      }
      fs.close(file)
    }
  })
}

function resize(bytes: Buffer, size: number): Buffer {
  const result = Buffer.alloc(size)
  bytes.copy(result)
  return result
}
