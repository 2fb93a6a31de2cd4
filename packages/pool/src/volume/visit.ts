/**
 * Visits every chunk of a volume snapshot, those of its base included: for garbage collection,
 * fsck and the closure check. Subtrees entered before are skipped; what is visited is checked
 * against the counts above it.
 */
import { type ChunkSource, ChunkType } from '../chunk/chunk.ts'
import { type TreeVisitor, visitTree } from '../tree/visit.ts'
import { EntryState, invalidVolume, type MapEntry, MapNode, NODE_ENTRIES } from './node.ts'
import { decodeVolumeRoot, readVolumeRoot, type VolumeRoot } from './root.ts'

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
  const entered = visitor.enter(rootId, ChunkType.volumeMap, { kind: 'volumeRoot' })
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
  if (!visitor.enter(id, ChunkType.volumeMap, { kind: 'map', level, ...entry.counts! })) return
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

/** A map node below another, or below the root, as its parent speaks of it. */
export interface MapReference {
  readonly kind: 'map'
  readonly id: Buffer
  readonly level: number
  readonly chunks: number
  readonly nodes: number
}

/**
 * What stands directly below one chunk of a volume, unchecked; data chunks go to the visitor.
 *
 * @returns the map nodes below, and the root of the base tree
 * @throws MaasError VOLUME_INVALID when the bytes are of another kind
 */
export function volumeReferences(
  kind: 'volumeRoot' | 'map',
  bytes: Buffer,
  visitor: Pick<TreeVisitor, 'leaf'>,
): { readonly nodes: MapReference[]; readonly base: Buffer | undefined } {
  if (kind === 'volumeRoot') {
    const { top, level, base } = decodeVolumeRoot(bytes)
    const below = top.state === EntryState.chunk
    const nodes = below ? [{ kind: 'map' as const, id: top.id!, level, ...top.counts! }] : []
    return { nodes, base: base?.root }
  }
  if (bytes.length < 6) throw invalidVolume('a node is too short')
  const node = MapNode.decode(bytes, bytes.readUInt8(5))
  const nodes: MapReference[] = []
  for (let i = 0; i < NODE_ENTRIES; i += 1) {
    if (node.state(i) !== EntryState.chunk) continue
    const id = Buffer.from(node.id(i))
    if (node.level === 0) visitor.leaf(id, ChunkType.data)
    else nodes.push({ kind: 'map', id, level: node.level - 1, ...node.counts(i) })
  }
  return { nodes, base: undefined }
}
