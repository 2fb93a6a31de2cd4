/** When "unchanged" may be said of a file: never on the word of times that cannot tell. */
import { linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { coarseNowMs } from '@openmaas/kernel/posix/coarse-clock'
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { cString, posixAvailable } from '@openmaas/kernel/posix/library'
import { listedType, listSorted } from '@openmaas/kernel/posix/listing'
import { fstatx, STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { Chunker } from '@openmaas/pool/chunker/chunker'
import {
  builtDirectory,
  DirectoryBuilder,
  directoryRef,
  makeLinkKey,
} from '@openmaas/pool/tree/directory-builder'
import { decodeEntry, type TreeEntry } from '@openmaas/pool/tree/entry'
import { encodeEntry } from '@openmaas/pool/tree/entry-encoder'
import { ENTRY_FLAG } from '@openmaas/pool/tree/entry-layout'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { TreeNodeView } from '@openmaas/pool/tree/node-view'
import { writeTreeRoot } from '@openmaas/pool/tree/root'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { ContentCapture } from '@openmaas/source-files/content-capture'
import { type FileStat, makeFileStat, StatxFields } from '@openmaas/source-files/file-stat'
import { settle } from '@openmaas/testkit/settle'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { LaneCounters, makeCounterMemory } from './counters.ts'
import { DirectoryCapture, DT_DIRECTORY } from './directory-capture.ts'
import { FileCapture, isRacy } from './file-capture.ts'
import { CaptureLane } from './lane.ts'
import { makeLargeFileMemory, wantsHelp } from './large-file.ts'
import { LinkCollector } from './link-collector.ts'
import { Warnings } from './warnings.ts'

const chunker = new Chunker(Buffer.alloc(32, 1))
let site: TemporaryDirectory
let chunks: MemoryChunks
let dirfd: number

beforeEach(() => {
  site = new TemporaryDirectory()
  chunks = new MemoryChunks()
  dirfd = openat(AT_FDCWD, cString(site.path), O_RDONLY | O_DIRECTORY)
})
afterEach(() => {
  close(dirfd)
  site.dispose()
})

function statOf(name: string): FileStat {
  const [fields, stat] = [new StatxFields(), makeFileStat()]
  statx(dirfd, cString(name), 0, STATX_BASIC_STATS, fields.bytes)
  fields.fill(stat)
  return stat
}

function makeDeps(old?: TreeReader) {
  const counters = new LaneCounters(makeCounterMemory(1), 0)
  const warnings = new Warnings(counters)
  const content = new ContentCapture(chunks, chunker)
  const files = new FileCapture({ sink: chunks, content, warnings, offer: () => {} })
  return { sink: chunks, files, links: new LinkCollector(), counters, warnings, old }
}

describe.skipIf(!posixAvailable())('the recognition of what is unchanged', () => {
  test('a file that held still only the second time is judged by its second times', async () => {
    writeFileSync(site.join('file'), 'first')
    await settle()
    const stat = statOf('file')
    const deps = makeDeps()
    const put = chunks.put.bind(chunks)
    let puts = 0
    chunks.put = (type, raw) => {
      puts += 1
      if (puts === 1) writeFileSync(site.join('file'), 'other')
      return put(type, raw)
    }
    const captured = deps.files.capture(dirfd, cString('file'), { path: 'file', stat })
    expect(puts).toBe(2)
    // It was written while it was read: a third writing in the same tick would not show.
    expect(captured).toMatchObject({ changed: false, racy: true })
  })

  test.each([
    ['of this tick', 5, true],
    ['of a tick that has passed', 25, false],
    ['finer than a tick that is late', -300, true],
    ['that somebody set ahead', -86_400_000, false],
  ])('a time %s', (_, ageMs, racy) => {
    const nowMs = 1_800_000_000_000
    const changedMs = nowMs - ageMs
    const stat = { ctimeSec: Math.floor(changedMs / 1000), ctimeNs: (changedMs % 1000) * 1e6 + 1 }
    expect(isRacy(stat, nowMs)).toBe(racy)
  })

  test('a link made in this tick is looked at again: the next may have its inode number', () => {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      rmSync(site.join('link'), { force: true })
      const begin = coarseNowMs()
      symlinkSync('target', site.join('link'))
      // A descriptor is listed from where it stands: each attempt has its own.
      const fd = openat(AT_FDCWD, cString(site.path), O_RDONLY | O_DIRECTORY)
      const names = listSorted(fd) as string[]
      const directory = new DirectoryCapture(makeDeps())
      const of = { dirfd: fd, path: '', names, children: [], oldNode: undefined }
      const built = directory.capture(of)
      close(fd)
      expect(names).toHaveLength(1)
      if (coarseNowMs() !== begin) continue // The clock has ticked.
      const [flags] = [new TreeNodeView(chunks.read(built.node)).flagsAt(0)]
      expect(flags! & ENTRY_FLAG.uncertain).not.toBe(0)
      return
    }
    throw new Error('the clock ticked in each of 50 attempts')
  })

  test('the inode of a file with two names is not taken over on the word of the younger name', async () => {
    writeFileSync(site.join('a'), 'young')
    linkSync(site.join('a'), site.join('b'))
    await settle()
    const now = statOf('b')
    // The run before met "a" first, and "b" after the file had been written to.
    const before = { ...now, ctimeSec: now.ctimeSec - 60, mtimeSec: now.mtimeSec - 60 }
    const device = { major: now.deviceMajor, minor: now.deviceMinor }
    const key = makeLinkKey(device, now.inoLow, now.inoHigh)
    const id = chunks.put(ChunkType.data, Buffer.from('stale'))
    const inode = encodeEntry(chunks, (one) => one.addFile(key, before, { kind: 'single', id }))
    const links = new LinkCollector()
    links.add(inode)
    const builder = new DirectoryBuilder(chunks)
    builder.addHardLink(Buffer.from('a'), before, key)
    builder.addHardLink(Buffer.from('b'), now, key)
    const built = builder.finish()
    const directory = directoryRef(built, [])
    const fields = { stat: now, directory, xattrs: [], links: links.write(chunks) }
    const old = new TreeReader(chunks, writeTreeRoot(chunks, fields))
    const deps = makeDeps(old)
    // As a lane sees it that has only the directory of "b".
    const names = (listSorted(dirfd) as string[]).filter((listed) => listed.startsWith('b'))
    const capture = new DirectoryCapture(deps)
    capture.capture({ dirfd, path: '', names, children: [], oldNode: built.node })
    const [arena] = deps.links.batch()
    const { content } = decodeEntry(Buffer.from(arena!), 0)
    expect(chunks.read(content!.id).toString()).toBe('young')
  })

  describe('a directory as a whole', () => {
    /** From its beginning: a directory that stays open is listed once. */
    function list(): string[] {
      const fd = openat(AT_FDCWD, cString(site.path), O_RDONLY | O_DIRECTORY)
      const names = listSorted(fd) as string[]
      close(fd)
      return names.filter((listed) => listedType(listed) !== DT_DIRECTORY)
    }

    /** What a run finds that has the directory of before as its parent's. */
    async function captureTwice(change: () => void) {
      for (const name of ['a', 'b', 'c']) writeFileSync(site.join(name), name.repeat(9))
      symlinkSync('a', site.join('link'))
      await settle()
      const request = (oldEntry?: TreeEntry) => ({
        dirfd,
        path: '',
        names: list(),
        children: [],
        oldNode: oldEntry?.directory!.node,
        oldEntry,
      })
      const first = new DirectoryCapture(makeDeps()).capture(request())
      const fields = { stat: makeFileStat(), directory: directoryRef(first, []), xattrs: [] }
      const root = writeTreeRoot(chunks, { ...fields, links: undefined })
      const old = new TreeReader(chunks, root)
      change()
      await settle()
      const fresh = new DirectoryCapture(makeDeps()).capture(request())
      const put = chunks.put.bind(chunks)
      let puts = 0
      chunks.put = (type, raw) => {
        puts += 1
        return put(type, raw)
      }
      const again = new DirectoryCapture(makeDeps(old)).capture(request(old.rootEntry))
      chunks.put = put
      return { fresh, again, puts }
    }

    test('is its old node, which is not even written again, when nothing changed', async () => {
      const { fresh, again, puts } = await captureTwice(() => {})
      expect(again).toEqual(fresh)
      expect(puts).toBe(0)
    })

    test.each([
      ['the last file is written to', () => writeFileSync(site.join('c'), 'another')],
      ['the first is gone', () => rmSync(site.join('a'))],
      ['the last is gone', () => rmSync(site.join('link'))],
      ['one came before all', () => writeFileSync(site.join('A'), 'new')],
      ['one came behind all', () => writeFileSync(site.join('z'), 'new')],
      ['one took the place of another', () => renameSync(site.join('a'), site.join('d'))],
      ['a file got a second name', () => linkSync(site.join('b'), site.join('b2'))],
      [
        'a file became a directory',
        () => {
          rmSync(site.join('b'))
          mkdirSync(site.join('b'))
        },
      ],
    ] as const)('is captured anew when %s', async (_, change) => {
      const { fresh, again } = await captureTwice(change)
      expect(again).toEqual(fresh)
    })

    test('weighs what it was built of, whatever its attributes', () => {
      const built = (count: number) => {
        const builder = new DirectoryBuilder(chunks)
        for (let i = 0; i < count; i += 1)
          builder.addSocket(Buffer.from(`s${1000 + i}`), makeFileStat())
        return builder.finish()
      }
      for (const count of [0, 1, 700]) {
        for (const size of [0, 10, 600, 9000]) {
          const value = Buffer.alloc(size, 'v')
          const xattrs = size === 0 ? [] : [{ name: Buffer.from('user.x'), value }]
          const one = built(count)
          const name = Buffer.from('d')
          const bytes = encodeEntry(chunks, (builder) =>
            builder.addDirectory(name, makeFileStat(), directoryRef(one, xattrs), { xattrs }),
          )
          expect(builtDirectory(decodeEntry(bytes, 0)), `${count}, ${size}`).toEqual(one)
        }
      }
    })
  })

  test('a lane does not help with a file that has taken the name of the one it was asked for', () => {
    writeFileSync(site.join('file'), 'another file by now')
    const [fields, root] = [new StatxFields(), makeFileStat()]
    fstatx(dirfd, STATX_BASIC_STATS, fields.bytes)
    fields.fill(root)
    const setup = {
      lane: 0,
      path: site.path,
      rules: {},
      parentRoot: undefined,
      skip: [],
      counters: makeCounterMemory(1),
      hungry: new SharedArrayBuffer(8),
    }
    const stored = () => ({ newBytes: 0, storedBytes: 0 })
    const deps = { rootFd: dirfd, sink: chunks, chunker, old: undefined, post: () => {}, stored }
    const lane = new CaptureLane(setup, deps)
    const { size } = statSync(site.join('file'))
    const memory = makeLargeFileMemory(size)
    const offer = { path: 'file', size, fixed: false, sparse: false, memory }
    lane.help({ ...offer, file: root })
    expect(wantsHelp(memory)).toBe(true)
    lane.help({ ...offer, file: statOf('file') })
    expect(wantsHelp(memory)).toBe(false)
  })
})
