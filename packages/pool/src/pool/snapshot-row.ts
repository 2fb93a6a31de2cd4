/** A snapshot of the log in the shape that the rest of the product sees. */
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { SnapshotState } from './state.ts'
import type { SnapshotRow } from './types.ts'

export function snapshotRow(state: SnapshotState): SnapshotRow {
  return {
    id: state.id as SnapshotId,
    kind: state.kind,
    root: state.root,
    manifestChunk: state.manifestChunk,
    createdAt: new Date(state.createdAtMs),
    chunkCount: state.chunkCount,
    seq: state.sequence,
    ...(state.parent === undefined ? {} : { parent: state.parent as SnapshotId }),
    ...(state.lockUntil === undefined ? {} : { lockUntil: state.lockUntil }),
  }
}
