/**
 * Walks snapshots from their manifests down and marks where their chunks lie. Any error ends the
 * walk: what was not read whole must never decide what is deleted (POOL.md, section 4).
 */
import { MaasError } from '@openmaas/kernel/errors'
import { PackStatus } from '../index/pack-table.ts'
import type { PoolCore } from '../pool/core.ts'
import type { ChunkReader } from '../pool/chunk-reader.ts'
import { parseManifest } from '../pool/manifest.ts'
import { snapshotRow } from '../pool/snapshot-row.ts'
import type { SnapshotState } from '../pool/state.ts'
import type { Location } from '../pool/types.ts'
import { Marks } from './marks.ts'
import { SNAPSHOT_VISITORS } from './visitors.ts'

/**
 * Every snapshot that keeps chunks alive: the live ones, those a pin holds, and the parents of
 * open sessions. In order of the log.
 */
export function rootSnapshots(core: PoolCore): SnapshotState[] {
  const { state, sessions } = core
  const roots = new Map([...state.snapshots.values()].map((row) => [row.id, row]))
  for (const row of state.pinnedSnapshots()) roots.set(row.id, row)
  for (const { parent } of sessions.values()) {
    const row = parent === undefined ? undefined : findSnapshot(core, parent)
    if (row !== undefined) roots.set(row.id, row)
  }
  return [...roots.values()].toSorted((a, b) => a.sequence - b.sequence)
}

/** Deleted or not. */
function findSnapshot({ state }: PoolCore, id: string): SnapshotState | undefined {
  return state.snapshots.get(id) ?? state.deletedSnapshots.get(id)
}

export type Locate = (id: Buffer) => Location | undefined

/**
 * The newest live location. Compaction writes chunks anew, so the newest is the one to keep: the
 * older copies of a chunk then become garbage by themselves.
 */
export function newestLocation(core: PoolCore, marks: Marks): Locate {
  const { view } = core.index
  return (id) => {
    let newest = -1
    view.find(id, (packNo) => {
      if (core.packs.status(packNo) !== PackStatus.live || packNo === newest) return false
      if (newest >= 0) marks.supersede(Math.min(newest, packNo))
      newest = Math.max(newest, packNo)
      return false
    })
    return newest < 0 ? undefined : view.find(id, (packNo) => packNo === newest)
  }
}

/** Any live location: for the second, independent traversal. */
export function anyLiveLocation(core: PoolCore): Locate {
  return (id) => core.index.view.lookup(id, 0)
}

export function makeMarks(core: PoolCore): Marks {
  return new Marks((packNo) => core.state.packs.get(packNo)?.recordCount ?? 0)
}

export interface Traversal {
  readonly core: PoolCore
  readonly reader: ChunkReader
  readonly marks: Marks
  readonly locate: Locate
}

/**
 * Marks everything one snapshot refers to. Synchronous.
 * @throws MaasError CHUNK_MISSING, TREE_INVALID…; the marks are then worthless
 */
export function markSnapshot(traversal: Traversal, row: SnapshotState): void {
  const { core, reader, marks, locate } = traversal
  const find = (id: Buffer): Location => {
    const location = locate(id)
    if (location !== undefined) return location
    throw new MaasError('CHUNK_MISSING', 'no live pack holds a chunk of a snapshot', {
      chunkId: id.toString('hex'),
      snapshot: row.id,
    })
  }
  const manifestChunk = Buffer.from(row.manifestChunk, 'hex')
  const root = Buffer.from(row.root, 'hex')
  parseManifest(reader.read(manifestChunk), snapshotRow(row))
  marks.reach(find(manifestChunk))
  const visitors = core.tuning.visitors ?? SNAPSHOT_VISITORS
  const { chunkCount } = visitors[row.kind](reader, root, {
    enter: (id) => marks.enter(find(id)),
    leaf: (id) => marks.reach(find(id)),
  })
  if (chunkCount !== row.chunkCount) {
    throw new MaasError('TREE_INVALID', 'a snapshot does not hold the chunks that the log says', {
      snapshot: row.id,
      expected: row.chunkCount,
      found: chunkCount,
    })
  }
}
