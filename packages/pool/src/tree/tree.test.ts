import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkType } from '../chunk/chunk.ts'
import { ContentListBuilder } from './content-list.ts'
import { findExtent, iterateContent, readContent } from './content.ts'
import { diffTrees } from './diff.ts'
import { DirectoryBuilder, directoryRef, makeLinkKey } from './directory-builder.ts'
import { ENTRY_KIND } from './entry-layout.ts'
import { type EntryStat, ownBlocks, type TreeEntry } from './entry.ts'
import { MemoryChunks } from './memory-chunks.test-support.ts'
import { TreeNodeView } from './node-view.ts'
import { writeTreeRoot } from './root.ts'
import { TreeReader } from './tree-reader.ts'
import { visitTree } from './visit.ts'

const DIRECTORY = 0o40755
const stat = (fields: Partial<EntryStat> = {}): EntryStat => ({
  mode: 0o100644,
  uid: 1000,
  gid: 100,
  nlink: 1,
  size: 0,
  inoLow: 77,
  inoHigh: 0,
  mtimeSec: 1_700_000_000,
  mtimeNs: 5,
  ctimeSec: -3,
  ctimeNs: 999_999_999,
  ...fields,
})

/** A tree as plain objects: the slow model of everything below. */
type Model =
  | { kind: 'file'; bytes: Buffer; mode: number }
  | { kind: 'link'; key: number }
  | { kind: 'symlink'; target: Buffer }
  | { kind: 'directory'; entries: Map<string, Model> }

function writeModel(chunks: MemoryChunks, model: Model & { kind: 'directory' }): Buffer {
  const links = new Map<number, number>()
  const build = (directory: Model & { kind: 'directory' }) => {
    const builder = new DirectoryBuilder(chunks)
    const names = [...directory.entries.keys()].map((name) => Buffer.from(name, 'latin1'))
    for (const name of names.toSorted(Buffer.compare)) {
      const entry = directory.entries.get(name.toString('latin1'))!
      if (entry.kind === 'file') {
        const list = new ContentListBuilder(chunks)
        for (let at = 0; at < entry.bytes.length; at += 100) {
          const piece = entry.bytes.subarray(at, at + 100)
          if (piece.every((byte) => byte === 0)) list.addHole(piece.length)
          else list.addChunk(chunks.put(ChunkType.data, piece), piece.length)
        }
        const fields = stat({ size: entry.bytes.length, mode: 0o100000 | entry.mode })
        builder.addFile(name, fields, list.finish())
      } else if (entry.kind === 'symlink') {
        const fields = stat({ mode: 0o120777, size: entry.target.length })
        builder.addSymlink(name, fields, entry.target)
      } else if (entry.kind === 'link') {
        links.set(entry.key, (links.get(entry.key) ?? 0) + 1)
        const key = makeLinkKey({ major: 8, minor: 1 }, entry.key, 0)
        builder.addHardLink(name, stat({ size: entry.key, nlink: 9 }), key)
      } else {
        builder.addDirectory(name, stat({ mode: DIRECTORY }), directoryRef(build(entry), []))
      }
    }
    return builder.finish()
  }
  const built = build(model)
  let linkRef
  if (links.size > 0) {
    const table = new DirectoryBuilder(chunks, { linkTable: true })
    for (const key of [...links.keys()].toSorted((a, b) => a - b)) {
      const name = makeLinkKey({ major: 8, minor: 1 }, key, 0)
      const id = chunks.put(ChunkType.data, Buffer.alloc(key, 7))
      const fields = stat({ size: key, nlink: links.get(key)! })
      table.addFile(name, fields, key === 0 ? undefined : { kind: 'single', id })
    }
    linkRef = table.finish()
  }
  const directory = directoryRef(built, [])
  return writeTreeRoot(chunks, {
    stat: stat({ mode: DIRECTORY }),
    directory,
    xattrs: [],
    links: linkRef,
  })
}

const nameArbitrary = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes.map((b) => (b === 0 || b === 0x2f || b === 0x2e ? 0xfe : b))))
  .map((bytes) => bytes.toString('latin1'))

const { model: modelArbitrary } = fc.letrec<{ model: Model; leaf: Model; directory: Model }>(
  (tie) => ({
    model: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('directory')),
    leaf: fc.oneof(
      fc.record({
        kind: fc.constant('file' as const),
        bytes: fc
          .array(fc.constantFrom(0, 0, 1, 2), { maxLength: 9 })
          .map((fills) =>
            Buffer.concat(fills.map((fill) => Buffer.alloc(fill === 2 ? 37 : 100, fill))),
          ),
        mode: fc.constantFrom(0o644, 0o4755),
      }),
      fc.record({ kind: fc.constant('link' as const), key: fc.integer({ min: 0, max: 5 }) }),
      fc.record({
        kind: fc.constant('symlink' as const),
        target: fc.integer({ min: 1, max: 90 }).map((n) => Buffer.alloc(n, 0x61)),
      }),
    ),
    directory: fc
      .array(fc.tuple(nameArbitrary, tie('model')), { maxLength: 12 })
      .map((pairs) => ({ kind: 'directory' as const, entries: new Map(pairs) })),
  }),
)

const treeArbitrary = fc
  .array(fc.tuple(nameArbitrary, modelArbitrary), { maxLength: 12 })
  .map((pairs): Model & { kind: 'directory' } => ({ kind: 'directory', entries: new Map(pairs) }))

function flatten(model: Model & { kind: 'directory' }, path = ''): Map<string, Model> {
  const all = new Map<string, Model>([[path, model]])
  for (const [name, entry] of model.entries) {
    const below = path === '' ? name : `${path}/${name}`
    if (entry.kind === 'directory') for (const pair of flatten(entry, below)) all.set(...pair)
    else all.set(below, entry)
  }
  return all
}

describe('a tree snapshot', () => {
  test('reads back as the model it was written from', () => {
    fc.assert(
      fc.property(treeArbitrary, (model) => {
        const chunks = new MemoryChunks()
        const reader = new TreeReader(chunks, writeModel(chunks, model))
        const expected = flatten(model)
        const found = [...reader.walk()]
        expect(new Set(found.map(({ path }) => path.toString('latin1')))).toEqual(
          new Set(expected.keys()),
        )
        for (const { path, entry } of found) {
          const want = expected.get(path.toString('latin1'))!
          expect(reader.lookup(path)?.raw.equals(entry.raw)).toBe(true)
          const resolved = reader.resolve(entry)
          if (want.kind === 'file') {
            const target = Buffer.alloc(want.bytes.length)
            expect(readContent(chunks, entry, 0, target)).toBe(want.bytes.length)
            expect(target.equals(want.bytes)).toBe(true)
            expect(entry.mode & 0o7777).toBe(want.mode)
          } else if (want.kind === 'symlink') expect(entry.target!.equals(want.target)).toBe(true)
          else if (want.kind === 'link') expect(resolved.size).toBe(want.key)
          else expect(entry.kind).toBe(ENTRY_KIND.directory)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('finds every inode and block by rank, as a full walk numbers them', () => {
    fc.assert(
      fc.property(treeArbitrary, (model) => {
        const chunks = new MemoryChunks()
        const reader = new TreeReader(chunks, writeModel(chunks, model))
        const order: TreeEntry[] = []
        for (const { entry } of reader.walk()) {
          if (entry.kind !== ENTRY_KIND.hardLink) order.push(entry)
        }
        const { links } = reader.root
        if (links !== undefined) {
          for (const leaf of reader.leaves(links.node)) {
            for (let i = 0; i < leaf.count; i += 1) order.push(leaf.entryAt(i))
          }
        }
        expect(reader.weights.inodes).toBe(order.length)
        let block = 0
        for (const [rank, entry] of order.entries()) {
          const placed = reader.byInode(rank)
          expect(placed.entry.raw.equals(entry.raw)).toBe(true)
          expect([placed.inode, placed.block]).toEqual([rank, block])
          for (let i = 0; i < ownBlocks(entry); i += 1) {
            expect(reader.byBlock(block + i).inode).toBe(rank)
          }
          block += ownBlocks(entry)
          if (entry.kind !== ENTRY_KIND.directory) continue
          for (const child of reader.children(placed)) {
            const same = reader.byInode(child.inode)
            const resolved = reader.resolve(child.entry)
            expect(same.entry.raw.equals(resolved.raw)).toBe(true)
            if (child.entry.kind !== ENTRY_KIND.hardLink) expect(same.parent).toBe(rank)
          }
        }
        expect(reader.weights.blocks).toBe(block)
      }),
      { numRuns: 100 },
    )
  })

  test('is visited whole: every stored chunk, as often as its weights say', () => {
    fc.assert(
      fc.property(treeArbitrary, (model) => {
        const chunks = new MemoryChunks()
        const root = writeModel(chunks, model)
        const seen = new Set<string>()
        let references = 0
        const visit = () =>
          visitTree(chunks, root, {
            enter: (id) => {
              references += 1
              seen.add(id.toString('hex'))
              return true
            },
            leaf: (id) => {
              references += 1
              seen.add(id.toString('hex'))
            },
          })
        expect(visit().chunkCount).toBe(references)
        // Link table files of 0 bytes store an empty chunk that nothing refers to.
        const empty = chunks.put(ChunkType.data, Buffer.alloc(0)).toString('hex')
        expect(seen).toEqual(new Set([...chunks.chunks.keys()].filter((key) => key !== empty)))
        const skipping = visitTree(chunks, root, { enter: () => false, leaf: () => {} })
        expect(skipping.chunkCount).toBe(references)
      }),
      { numRuns: 100 },
    )
  })

  test('differs from another exactly where the models differ', () => {
    fc.assert(
      fc.property(treeArbitrary, treeArbitrary, (a, b) => {
        // Half of the second tree comes from the first, so that there is something to skip.
        const mixed = new Map([...a.entries, ...[...b.entries].slice(0, 4)])
        const second = { kind: 'directory' as const, entries: mixed }
        const chunks = new MemoryChunks()
        const before = new TreeReader(chunks, writeModel(chunks, a))
        const after = new TreeReader(chunks, writeModel(chunks, second))
        const changes = [...diffTrees(before, after)]
        const [from, to] = [flatten(a), flatten(second)]
        const key = (model: Model | undefined) =>
          model === undefined
            ? undefined
            : model.kind === 'directory'
              ? 'directory'
              : JSON.stringify(model)
        const expected = new Set<string>()
        for (const path of new Set([...from.keys(), ...to.keys()])) {
          if (key(from.get(path)) !== key(to.get(path))) expected.add(path)
        }
        expect(new Set(changes.map(({ path }) => path.toString('latin1')))).toEqual(expected)
        expect(changes.length).toBe(expected.size)
      }),
      { numRuns: 200 },
    )
  })
})

describe('a large directory', () => {
  const names = Array.from({ length: 5000 }, (_, i) => `file-${String(i).padStart(5, '0')}`)
  const large = (skip?: number): Model & { kind: 'directory' } => ({
    kind: 'directory',
    entries: new Map(
      names
        .filter((_, i) => i !== skip)
        .map((name, i) => [
          name,
          i % 7 === 0
            ? { kind: 'link', key: i }
            : { kind: 'file', bytes: Buffer.alloc(0), mode: 0o600 },
        ]),
    ),
  })

  test('is found in by name and rank through its interior nodes', () => {
    const chunks = new MemoryChunks()
    const reader = new TreeReader(chunks, writeModel(chunks, large()))
    expect(reader.node(reader.rootEntry.directory!.node).level).toBe(1)
    for (const name of [names[0]!, names[2499]!, names[4999]!]) {
      expect(reader.lookup(Buffer.from(name))!.name.toString()).toBe(name)
    }
    expect(reader.lookup(Buffer.from('file-02500x'))).toBeUndefined()
    expect(reader.lookup(Buffer.from('a'))).toBeUndefined()
    const after = reader.list(reader.rootEntry, Buffer.from('file-02500')).next().value!
    expect(after.name.toString()).toBe('file-02501')
    const placed = [...reader.children(reader.byInode(0))]
    for (const i of [0, 7, 8, 3333, 4999]) {
      expect(reader.resolve(placed[i]!.entry).raw).toEqual(
        reader.byInode(placed[i]!.inode).entry.raw,
      )
    }
  })

  test('without one file shares all leaves but one', () => {
    const chunks = new MemoryChunks()
    const flat = (skip?: number): Model & { kind: 'directory' } => ({
      kind: 'directory',
      entries: new Map(
        names
          .filter((_, i) => i !== skip)
          .map((name) => [name, { kind: 'file', bytes: Buffer.alloc(0), mode: 0o600 }]),
      ),
    })
    const before = new TreeReader(chunks, writeModel(chunks, flat()))
    const stored = chunks.chunks.size
    const after = new TreeReader(chunks, writeModel(chunks, flat(2500)))
    // The leaf, the interior node and the root record.
    expect(chunks.chunks.size - stored).toBeLessThanOrEqual(4)
    const changes = [...diffTrees(before, after)]
    expect(changes.map(({ path, change }) => `${change} ${path}`)).toEqual(['removed file-02500'])
  })
})

describe('an unchanged entry', () => {
  test('is recognised by its stat and copied byte for byte', () => {
    const chunks = new MemoryChunks()
    const content = { kind: 'single', id: Buffer.alloc(32, 9) } as const
    const xattrs = [{ name: Buffer.from('user.a'), value: Buffer.alloc(200, 1) }]
    const fields = stat({ size: 5, inoHigh: 0xffff_ffff })
    const builder = new DirectoryBuilder(chunks)
    builder.addFile(Buffer.from('a'), fields, content, { xattrs })
    const first = builder.finish()
    const view = new TreeNodeView(chunks.read(first.node))
    expect(view.statMatches(0, fields)).toBe(true)
    for (const field of Object.keys(fields) as (keyof EntryStat)[]) {
      if (field === 'nlink') continue
      const changed = { ...fields, [field]: fields[field] + (field === 'inoHigh' ? -1 : 1) }
      expect(view.statMatches(0, changed), field).toBe(false)
    }
    builder.copyUnchanged(view, 0)
    expect(builder.finish()).toEqual(first)
    expect(first.weights.blocks).toBe(2)
  })
})

describe('content lists', () => {
  test('of any length read like the bytes they were made of', () => {
    const chunks = new MemoryChunks()
    const builder = new ContentListBuilder(chunks)
    for (const count of [0, 1, 2, 999, 1000, 1001, 5000]) {
      const pieces: { length: number; id: Buffer | undefined }[] = []
      for (let i = 0; i < count; i += 1) {
        const hole = i % 3 === 1
        const length = hole ? 5_000_000_000 : 1 + (i % 1000)
        const id = hole ? undefined : chunks.put(ChunkType.data, Buffer.alloc(length, i))
        pieces.push({ length, id })
        if (id === undefined) builder.addHole(length)
        else builder.addChunk(id, length)
      }
      const size = builder.size
      const content = builder.finish()
      expect(content?.kind).toBe(count === 0 ? undefined : count === 1 ? 'single' : 'list')
      const extents = [...iterateContent(chunks, { size, content })]
      expect(extents.map(({ length, id }) => ({ length, id: id?.toString('hex') }))).toEqual(
        pieces.map(({ length, id }) => ({ length, id: id?.toString('hex') })),
      )
      for (const extent of extents.slice(-20)) {
        expect(findExtent(chunks, { size, content }, extent.offset)).toEqual(extent)
        const last = extent.offset + extent.length - 1
        expect(findExtent(chunks, { size, content }, last)).toEqual(extent)
        const tail = [...iterateContent(chunks, { size, content }, last)]
        expect(tail[0]).toEqual(extent)
      }
    }
  })
})

// Goal: what stands in pools can be read for ever. A change here is a new version of the format.
describe('the bytes of', () => {
  const hex = (bytes: Buffer) => bytes.toString('hex')

  test('an empty directory are 32', () => {
    const chunks = new MemoryChunks()
    const node = chunks.read(new DirectoryBuilder(chunks).finish().node)
    expect(hex(node)).toBe(`4d544e310100${'00'.repeat(26)}`)
  })

  test('a file entry stand where docs/formats/tree.md says', () => {
    const chunks = new MemoryChunks()
    const builder = new DirectoryBuilder(chunks)
    const content = { kind: 'single', id: Buffer.alloc(32, 0xab) } as const
    builder.addFile(Buffer.from('a'), stat({ size: 5 }), content)
    expect(hex(chunks.read(builder.finish().node))).toBe(
      '4d544e3101000000' +
        '0100000068000000' +
        '00'.repeat(16) + // header
        '68000000' +
        '0100' +
        '01' +
        '01' + // length, name length, kind, flags
        'a4810000' +
        'e8030000' +
        '64000000' +
        '01000000' + // mode, uid, gid, nlink
        '0500000000000000' +
        '4d00000000000000' + // size, inode
        '00f1536500000000' +
        'fdffffffffffffff' + // mtime and ctime, seconds
        '05000000' +
        'ffc99a3b' + // nanoseconds
        '6100000000000000' +
        'ab'.repeat(32),
    )
  })

  test('a content list have ends and a hole bit', () => {
    const chunks = new MemoryChunks()
    const list = new ContentListBuilder(chunks)
    list.addChunk(Buffer.alloc(32, 0x11), 65536)
    list.addHole(0x1_0000_0000)
    const content = list.finish()!
    expect(content).toMatchObject({ kind: 'list', level: 0, chunks: 2 })
    expect(hex(chunks.read(content.id))).toBe(
      '4d434c3101000000' +
        '0200000000000000' +
        '0000010000000000' +
        '11'.repeat(32) +
        '0000010001000080' +
        '00'.repeat(32),
    )
  })

  test('a root record hold the entry at 112', () => {
    const chunks = new MemoryChunks()
    const built = new DirectoryBuilder(chunks).finish()
    const directory = directoryRef(built, [])
    const fields = { stat: stat({ mode: DIRECTORY }), directory, xattrs: [], links: undefined }
    const record = chunks.read(writeTreeRoot(chunks, fields))
    expect(hex(record.subarray(0, 16))).toBe('4d545231' + '0100' + '0100' + 'b8000000' + '00000000')
    expect(hex(record.subarray(16, 112))).toBe('00'.repeat(96))
    expect(hex(record.subarray(112, 120))).toBe('b8000000' + '0100' + '02' + '00')
    expect(record.length).toBe(112 + 184)
  })
})

// Goal: damage is never believed, and never hangs or crashes the reader. Chunk ids catch all of it
// before; these are the checks behind them.
test('a damaged node is refused or reads as other values, but never out of bounds', () => {
  const chunks = new MemoryChunks()
  const builder = new DirectoryBuilder(chunks)
  const xattrs = [{ name: Buffer.from('user.a'), value: Buffer.from('value') }]
  builder.addFile(
    Buffer.from('a'),
    stat({ size: 5 }),
    { kind: 'single', id: Buffer.alloc(32) },
    { xattrs },
  )
  builder.addSymlink(Buffer.from('b'), stat({ mode: 0o120777, size: 3 }), Buffer.from('abc'))
  const node = chunks.read(builder.finish().node)
  let refused = 0
  for (let bit = 0; bit < node.length * 8; bit += 1) {
    const damaged = Buffer.from(node)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    try {
      const view = new TreeNodeView(damaged)
      for (let i = 0; i < view.count; i += 1) view.entryAt(i)
    } catch (error) {
      expect(error, `bit ${bit}`).toMatchObject({ code: 'TREE_INVALID' })
      refused += 1
    }
  }
  expect(refused).toBeGreaterThan(200)
  for (let length = 0; length < node.length; length += 1) {
    expect(() => new TreeNodeView(node.subarray(0, length)), `length ${length}`).toThrowError(
      expect.objectContaining({ code: 'TREE_INVALID' }),
    )
  }
})
