import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { checkMountPoint, prepareMountPoint, removeMountPoint } from './mount-point.ts'

test('a disk is mounted on an empty directory, or on one that is made', () => {
  using site = new TemporaryDirectory()
  mkdirSync(site.join('empty'))
  checkMountPoint(site.join('empty'))
  checkMountPoint(site.join('to/be/made'))
  prepareMountPoint(site.join('to/be/made'), site.path)
  prepareMountPoint(site.join('to/be/made'), site.path)
})

test('the directory that was made goes with the medium, and no other', () => {
  using site = new TemporaryDirectory()
  mkdirSync(site.join('medium'))
  mkdirSync(site.join('theirs'))
  const medium = site.join('medium')
  prepareMountPoint(site.join('theirs'), medium)
  removeMountPoint(site.join('theirs'), medium)
  expect(readdirSync(site.path).toSorted()).toEqual(['medium', 'theirs'])
  prepareMountPoint(site.join('made/ours'), medium)
  // As a resume after a restart does.
  prepareMountPoint(site.join('made/ours'), medium)
  removeMountPoint(site.join('made/ours'), medium)
  expect(readdirSync(site.join('made'))).toEqual([])
  expect(readdirSync(medium)).toEqual([])
  prepareMountPoint(site.join('made/kept'), medium)
  writeFileSync(site.join('made/kept/notes'), '')
  removeMountPoint(site.join('made/kept'), medium)
  expect(readdirSync(site.join('made/kept'))).toEqual(['notes'])
  // What somebody removed meanwhile is gone as wanted.
  prepareMountPoint(site.join('gone'), medium)
  rmdirSync(site.join('gone'))
  removeMountPoint(site.join('gone'), medium)
  expect(readdirSync(medium)).toEqual([])
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
  expect(() => prepareMountPoint(site.join('file/below'), site.path)).toThrowError(refused)
})
