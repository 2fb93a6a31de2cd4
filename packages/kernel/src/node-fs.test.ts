import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { verifyFs } from '@openmaas/testkit/verify-fs'
import { expect, test } from 'vitest'
import { alignedBuffer, alignedSharedBuffer } from './posix/align.ts'
import { O_DIRECT } from './posix/constants.ts'
import { NodeFs } from './node-fs.ts'

verifyFs('NodeFs on a disk', () => {
  const site = new TemporaryDirectory()
  return { fs: new NodeFs(), root: site.path, dispose: () => site.dispose() }
})

verifyFs('NodeFs in memory', () => {
  const site = new TemporaryDirectory({ inMemory: true })
  return { fs: new NodeFs(), root: site.path, dispose: () => site.dispose() }
})

/** True when O_DIRECT is in force: the kernel tells the flags of a descriptor in octal. */
function isDirect(file: number): boolean {
  const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'latin1'))!
  return (Number.parseInt(flags!, 8) & O_DIRECT) !== 0
}

test('stays direct over aligned transfers, from shared memory too', () => {
  using site = new TemporaryDirectory()
  const fs = new NodeFs()
  const file = fs.open(site.join('a'), 'create', { direct: true })
  const atFirst = isDirect(file)
  const shared = alignedSharedBuffer(3 * 4096)
  shared.fill(7)
  fs.write(file, shared.subarray(4096), 4096)
  const target = alignedBuffer(4 * 4096)
  expect(fs.read(file, target, 0)).toBe(3 * 4096)
  expect(target.subarray(4096, 3 * 4096).equals(Buffer.alloc(2 * 4096, 7))).toBe(true)
  expect(isDirect(file)).toBe(atFirst)
  fs.close(file)
})

test('falls back to the page cache when a direct transfer is not aligned', () => {
  using site = new TemporaryDirectory()
  const fs = new NodeFs()
  const file = fs.open(site.join('a'), 'create', { direct: true })
  fs.write(file, alignedBuffer(4096), 0)
  fs.write(file, Buffer.from('odd'), 4097)
  const target = Buffer.alloc(5)
  expect(fs.read(file, target, 4096)).toBe(4)
  expect(target.toString('latin1', 0, 4)).toBe('\0odd')
  fs.close(file)
})

test('a lock keeps another process out', () => {
  using site = new TemporaryDirectory()
  const fs = new NodeFs()
  const path = site.join('lock')
  const file = fs.open(path, 'create')
  expect(fs.tryLock(file)).toBe(true)
  const script = `
    import { NodeFs } from '${new URL('node-fs.ts', import.meta.url).href}'
    const fs = new NodeFs()
    process.stdout.write(String(fs.tryLock(fs.open('${path}', 'readWrite'))))`
  const run = () => execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString()
  expect(run()).toBe('false')
  fs.close(file)
  expect(run()).toBe('true')
})

// Goal: a failed fsync is never believed later. Method: /dev/full accepts no byte, and fsync of
// a pipe-like device answers EINVAL.
test('answers the first error again when fsync has failed once', () => {
  const fs = new NodeFs()
  const file = fs.open('/dev/full', 'readWrite')
  const sync = () => fs.dataSync(file)
  expect(sync).toThrow(expect.objectContaining({ code: 'FS_IO' }))
  expect(sync).toThrow(expect.objectContaining({ code: 'FS_IO' }))
  expect(() => fs.write(file, Buffer.alloc(1), 0)).toThrow(
    expect.objectContaining({
      code: 'FS_NO_SPACE',
      details: { errno: 'ENOSPC', path: '/dev/full' },
      message: 'write /dev/full: no space left on device',
    }),
  )
  fs.close(file)
})
