/** What other programs make of the view: e2fsck, the kernel, rsync. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { constants } from 'node:fs'
import { SeededRandom } from '@openmaas/kernel/random'
import { DirectoryBuilder, directoryRef } from '@openmaas/pool/tree/directory-builder'
import { readContent } from '@openmaas/pool/tree/content'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { writeTreeRoot } from '@openmaas/pool/tree/root'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { describe, expect, test } from 'vitest'
import { snapshotDirectory, toStat } from './directory-snapshot.test-support.ts'
import { Ext4View } from './ext4-view.ts'
import { checkImage, withMount, writeImage } from './mounted-image.test-support.ts'
import { plainStat, RandomTree } from './random-tree.test-support.ts'

const PROGRAMS = ['e2fsck', 'mount', 'umount', 'rsync', 'getfattr', 'setfattr', 'setfacl', 'mkfifo']
const MIB = 2 ** 20

function makeImage(site: TemporaryDirectory, chunks: MemoryChunks, id: Buffer): string {
  const image = site.join('image')
  writeImage(new Ext4View(chunks, id), image)
  expect(checkImage(image)).toMatchObject({ code: 0 })
  return image
}

/** Every kind of thing a directory can hold, at the sizes where something changes. */
function makeFixture(root: string): void {
  const path = (...names: readonly string[]) => [root, ...names].join('/')
  const run = (program: string, ...args: readonly string[]) => execFileSync(program, args)
  mkdirSync(root)
  const random = new SeededRandom(1).bytes(MIB + 1)
  for (const size of [0, 1, 4095, 4096, 4097, 100_001]) {
    writeFileSync(path(`size-${size}`), random.subarray(0, size))
  }
  const large = openSync(path('large'), 'w') // One byte over what a single extent maps.
  for (let i = 0; i < 128; i += 1) writeSync(large, random, 0, MIB, i * MIB)
  ftruncateSync(large, 128 * MIB + 1)
  closeSync(large)
  const sparse = openSync(path('sparse'), 'w')
  writeSync(sparse, 'middle', 3 * 2 ** 27)
  ftruncateSync(sparse, 5 * 2 ** 27 + 17)
  closeSync(sparse)

  mkdirSync(path('empty'))
  let deep = path('deep')
  mkdirSync(deep)
  for (let i = 0; i < 130; i += 1) mkdirSync((deep = `${deep}/level-${i}`))
  writeFileSync(`${deep}/bottom`, 'here')
  mkdirSync(path('names'))
  for (let i = 0; i < 100; i += 1) writeFileSync(path('names', `${i + 100}${'n'.repeat(252)}`), '')
  for (const bytes of ['ff fe 80 20 0a', 'e4 b8 ad', '2d 72 66']) {
    const name = Buffer.from(bytes.replaceAll(' ', ''), 'hex')
    writeFileSync(Buffer.concat([Buffer.from(path('names', '')), name]), bytes)
  }
  for (const length of [1, 59, 60, 4000]) symlinkSync('t'.repeat(length), path(`link-${length}`))
  mkdirSync(path('subs'))
  for (let i = 0; i < 300; i += 1) mkdirSync(path('subs', `${i}`))

  run('mkfifo', path('fifo'))
  run('mknod', path('char'), 'c', '1', '3')
  run('mknod', path('block'), 'b', '259', '100000')
  mkdirSync(path('hard'))
  for (const name of ['fifo', 'link-1', 'size-4097', 'char']) {
    linkSync(path(name), path('hard', name))
    linkSync(path(name), path('hard', `${name}-again`))
  }

  mkdirSync(path('attributes'))
  for (const size of [0, 20, 60, 500, 3000]) {
    writeFileSync(path('attributes', `${size}`), 'x')
    run(
      'setfattr',
      '-n',
      'user.value',
      '-v',
      `0x${'ab'.repeat(size)}`,
      path('attributes', `${size}`),
    )
    run('setfattr', '-n', 'trusted.t', '-v', 'secret', path('attributes', `${size}`))
  }
  run('setfattr', '-h', '-n', 'trusted.t', '-v', 'x'.repeat(200), path('link-59'))
  run('setfattr', '-n', 'security.other', '-v', 'label', path('empty'))
  run('setfattr', '-n', 'user.root', '-v', 'x'.repeat(300), root)
  run('setfacl', '-m', 'u:1000:rw,g:2000:r,u:3000000000:r', path('size-4095'))
  run('setfacl', '-d', '-m', 'u:1000:rwx,g:2000:rx', path('attributes'))

  chmodSync(path('size-1'), 0o6751)
  chownSync(path('size-4096'), 70_000, 3_000_000_000)
  utimesSync(path('size-0'), -1e9, -1e9)
  utimesSync(path('size-1'), 5e9, 5e9 + 0.5)
}

/** The kernel's own writes on top: everything that touches what the view has laid out. */
function changeEverything(path: string): void {
  const names = readdirSync(`${path}/names`, { encoding: 'buffer' })
  for (const [i, name] of names.entries()) {
    if (i % 2 === 0) rmSync(Buffer.concat([Buffer.from(`${path}/names/`), name]))
  }
  for (let i = 0; i < 3_000; i += 1) writeFileSync(`${path}/names/new-${i}`, 'x'.repeat(i % 500))
  const large = openSync(`${path}/large`, 'r+')
  writeSync(large, Buffer.alloc(MIB, 0x7a), 0, MIB, 77_777_777)
  closeSync(large)
  truncateSync(`${path}/sparse`, 3 * 2 ** 27 + 3)
  truncateSync(`${path}/size-0`, 9_999)
  rmSync(`${path}/deep`, { recursive: true })
  rmSync(`${path}/subs`, { recursive: true })
  renameSync(`${path}/hard/char`, `${path}/moved`)
  rmSync(`${path}/hard/fifo`)
  execFileSync('setfattr', ['-n', 'user.new', '-v', 'x'.repeat(900), `${path}/attributes/20`])
  execFileSync('setfattr', ['-x', 'user.value', `${path}/attributes/500`])
  execFileSync('setfacl', ['-b', `${path}/size-4095`])
  mkdirSync(`${path}/brand/new/directory`, { recursive: true })
}

/** Compares what the kernel shows with what the tree says. */
function compareMounted(reader: TreeReader, mount: string, message: string): void {
  const prefix = Buffer.from(`${mount}/`)
  const inodes = new Map<string, bigint>()
  for (const { path, entry } of reader.walk()) {
    const full = Buffer.concat([prefix, path])
    const what = `${message} ${path.toString('latin1')}`
    const stats = lstatSync(full, { bigint: true })
    const found = toStat(stats)
    const wanted = reader.resolve(entry)
    const { mode, uid, gid, mtimeSec, mtimeNs, ctimeSec, ctimeNs } = wanted
    expect(found, what).toMatchObject({ mode, uid, gid, mtimeSec, mtimeNs, ctimeSec, ctimeNs })
    if (entry.kind === ENTRY_KIND.hardLink) {
      const key = entry.linkKey!.toString('hex')
      expect(stats.ino, what).toBe(inodes.get(key) ?? stats.ino)
      inodes.set(key, stats.ino)
      expect(found.nlink, what).toBe(wanted.nlink)
    }
    if (stats.isFile()) {
      const content = Buffer.alloc(wanted.size)
      readContent(reader.source, wanted, 0, content)
      expect(readFileSync(full).equals(content), what).toBe(true)
    } else if (stats.isSymbolicLink()) {
      expect(readlinkSync(full, { encoding: 'buffer' }).equals(wanted.target!), what).toBe(true)
    } else if (stats.isDirectory()) {
      expect(readdirSync(full).length, what).toBe(entry.directory!.entryCount)
    }
  }
}

requires({ programs: PROGRAMS, paths: ['/dev/loop-control'], root: true, linux: true }, () => {
  describe('the ext4 view under Linux', () => {
    test('is clean and identical for every kind of entry, and takes writes in a copy', () => {
      using site = new TemporaryDirectory()
      const source = site.join('source')
      makeFixture(source)
      const chunks = new MemoryChunks()
      const image = makeImage(site, chunks, snapshotDirectory(chunks, source))
      const copy = site.join('copy')
      copyFileSync(image, copy, constants.COPYFILE_FICLONE)
      withMount(site, image, { write: false }, (mount) => {
        const changes = execFileSync(
          'rsync',
          [
            '-aHAXn',
            '--checksum',
            '--itemize-changes',
            '--numeric-ids',
            '--delete',
            `${source}/`,
            `${mount}/`,
          ],
          { encoding: 'utf8' },
        )
        expect(changes).toBe('')
      })
      withMount(site, copy, { write: true }, changeEverything)
      expect(checkImage(copy)).toMatchObject({ code: 0 })
    }, 300_000)

    test('shows random trees as they are', () => {
      for (const seed of [11, 12, 13]) {
        using site = new TemporaryDirectory({ inMemory: true })
        const chunks = new MemoryChunks()
        const id = new RandomTree(chunks, new SeededRandom(seed)).write()
        const image = makeImage(site, chunks, id)
        withMount(site, image, { write: false }, (mount) => {
          compareMounted(new TreeReader(chunks, id), mount, `seed ${seed}`)
        })
      }
    }, 300_000)

    test('finds any of 200,000 names, in a directory that then takes more', () => {
      using site = new TemporaryDirectory({ inMemory: true })
      const chunks = new MemoryChunks()
      const builder = new DirectoryBuilder(chunks)
      const name = (i: number) => `n${String(i).padStart(6, '0')}-\u00e9${'x'.repeat(i % 37)}`
      for (let i = 0; i < 200_000; i += 1) {
        builder.addFile(Buffer.from(name(i)), plainStat(0o100644, { mtimeSec: i }), undefined)
      }
      const directory = directoryRef(builder.finish(), [])
      const stat = plainStat(0o040755)
      const id = writeTreeRoot(chunks, { stat, directory, xattrs: [], links: undefined })
      const image = makeImage(site, chunks, id)
      withMount(site, image, { write: true }, (mount) => {
        for (let i = 0; i < 200_000; i += 97) {
          const { mtimeMs } = lstatSync(`${mount}/${name(i)}`)
          expect(Math.floor(mtimeMs)).toBe(i * 1000)
        }
        expect(readdirSync(mount).length).toBe(200_000)
        for (let i = 0; i < 20_000; i += 1) writeFileSync(`${mount}/more-${i}`, '')
        for (let i = 0; i < 200_000; i += 10) rmSync(`${mount}/${name(i)}`)
      })
      expect(checkImage(image)).toMatchObject({ code: 0 })
    }, 300_000)

    test('counts more than 65,000 subdirectories as ext4 does', () => {
      using site = new TemporaryDirectory({ inMemory: true })
      const chunks = new MemoryChunks()
      const empty = directoryRef(new DirectoryBuilder(chunks).finish(), [])
      const builder = new DirectoryBuilder(chunks)
      for (let i = 0; i < 65_100; i += 1) {
        builder.addDirectory(Buffer.from(String(i).padStart(6, '0')), plainStat(0o040755), empty)
      }
      const directory = directoryRef(builder.finish(), [])
      const stat = plainStat(0o040755)
      const id = writeTreeRoot(chunks, { stat, directory, xattrs: [], links: undefined })
      const image = makeImage(site, chunks, id)
      withMount(site, image, { write: false }, (mount) => {
        expect(lstatSync(mount).nlink).toBe(1)
        expect(readdirSync(mount).length).toBe(65_100)
      })
    }, 300_000)

    test('holds a sparse file of 5 GiB', () => {
      using site = new TemporaryDirectory({ inMemory: true })
      const source = site.join('source')
      mkdirSync(source)
      const file = openSync(`${source}/sparse`, 'w')
      writeSync(file, 'middle', 3 * 2 ** 30)
      ftruncateSync(file, 5 * 2 ** 30 + 17)
      closeSync(file)
      const chunks = new MemoryChunks()
      const image = makeImage(site, chunks, snapshotDirectory(chunks, source))
      withMount(site, image, { write: false }, (mount) => {
        expect(lstatSync(`${mount}/sparse`).size).toBe(5 * 2 ** 30 + 17)
        const opened = openSync(`${mount}/sparse`, 'r')
        const bytes = Buffer.alloc(20)
        readSync(opened, bytes, 0, 20, 3 * 2 ** 30 - 4)
        expect(bytes.toString('latin1')).toBe('\0\0\0\0middle\0\0\0\0\0\0\0\0\0\0')
        closeSync(opened)
      })
    }, 300_000)
  })
})
