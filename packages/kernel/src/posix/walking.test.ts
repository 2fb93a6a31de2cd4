/** What a walk over a tree is made of: sorted listings, and opening without following links. */
import fs from 'node:fs'
import { makeAwkwardTree } from '@openmaas/testkit/awkward-tree'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBeneath } from './beneath.ts'
import * as C from './constants.ts'
import { type DirectoryEntry, readDirectory } from './directory.ts'
import { close, openat } from './files.ts'
import { cString, posixAvailable } from './library.ts'
import { listedLength, listedType, listSorted } from './listing.ts'

const title = posixAvailable() ? 'walking' : 'skipped: Linux system calls missing'
describe.skipIf(!posixAvailable())(title, () => {
  let site: TemporaryDirectory
  let root: number
  const open = (name: string) => openat(root, cString(name), C.O_RDONLY)

  beforeAll(() => {
    site = new TemporaryDirectory()
    makeAwkwardTree(site.path)
    root = openat(C.AT_FDCWD, cString(site.path), C.O_RDONLY | C.O_DIRECTORY)
  })
  afterAll(() => {
    close(root)
    site.dispose()
  })

  test.each(['.', 'directory', 'empty-directory'])('lists %s in the order of its bytes', (name) => {
    const [first, second] = [open(name), open(name)]
    const listed = listSorted(first) as string[]
    const oracle = (readDirectory(second) as DirectoryEntry[]).toSorted((a, b) =>
      Buffer.compare(a.name, b.name),
    )
    const decoded = listed.map((one) => ({
      name: Buffer.from(one.slice(0, listedLength(one)), 'latin1'),
      type: listedType(one),
    }))
    expect(decoded).toEqual(oracle.map((entry) => ({ ...entry, name: Buffer.from(entry.name) })))
    expect(listed.every((one) => one.charCodeAt(listedLength(one)) === 0)).toBe(true)
    close(first)
    close(second)
  })

  test('lists nothing of what is no directory', () => {
    const file = open('one-byte')
    expect(listSorted(file)).toBe(-C.E.ENOTDIR)
    close(file)
  })

  test('opens a deep path, and the directory itself by the empty one', () => {
    const path = `deep/${Array.from({ length: 20 }, (_, depth) => depth).join('/')}`
    const file = openBeneath(root, Buffer.from(path), C.O_RDONLY)
    expect(fs.readFileSync(file, 'utf8')).toBe('bottom')
    close(file)
    const again = openBeneath(root, Buffer.alloc(0), C.O_RDONLY | C.O_DIRECTORY)
    expect(fs.fstatSync(again).ino).toBe(fs.statSync(site.path).ino)
    close(again)
  })

  test('follows no link, neither at the end nor on the way, and does not climb', () => {
    const at = (path: string) => openBeneath(root, Buffer.from(path), C.O_RDONLY)
    expect(at('link')).toBe(-C.E.ELOOP)
    expect(at('link-to-itself/one-byte')).toBe(-C.E.ELOOP)
    expect(at('directory/../../etc')).toBe(-C.E.EXDEV)
    expect(at('directory/gone')).toBe(-C.E.ENOENT)
    expect(at('one-byte/gone')).toBe(-C.E.ENOTDIR)
  })
})
