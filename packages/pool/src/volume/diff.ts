/** Where two maps of one geometry differ; equal subtrees are never read. */
import { assert } from '@openmaas/kernel/assert'
import type { ChunkSource } from '../chunk/chunk.ts'
import { EntryState, type MapEntry, MapNode, NODE_ENTRIES } from './node.ts'
import { entryCountOf, readVolumeRoot, type VolumeRoot } from './root.ts'

export interface ChangedRange {
  /** Bytes. */
  readonly offset: number
  readonly length: number
}

/**
 * Ranges whose entries differ, ascending and joined. Content may still be equal where a grain
 * became absent over a base that holds the same.
 *
 * @throws MaasError VOLUME_INVALID, CHUNK_MISSING…
 */
export function* diffVolumes(source: ChunkSource, a: Buffer, b: Buffer): Generator<ChangedRange> {
  const [from, to] = [readVolumeRoot(source, a), readVolumeRoot(source, b)]
  assert(from.grainSize === to.grainSize && from.size === to.size, 'both are of one geometry')
  let pending: ChangedRange | undefined
  for (const range of diffEntries(source, to, from.top, to.top, to.level + 1, 0)) {
    if (pending !== undefined && pending.offset + pending.length === range.offset) {
      pending = { offset: pending.offset, length: pending.length + range.length }
      continue
    }
    if (pending !== undefined) yield pending
    pending = range
  }
  if (pending !== undefined) yield pending
}

/** `level` is that of the place: a node of level n-1 stands in an entry of level n. */
function* diffEntries(
  source: ChunkSource,
  root: VolumeRoot,
  a: MapEntry,
  b: MapEntry,
  level: number,
  index: number,
): Generator<ChangedRange> {
  const uniform = a.state !== EntryState.chunk && b.state !== EntryState.chunk
  if (a.state === b.state && (uniform || a.id!.equals(b.id!))) return
  if (level === 0 || uniform) {
    const span = root.grainSize * NODE_ENTRIES ** level
    const offset = index * span
    yield { offset, length: Math.min(span, root.size - offset) }
    return
  }
  const count = entryCountOf(root, level - 1, index)
  const [left, right] = [a, b].map((entry) => {
    if (entry.state === EntryState.chunk) return MapNode.decode(source.read(entry.id!), level - 1)
    const node = new MapNode(level - 1)
    node.fill(entry.state, count)
    return node
  }) as [MapNode, MapNode]
  for (let i = 0; i < count; i += 1) {
    const [x, y] = [left.entry(i), right.entry(i)]
    yield* diffEntries(source, root, x, y, level - 1, index * NODE_ENTRIES + i)
  }
}
