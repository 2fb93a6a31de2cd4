import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { makeDirectories } from './make-directories.ts'

test('parents are made, and the first of them is named', () => {
  using site = new TemporaryDirectory()
  expect(makeDirectories(site.join('a/b/c'), 0o700)).toBe(site.join('a'))
  expect(statSync(site.join('a/b/c')).mode & 0o777).toBe(0o700)
  expect(makeDirectories(site.join('a/b/c'))).toBeUndefined()
  expect(makeDirectories(site.join('a/b/d/'))).toBe(site.join('a/b/d/'))
  expect(makeDirectories('/')).toBeUndefined()
})

test('a link to a directory is a directory, a file is not', () => {
  using site = new TemporaryDirectory()
  makeDirectories(site.join('a'))
  symlinkSync('a', site.join('link'))
  writeFileSync(site.join('file'), '')
  expect(makeDirectories(site.join('link'))).toBeUndefined()
  expect(() => makeDirectories(site.join('file'))).toThrow('EEXIST')
  expect(() => makeDirectories(site.join('file/below'))).toThrow('ENOTDIR')
})

const hasProc = existsSync('/proc/self')
test.skipIf(!hasProc)(
  hasProc
    ? 'ends where a file system refuses to make directories at all'
    : 'skipped: /proc missing',
  () => {
    expect(() => makeDirectories('/proc/none/of/this')).toThrow('ENOENT')
  },
)
