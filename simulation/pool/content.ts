/**
 * The files of the simulated users. A file's bytes follow from a number, so that the oracle keeps
 * numbers and compares bytes. A tree is two levels: directories of files.
 */
import type { ChunkSink, ChunkSource } from '@openmaas/pool/chunk/chunk'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { readContent } from '@openmaas/pool/tree/content'
import { DirectoryBuilder, directoryRef } from '@openmaas/pool/tree/directory-builder'
import type { DirectoryRef, EntryStat } from '@openmaas/pool/tree/entry'
import type { TreeNodeView } from '@openmaas/pool/tree/node-view'
import { decodeTreeRoot, snapshotWeights, writeTreeRoot } from '@openmaas/pool/tree/root'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { SeededRandom } from '@openmaas/kernel/random'

/** File name → content number, by directory name; names sort as they were made. */
export type Tree = ReadonlyMap<string, ReadonlyMap<string, number>>

/** Contents that many snapshots share; higher numbers are used once. */
export const SHARED_CONTENTS = 40

const contents = new Map<number, Buffer>()
/** Bounds the memory of a worker that runs thousands of seeds. */
const CONTENTS_KEPT_MAX = 10_000

export function contentOf(number: number): Buffer {
  const known = contents.get(number)
  if (known !== undefined) return known
  if (contents.size >= CONTENTS_KEPT_MAX) contents.clear()
  const random = new SeededRandom(number + 1)
  const length = 40 + random.below(number % 10 === 0 ? 3000 : 400)
  // Half of it compresses.
  const bytes = number % 2 === 0 ? random.bytes(length) : Buffer.alloc(length, `content ${number} `)
  contents.set(number, bytes)
  return bytes
}

function statOf(mode: number, size: number): EntryStat {
  const times = { mtimeSec: 1_700_000_000, mtimeNs: 5, ctimeSec: 1_700_000_000, ctimeNs: 6 }
  return { mode, uid: 0, gid: 0, nlink: 1, size, inoLow: 7, inoHigh: 0, ...times }
}

export interface WrittenTree {
  /** 64 hex digits. */
  readonly root: string
  readonly chunkCount: number
}

/** What an incremental writer takes over from the parent without looking at its chunks. */
export interface OldTree {
  readonly tree: Tree
  readonly reader: TreeReader
}

export function openOldTree(source: ChunkSource, tree: Tree, root: string): OldTree {
  return { tree, reader: new TreeReader(source, Buffer.from(root, 'hex')) }
}

/** Writes a tree; `turn` is awaited between files. */
export async function writeTree(
  sink: ChunkSink,
  tree: Tree,
  old: OldTree | undefined,
  turn: () => Promise<void>,
): Promise<WrittenTree> {
  const builder = new DirectoryBuilder(sink)
  for (const [name, files] of tree) {
    const oldRoot =
      old === undefined ? undefined : leafOf(old.reader, old.reader.rootEntry.directory)
    const oldFiles = old?.tree.get(name)
    if (oldRoot !== undefined && oldFiles !== undefined && sameFiles(oldFiles, files)) {
      builder.copyUnchanged(oldRoot, oldRoot.indexOf(Buffer.from(name)))
      continue
    }
    const ref = await writeDirectory(sink, files, { name, old }, turn)
    builder.addDirectory(Buffer.from(name), statOf(0o40755, 0), ref)
  }
  const directory = directoryRef(builder.finish(), [])
  let record: Buffer = Buffer.alloc(0)
  const capture: ChunkSink = {
    put(type, raw) {
      record = Buffer.from(raw)
      return sink.put(type, raw)
    },
  }
  const stat = statOf(0o40755, 0)
  const root = writeTreeRoot(capture, { stat, directory, xattrs: [], links: undefined })
  const weights = snapshotWeights(decodeTreeRoot(record))
  return { root: root.toString('hex'), chunkCount: weights.chunks + weights.nodes }
}

async function writeDirectory(
  sink: ChunkSink,
  files: ReadonlyMap<string, number>,
  { name, old }: { name: string; old: OldTree | undefined },
  turn: () => Promise<void>,
): Promise<DirectoryRef> {
  const oldEntry = old?.reader.lookup(Buffer.from(name))
  const oldLeaf = old === undefined ? undefined : leafOf(old.reader, oldEntry?.directory)
  const oldFiles = old?.tree.get(name)
  const builder = new DirectoryBuilder(sink)
  for (const [file, number] of files) {
    if (oldLeaf !== undefined && oldFiles?.get(file) === number) {
      builder.copyUnchanged(oldLeaf, oldLeaf.indexOf(Buffer.from(file)))
      continue
    }
    const bytes = contentOf(number)
    const id = sink.put(ChunkType.data, bytes)
    const content = { kind: 'single', id } as const
    builder.addFile(Buffer.from(file), statOf(0o100644, bytes.length), content)
    await turn()
  }
  return directoryRef(builder.finish(), [])
}

function leafOf(reader: TreeReader, ref: DirectoryRef | undefined): TreeNodeView | undefined {
  if (ref === undefined) return undefined
  const view = reader.node(ref.node)
  return view.isLeaf ? view : undefined
}

function sameFiles(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([name, number]) => b.get(name) === number)
}

/**
 * Compares a stored tree with what was written: every name, every byte.
 * @throws Error when they differ; MaasError when it cannot be read
 */
export function* verifyTree(source: ChunkSource, root: string, tree: Tree): Generator<void> {
  const reader = new TreeReader(source, Buffer.from(root, 'hex'))
  const directories = [...reader.list(reader.rootEntry)]
  expectNames(directories, [...tree.keys()])
  for (const directory of directories) {
    const files = tree.get(directory.name.toString())!
    const entries = [...reader.list(directory)]
    expectNames(entries, [...files.keys()])
    for (const entry of entries) {
      const expected = contentOf(files.get(entry.name.toString())!)
      const bytes = Buffer.alloc(entry.size)
      readContent(source, entry, 0, bytes)
      if (!bytes.equals(expected)) throw new Error(`wrong bytes served for ${entry.name}`)
      yield
    }
  }
}

function expectNames(entries: readonly { name: Buffer }[], names: readonly string[]): void {
  const found = entries.map((entry) => entry.name.toString()).join(' ')
  if (found !== names.join(' ')) throw new Error(`wrong names: ${found}, not ${names.join(' ')}`)
}

/** A first tree, or one that differs a little from the one before. */
export function makeTree(random: SeededRandom, old: Tree | undefined, fresh: () => number): Tree {
  const content = (): number => (random.below(4) === 0 ? fresh() : random.below(SHARED_CONTENTS))
  const tree = new Map<string, Map<string, number>>()
  for (let directory = 0; directory < 3; directory += 1) {
    const name = `d${directory}`
    const before = old?.get(name)
    const files = new Map<string, number>()
    const isUnchanged = before !== undefined && random.below(2) === 0
    for (let file = 0; file < 4; file += 1) {
      const number = before?.get(`f${file}`)
      if (number !== undefined && (isUnchanged || random.below(2) === 0))
        files.set(`f${file}`, number)
      else if (!isUnchanged && random.below(2) === 0) files.set(`f${file}`, content())
    }
    if (random.below(8) > 0) tree.set(name, files)
  }
  return tree
}
