/** What a manifest says of a volume snapshot. */
import type { ChunkSource } from '../chunk/chunk.ts'
import type { SnapshotManifest } from '../pool/types.ts'
import { readTreeRoot, snapshotWeights } from '../tree/root.ts'
import { NO_COUNTS } from './node.ts'
import type { VolumeRoot } from './root.ts'

export type VolumeManifest = Required<Pick<SnapshotManifest, 'kind' | 'summary' | 'volume'>>

/**
 * The fields that follow from the root record. `chunks` and `nodes` of the summary add up to the
 * count of references that a visit finds (visit.ts), the base's included: GC compares them.
 *
 * @param source reads the base tree's root; that tree is in the pool already
 * @throws MaasError TREE_INVALID, CHUNK_MISSING…
 */
export function volumeManifest(source: ChunkSource, root: VolumeRoot): VolumeManifest {
  const { chunks, nodes } = root.top.counts ?? NO_COUNTS
  const { size, grainSize, base } = root
  const own = { bytes: size, storedGrains: chunks }
  const volume = { size, grain: grainSize }
  if (base === undefined) {
    return { kind: 'volume', summary: { ...own, chunks, nodes: nodes + 1 }, volume }
  }
  const below = snapshotWeights(readTreeRoot(source, base.root))
  const summary = { ...own, chunks: chunks + below.chunks, nodes: nodes + 1 + below.nodes }
  return { kind: 'volume', summary, volume: { ...volume, base: base.root.toString('hex') } }
}
