/**
 * Visits every chunk of a tree snapshot: for garbage collection, fsck and the closure check.
 *
 * Chunks that were entered before are skipped with all below them, so that marking many similar
 * snapshots costs what differs. What is visited is checked on the way: the weights that a parent
 * states must be those its child has. Any error ends the visit: a mark from a tree that was not
 * read whole must never be believed (POOL.md, section 4).
 */
import { MaasError } from '@openmaas/kernel/errors'
import { type ChunkSource, ChunkType } from '../chunk/chunk.ts'
import { ContentListView } from './content-list.ts'
import { ownBlocks, type TreeEntry, xattrChunk } from './entry.ts'
import { ENTRY_KIND } from './entry-layout.ts'
import { invalidNode, TreeNodeView } from './node-view.ts'
import { decodeTreeRoot, readTreeRoot, snapshotWeights, type TreeRoot } from './root.ts'
import { readWeights, type Weights, weightsEqual } from './weights.ts'

export interface TreeVisitor {
  /**
   * A chunk with chunks below it. It must return false only when the same id was *entered*
   * before: an id that was only seen as a leaf says nothing about what is below, for a file's
   * bytes may happen to be those of a node.
   *
   * @param claim what its parent says about it; the visit compares it with what it reads
   */
  enter(id: Buffer, type: ChunkType, claim: Claim): boolean
  /** A chunk without chunks below it. */
  leaf(id: Buffer, type: ChunkType): void
}

/** What a parent says about a node of a tree, or about a content list. */
export type TreeReference =
  | {
      readonly kind: 'node'
      readonly id: Buffer
      readonly weights: Weights
      readonly linkTable: boolean
      readonly level: number | undefined
    }
  | {
      readonly kind: 'list'
      readonly id: Buffer
      readonly level: number
      readonly size: number
      readonly chunks: number
    }
type Pending = TreeReference

/** The same for any chunk with chunks below it. Nobody says anything about a root. */
export type Claim =
  | { readonly kind: 'treeRoot' | 'volumeRoot' }
  | TreeReference
  | {
      readonly kind: 'map'
      readonly level: number
      readonly chunks: number
      readonly nodes: number
    }

/**
 * @returns the root and how many references the whole snapshot holds (data, lists, nodes, root),
 *   skipped ones included: the count that the log states
 * @throws MaasError TREE_INVALID, CHUNK_MISSING…
 */
export function visitTree(
  source: ChunkSource,
  rootId: Buffer,
  visitor: TreeVisitor,
): { root: TreeRoot; chunkCount: number } {
  const root = readTreeRoot(source, rootId)
  const total = snapshotWeights(root)
  const result = { root, chunkCount: total.chunks + total.nodes }
  if (!visitor.enter(rootId, ChunkType.treeNode, { kind: 'treeRoot' })) return result
  const pending: Pending[] = []
  rootReferences(root, visitor, pending)
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'node') visitNode(source, next, visitor, pending)
    else visitList(source, next, visitor, pending)
  }
  return result
}

function rootReferences(root: TreeRoot, visitor: LeafVisitor, pending: Pending[]): void {
  visitEntry(root.entry, visitor, pending)
  if (root.links === undefined) return
  const weights = { ...root.links.weights, nodes: root.links.weights.nodes - 1 }
  pending.push({ kind: 'node', id: root.links.node, weights, linkTable: true, level: undefined })
}

type LeafVisitor = Pick<TreeVisitor, 'leaf'>

/**
 * What stands directly below one chunk of a tree, unchecked: its leaves go to the visitor.
 *
 * @throws MaasError TREE_INVALID when the bytes are of another kind
 */
export function treeReferences(
  kind: 'treeRoot' | 'node' | 'link' | 'list',
  bytes: Buffer,
  visitor: LeafVisitor,
): TreeReference[] {
  const found: TreeReference[] = []
  if (kind === 'treeRoot') rootReferences(decodeTreeRoot(bytes), visitor, found)
  else if (kind === 'list') listReferences(new ContentListView(bytes), visitor, found)
  else {
    const view = new TreeNodeView(bytes)
    if (view.linkTable !== (kind === 'link')) throw invalidNode('is of the wrong kind')
    nodeReferences(view, visitor, found)
  }
  return found
}

function nodeReferences(view: TreeNodeView, visitor: LeafVisitor, pending: Pending[]): void {
  for (let i = 0; i < view.count; i += 1) {
    if (view.isLeaf) visitEntry(view.entryAt(i), visitor, pending)
    else {
      const weights = readWeights(view.bytes, view.offsetAt(i) + 40)
      const { linkTable, level } = view
      pending.push({ kind: 'node', id: view.childAt(i), weights, linkTable, level: level - 1 })
    }
  }
}

function listReferences(list: ContentListView, visitor: LeafVisitor, pending: Pending[]): void {
  for (let i = 0; i < list.count; i += 1) {
    if (list.isHoleAt(i)) continue
    const id = list.idAt(i)
    if (list.level === 0) visitor.leaf(id, ChunkType.data)
    else {
      const size = list.endAt(i) - list.startAt(i)
      const chunks = list.chunksAt(i) - 1
      pending.push({ kind: 'list', id, level: list.level - 1, size, chunks })
    }
  }
}

/** Weights of the entries below a directory, without itself and without its first node. */
function weightsBelow(entry: TreeEntry): Weights {
  const { weights } = entry.directory!
  return {
    ...weights,
    names: weights.names - 1,
    directories: weights.directories - 1,
    inodes: weights.inodes - 1,
    blocks: weights.blocks - ownBlocks(entry),
    chunks: weights.chunks - (xattrChunk(entry) === undefined ? 0 : 1),
    nodes: weights.nodes - 1,
  }
}

function visitEntry(entry: TreeEntry, visitor: LeafVisitor, pending: Pending[]): void {
  const xattrs = xattrChunk(entry)
  if (xattrs !== undefined) visitor.leaf(xattrs, ChunkType.contentList)
  if (entry.kind === ENTRY_KIND.directory) {
    const weights = weightsBelow(entry)
    pending.push({
      kind: 'node',
      id: entry.directory!.node,
      weights,
      linkTable: false,
      level: undefined,
    })
  }
  const { content } = entry
  if (content?.kind === 'single') visitor.leaf(content.id, ChunkType.data)
  else if (content?.kind === 'list') {
    const { id, level, chunks } = content
    pending.push({ kind: 'list', id, level, size: entry.size, chunks: chunks - 1 })
  } else if (entry.kind === ENTRY_KIND.file && entry.size > 0) {
    throw invalidNode('holds a file without its content')
  }
}

function visitNode(
  source: ChunkSource,
  place: Pending & { kind: 'node' },
  visitor: TreeVisitor,
  pending: Pending[],
): void {
  const type = place.linkTable ? ChunkType.linkTable : ChunkType.treeNode
  if (!visitor.enter(place.id, type, place)) return
  // A copy: what stands behind the source may reuse its buffer before the pending ids are used.
  const view = new TreeNodeView(Buffer.from(source.read(place.id)))
  if (view.linkTable !== place.linkTable) throw invalidNode('is of the wrong kind')
  if (place.level !== undefined && view.level !== place.level)
    throw invalidNode('has a wrong level')
  if (!weightsEqual(view.totalWeights(), place.weights)) {
    throw invalidNode('does not weigh what its parent says')
  }
  for (let i = 1; i < view.count; i += 1) {
    if (view.compareName(i - 1, view.nameAt(i)) >= 0) throw invalidNode('is not sorted')
  }
  nodeReferences(view, visitor, pending)
}

function visitList(
  source: ChunkSource,
  place: Pending & { kind: 'list' },
  visitor: TreeVisitor,
  pending: Pending[],
): void {
  if (!visitor.enter(place.id, ChunkType.contentList, place)) return
  const list = new ContentListView(Buffer.from(source.read(place.id)))
  const invalid = (what: string) => new MaasError('TREE_INVALID', `a content list ${what}`)
  if (list.level !== place.level) throw invalid('has a wrong level')
  if (list.size !== place.size) throw invalid('is not as long as its parent says')
  let chunks = 0
  for (let i = 0; i < list.count; i += 1) chunks += list.chunksAt(i)
  listReferences(list, visitor, pending)
  if (chunks !== place.chunks) throw invalid('does not hold the chunks its parent says')
}
