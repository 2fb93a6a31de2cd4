/**
 * The order in which a restore goes through a snapshot: the same for every lane, so that lanes
 * share the work by counting alone.
 *
 * Directories are numbered as they are entered. A directory's entries come node by node; behind
 * each node its subdirectories are gone into, and at last the directory is left.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import type { TreeNodeView } from '@openmaas/pool/tree/node-view'
import type { TreeReader } from '@openmaas/pool/tree/tree-reader'

/** One thing to restore and the name it gets in the target; '' puts a directory's entries there. */
export interface RestoreRoot {
  /** The entry's bytes. */
  readonly raw: Uint8Array
  readonly entry: TreeEntry
  /** Bytes as latin1 characters. */
  readonly name: string
}

export interface WalkedDirectory {
  readonly index: number
  /** In the target, bytes as latin1 characters; '' is the target itself. */
  readonly path: string
  /** Undefined for the target when single entries are restored into it. */
  readonly entry: TreeEntry | undefined
}

export type WalkEvent =
  | { readonly kind: 'enter'; readonly directory: WalkedDirectory }
  | { readonly kind: 'entries'; readonly directory: WalkedDirectory; readonly node: TreeNodeView }
  | { readonly kind: 'single'; readonly directory: WalkedDirectory; readonly root: RestoreRoot }
  | { readonly kind: 'leave'; readonly directory: WalkedDirectory }

export const joinName = (path: string, name: string): string =>
  path === '' ? name : `${path}/${name}`

/**
 * A name of the snapshot as a system call takes it: NUL-terminated, and of one entry of one
 * directory. A snapshot is data: it must not say where it is written to.
 *
 * @throws MaasError RESTORE_ESCAPE
 */
export function plainName(name: Buffer): Buffer {
  const { length } = name
  const plain = Buffer.allocUnsafe(length + 1)
  let isPlain = length > 0
  for (let i = 0; i < length; i += 1) {
    const byte = name[i]!
    if (byte === 0x2f || byte === 0) isPlain = false
    plain[i] = byte
  }
  plain[length] = 0
  const isDots = name[0] === 0x2e && (length === 1 || (name[1] === 0x2e && length === 2))
  if (isPlain && !isDots) return plain
  const shown = JSON.stringify(name.toString('utf8'))
  throw new MaasError('RESTORE_ESCAPE', `the point holds ${shown}, which is no name`)
}

interface OpenDirectory {
  readonly directory: WalkedDirectory
  readonly leaves: Iterator<TreeNodeView>
  node: TreeNodeView | undefined
  /** Where in the node to look for the next subdirectory. */
  position: number
}

/** @param only directories: what a walk for them alone need not read, it does not read */
export function* walkRestore(
  reader: TreeReader,
  roots: readonly RestoreRoot[],
  only?: 'directories',
): Generator<WalkEvent> {
  let count = 0
  const target: WalkedDirectory = { index: count, path: '', entry: undefined }
  const whole = roots.length === 1 && roots[0]!.name === '' ? roots[0] : undefined
  if (whole === undefined) {
    count += 1
    yield { kind: 'enter', directory: target }
  }
  for (const root of roots) {
    if (root.entry.kind !== ENTRY_KIND.directory) {
      yield { kind: 'single', directory: target, root }
      continue
    }
    if (root !== whole) plainName(Buffer.from(root.name, 'latin1'))
    const directory = { index: count, path: root.name, entry: root.entry }
    count = yield* walkDirectory(reader, directory, { first: count, only })
  }
  if (whole === undefined) yield { kind: 'leave', directory: target }
}

/** @returns the number of the next directory */
function* walkDirectory(
  reader: TreeReader,
  top: WalkedDirectory,
  { first, only }: { readonly first: number; readonly only: 'directories' | undefined },
): Generator<WalkEvent, number> {
  let count = first + 1
  const open = (directory: WalkedDirectory): OpenDirectory => {
    const { node: root, subdirectoryCount } = directory.entry!.directory!
    const isBottom = only === 'directories' && subdirectoryCount === 0
    const leaves: Iterator<TreeNodeView> = isBottom ? [].values() : reader.leaves(root)
    return { directory, leaves, node: undefined, position: 0 }
  }
  yield { kind: 'enter', directory: top }
  const stack = [open(top)]
  while (stack.length > 0) {
    const here = stack.at(-1)!
    const { directory } = here
    const index = nextSubdirectory(here)
    if (index >= 0) {
      const entry = here.node!.entryAt(index)
      plainName(entry.name)
      const path = joinName(directory.path, entry.name.toString('latin1'))
      const below = { index: count, path, entry }
      count += 1
      yield { kind: 'enter', directory: below }
      stack.push(open(below))
      continue
    }
    here.node = here.leaves.next().value as TreeNodeView | undefined
    here.position = 0
    if (here.node !== undefined) {
      yield { kind: 'entries', directory, node: here.node }
      continue
    }
    stack.pop()
    yield { kind: 'leave', directory }
  }
  return count
}

function nextSubdirectory(here: OpenDirectory): number {
  const { node } = here
  if (node === undefined) return -1
  for (let i = here.position; i < node.count; i += 1) {
    if (node.kindAt(i) !== ENTRY_KIND.directory) continue
    here.position = i + 1
    return i
  }
  here.position = node.count
  return -1
}

/** Files of at least this size are restored by all lanes together, after the others. */
export const LARGE_FILE_SIZE_MIN = 64 << 20
/** Content of one unit, so that lanes end at about the same time. */
const UNIT_BYTES_MAX = 16 << 20
/** Entries of one unit. */
const UNIT_ENTRIES_MAX = 256

/** A run of entries that one lane restores. */
export interface RestoreUnit {
  readonly number: number
  readonly directory: WalkedDirectory
  readonly node: TreeNodeView | undefined
  readonly begin: number
  readonly end: number
  readonly root: RestoreRoot | undefined
}

/** Cuts the walk into units; every lane numbers them alike. */
export function* restoreUnits(
  reader: TreeReader,
  roots: readonly RestoreRoot[],
): Generator<RestoreUnit> {
  let number = 0
  for (const event of walkRestore(reader, roots)) {
    if (event.kind === 'single') {
      const { directory, root } = event
      yield { number, directory, node: undefined, begin: 0, end: 1, root }
      number += 1
    } else if (event.kind === 'entries') {
      const { directory, node } = event
      for (let begin = 0; begin < node.count;) {
        const end = unitEnd(node, begin)
        yield { number, directory, node, begin, end, root: undefined }
        number += 1
        begin = end
      }
    }
  }
}

function unitEnd(node: TreeNodeView, begin: number): number {
  let bytes = 0
  let i = begin
  while (i < node.count && i - begin < UNIT_ENTRIES_MAX) {
    if (node.kindAt(i) === ENTRY_KIND.file) {
      const size = node.sizeAt(i)
      if (size < LARGE_FILE_SIZE_MIN) bytes += size
      if (bytes > UNIT_BYTES_MAX && i > begin) break
    }
    i += 1
  }
  return i
}
