import { mkdirSync, writeFileSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { checkMountPoint, prepareMountPoint } from './mount-point.ts'

test('a disk is mounted on an empty directory, or on one that is made', () => {
  using site = new TemporaryDirectory()
  mkdirSync(site.join('empty'))
  checkMountPoint(site.join('empty'))
  checkMountPoint(site.join('to/be/made'))
  prepareMountPoint(site.join('to/be/made'))
  prepareMountPoint(site.join('to/be/made'))
})

test('a disk hides nothing: no files, no other disk', () => {
  using site = new TemporaryDirectory()
  writeFileSync(site.join('file'), '')
  const taken = (why: string): unknown =>
    expect.objectContaining({ code: 'FS_EXISTS', message: expect.stringContaining(why) as unknown })
  expect(() => checkMountPoint(site.path)).toThrowError(taken('not empty'))
  expect(() => checkMountPoint(site.join('file'))).toThrowError(taken('not a directory'))
  expect(() => checkMountPoint('/proc')).toThrowError(taken('mounted already'))
})

test('where no directory can be made, the file system says so', () => {
  using site = new TemporaryDirectory()
  writeFileSync(site.join('file'), '')
  const refused = expect.objectContaining({ code: 'FS_NOT_FOUND' }) as unknown
  expect(() => prepareMountPoint(site.join('file/below'))).toThrowError(refused)
})
