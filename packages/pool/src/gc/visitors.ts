/** Which function walks which kind of snapshot. The simulator brings its own, simpler kinds. */
import type { ChunkSource } from '../chunk/chunk.ts'
import type { SnapshotKind } from '../log/types.ts'
import { visitTree } from '../tree/visit.ts'
import type { TreeVisitor } from '../tree/visit.ts'
import { visitVolume } from '../volume/visit.ts'

/**
 * Visits every chunk below a root. Promises: reads what it enters whole and verified, throws when
 * anything is missing or does not add up, and returns the count of references that the log states.
 */
export type SnapshotVisitor = (
  source: ChunkSource,
  root: Buffer,
  visitor: TreeVisitor,
) => { readonly chunkCount: number }

export type SnapshotVisitors = Readonly<Record<SnapshotKind, SnapshotVisitor>>

export const SNAPSHOT_VISITORS: SnapshotVisitors = { tree: visitTree, volume: visitVolume }
