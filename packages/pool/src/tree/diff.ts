/** What differs between two tree snapshots, at the cost of that: equal nodes are skipped. */
import { ENTRY_KIND } from './entry-layout.ts'
import type { TreeEntry } from './entry.ts'
import type { TreeNodeView } from './node-view.ts'
import { joinPath, type TreeReader } from './tree-reader.ts'

export interface TreeChange {
  readonly path: Buffer
  /**
   * `modified`: type, bytes, link target or device number differ. `metadata`: only owner, mode,
   * times, xattrs or linking do. A change time or inode number alone is no change.
   */
  readonly change: 'added' | 'removed' | 'modified' | 'metadata'
  readonly before: TreeEntry | undefined
  readonly after: TreeEntry | undefined
}

/** Changes from `before` to `after` in the order of their names. @throws MaasError TREE_INVALID… */
export function* diffTrees(before: TreeReader, after: TreeReader): Generator<TreeChange> {
  yield* new TreeDiff(before, after).entries(Buffer.alloc(0), before.rootEntry, after.rootEntry)
}

class TreeDiff {
  readonly #before: TreeReader
  readonly #after: TreeReader

  constructor(before: TreeReader, after: TreeReader) {
    this.#before = before
    this.#after = after
  }

  *entries(path: Buffer, before: TreeEntry, after: TreeEntry): Generator<TreeChange> {
    const change = this.#compare(before, after)
    if (change !== undefined) yield { path, change, before, after }
    const [from, to] = [before.directory, after.directory]
    if (from !== undefined && to !== undefined) {
      // A change of a file with several links shows in the times of each of its names, too.
      if (!from.node.equals(to.node)) yield* this.#directories(path, from.node, to.node)
    } else if (from !== undefined) yield* this.#all('removed', this.#before, before, path)
    else if (to !== undefined) yield* this.#all('added', this.#after, after, path)
  }

  *#directories(path: Buffer, from: Buffer, to: Buffer): Generator<TreeChange> {
    const old = new LeafCursor(this.#before.leaves(from))
    const young = new LeafCursor(this.#after.leaves(to))
    for (;;) {
      while (old.skipEqualLeaf(young));
      const [a, b] = [old.entry, young.entry]
      if (a === undefined && b === undefined) return
      const order = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.name, b.name)
      if (order === 0) {
        if (!a!.raw.equals(b!.raw)) yield* this.entries(joinPath(path, a!.name), a!, b!)
      } else if (order < 0) yield* this.#one('removed', this.#before, a!, path)
      else yield* this.#one('added', this.#after, b!, path)
      if (order <= 0) old.advance()
      if (order >= 0) young.advance()
    }
  }

  *#one(
    change: 'added' | 'removed',
    reader: TreeReader,
    entry: TreeEntry,
    path: Buffer,
  ): Generator<TreeChange> {
    const own = joinPath(path, entry.name)
    yield makeChange(change, own, entry)
    if (entry.directory !== undefined) yield* this.#all(change, reader, entry, own)
  }

  *#all(
    change: 'added' | 'removed',
    reader: TreeReader,
    directory: TreeEntry,
    path: Buffer,
  ): Generator<TreeChange> {
    for (const walked of reader.walk(directory, path)) {
      if (walked.entry !== directory) yield makeChange(change, walked.path, walked.entry)
    }
  }

  #compare(before: TreeEntry, after: TreeEntry): 'modified' | 'metadata' | undefined {
    const linked = (entry: TreeEntry) => entry.kind === ENTRY_KIND.hardLink
    const a = this.#before.resolve(before)
    const b = this.#after.resolve(after)
    if (a.kind !== b.kind) return 'modified'
    if (a.kind === ENTRY_KIND.file && a.size !== b.size) return 'modified'
    if (a.content !== undefined && !a.content.id.equals(b.content!.id)) return 'modified'
    if (a.target !== undefined && !a.target.equals(b.target!)) return 'modified'
    if (a.device?.major !== b.device?.major || a.device?.minor !== b.device?.minor)
      return 'modified'
    const same =
      a.mode === b.mode &&
      a.uid === b.uid &&
      a.gid === b.gid &&
      a.mtimeSec === b.mtimeSec &&
      a.mtimeNs === b.mtimeNs &&
      linked(before) === linked(after) &&
      this.#sameXattrs(a, b)
    return same ? undefined : 'metadata'
  }

  #sameXattrs(a: TreeEntry, b: TreeEntry): boolean {
    const from = this.#before.xattrs(a)
    const to = this.#after.xattrs(b)
    return (
      from.length === to.length &&
      from.every((pair, i) => {
        const other = to[i]!
        return pair.name.equals(other.name) && pair.value.equals(other.value)
      })
    )
  }
}

function makeChange(change: 'added' | 'removed', path: Buffer, entry: TreeEntry): TreeChange {
  const added = change === 'added'
  return { path, change, before: added ? undefined : entry, after: added ? entry : undefined }
}

/** Steps through the entries of a directory, leaf by leaf. */
class LeafCursor {
  readonly #leaves: Generator<TreeNodeView>
  #leaf: TreeNodeView | undefined
  #index = 0

  constructor(leaves: Generator<TreeNodeView>) {
    this.#leaves = leaves
    this.#nextLeaf()
  }

  get entry(): TreeEntry | undefined {
    return this.#leaf?.entryAt(this.#index)
  }

  advance(): void {
    this.#index += 1
    if (this.#leaf !== undefined && this.#index >= this.#leaf.count) this.#nextLeaf()
  }

  /** When both stand at the beginning of leaves of the same bytes, both go behind them. */
  skipEqualLeaf(other: LeafCursor): boolean {
    const [a, b] = [this.#leaf, other.#leaf]
    if (a === undefined || b === undefined || this.#index !== 0 || other.#index !== 0) return false
    if (!a.bytes.equals(b.bytes)) return false
    this.#nextLeaf()
    other.#nextLeaf()
    return true
  }

  #nextLeaf(): void {
    this.#index = 0
    do this.#leaf = this.#leaves.next().value ?? undefined
    while (this.#leaf !== undefined && this.#leaf.count === 0)
  }
}
