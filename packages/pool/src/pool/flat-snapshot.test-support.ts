/**
 * The simplest kind of snapshot: a root chunk that is the ids of all others. For the tests and the
 * simulator of the pool, which ask about packs, log and collection, not about trees.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { ChunkType } from '../chunk/chunk.ts'
import type { ChunkSink } from '../chunk/chunk.ts'
import type { SnapshotVisitor, SnapshotVisitors } from '../gc/visitors.ts'
import type { SnapshotManifest } from './types.ts'

const ID_SIZE = 32

export const visitFlat: SnapshotVisitor = (source, root, visitor) => {
  const ids = source.read(root)
  if (ids.length % ID_SIZE !== 0) throw new MaasError('TREE_INVALID', 'not a list of ids')
  const count = ids.length / ID_SIZE
  if (visitor.enter(root, ChunkType.treeNode, { kind: 'treeRoot' })) {
    for (let i = 0; i < count; i += 1) {
      visitor.leaf(Buffer.from(ids.subarray(i * ID_SIZE, (i + 1) * ID_SIZE)), ChunkType.data)
    }
  }
  return { chunkCount: count + 1 }
}

export const FLAT_VISITORS: SnapshotVisitors = { tree: visitFlat, volume: visitFlat }

/** Puts the chunks and the root. @returns the manifest to commit, and the ids */
export function putFlat(
  sink: ChunkSink,
  chunks: readonly Buffer[],
  name = 'flat',
): { manifest: SnapshotManifest; ids: Buffer[] } {
  const ids = chunks.map((raw) => sink.put(ChunkType.data, raw))
  return { manifest: flatManifest(sink, ids, name), ids }
}

/** The root over ids that are in the pool already. */
export function flatManifest(
  sink: ChunkSink,
  ids: readonly Buffer[],
  name = 'flat',
): SnapshotManifest {
  const root = sink.put(ChunkType.treeNode, Buffer.concat(ids))
  return {
    kind: 'tree',
    source: { name, host: 'simulated', path: `/${name}` },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:01.000Z',
    root: root.toString('hex'),
    summary: { chunks: ids.length, nodes: 1 },
    status: 'complete',
  }
}
