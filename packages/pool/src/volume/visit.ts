/**
 * Visits every chunk of a volume snapshot, those of its base included: for garbage collection,
 * fsck and the closure check. Subtrees entered before are skipped; what is visited is checked
 * against the counts above it.
 */
import { type ChunkSource, ChunkType } from '../chunk/chunk.ts'
import { type TreeVisitor, visitTree } from '../tree/visit.ts'
import { EntryState, invalidVolume, type MapEntry, MapNode, NODE_ENTRIES } from './node.ts'
import { readVolumeRoot, type VolumeRoot } from './root.ts'

/**
 * @returns the root, and how many references the whole snapshot holds (data, nodes, root, base),
 *   skipped ones included: the count that the log states
 * @throws MaasError VOLUME_INVALID, TREE_INVALID, CHUNK_MISSING…
 */
export function visitVolume(
  source: ChunkSource,
  rootId: Buffer,
  visitor: TreeVisitor,
): { root: VolumeRoot; chunkCount: number } {
  const root = readVolumeRoot(source, rootId)
  const entered = visitor.enter(rootId, ChunkType.volumeMap)
  // The base is visited even when the root was seen before: it skips by itself.
  const base = root.base === undefined ? 0 : visitTree(source, root.base.root, visitor).chunkCount
  if (entered) visitEntry(source, visitor, root.top, root.level)
  const { chunks = 0, nodes = 0 } = root.top.counts ?? {}
  return { root, chunkCount: 1 + chunks + nodes + base }
}

/** Depth is at most three. */
function visitEntry(
  source: ChunkSource,
  visitor: TreeVisitor,
  entry: MapEntry,
  level: number,
): void {
  if (entry.state !== EntryState.chunk) return
  const id = entry.id!
  if (!visitor.enter(id, ChunkType.volumeMap)) return
  const node = MapNode.decode(source.read(id), level)
  const totals = node.totals()
  const { chunks, nodes } = entry.counts!
  if (totals.chunks !== chunks || totals.nodes + 1 !== nodes) {
    throw invalidVolume('a node does not hold what its parent says')
  }
  for (let i = 0; i < NODE_ENTRIES; i += 1) {
    if (node.state(i) !== EntryState.chunk) continue
    if (level === 0) visitor.leaf(Buffer.from(node.id(i)), ChunkType.data)
    else visitEntry(source, visitor, node.entry(i), level - 1)
  }
}
