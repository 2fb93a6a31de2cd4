/**
 * The root record of a volume snapshot: 128 bytes, docs/formats/volume.md. Its chunk id is the
 * `root` of the snapshot.
 *
 *   0 4 "MVR1"  4 1 version  5 1 level  6 1 top state  7 1 base kind   8 8 size
 *  16 4 grain size  20 4 zero  24 8 chunks  32 8 nodes  40 8 base free bytes + 1  48 16 zero
 *  64 32 top id  96 32 base root
 */
import { assert } from '@openmaas/kernel/assert'
import { KiB, MiB, TiB } from '@openmaas/kernel/units'
import { CHUNK_ID_SIZE, type ChunkSink, type ChunkSource, ChunkType } from '../chunk/chunk.ts'
import {
  EntryState,
  invalidVolume,
  type MapEntry,
  NO_COUNTS,
  NODE_ENTRIES,
  NODE_LEVEL_MAX,
} from './node.ts'

export const VOLUME_SIZE_MAX = 64 * TiB
const GRAIN_SIZE_MIN = 4 * KiB
const GRAIN_SIZE_MAX = 1 * MiB
const ROOT_SIZE = 128
const MAGIC = Buffer.from('MVR1', 'latin1')

/** What shows through where the map is absent. */
export interface VolumeBase {
  readonly kind: 'tree'
  readonly root: Buffer
  /** Option of the ext4 view, which decides its layout; absent is its default. */
  readonly freeBytes?: number
}

export interface VolumeGeometry {
  /** Bytes, a multiple of 512. */
  readonly size: number
  readonly grainSize: number
  readonly base?: VolumeBase | undefined
}

export interface VolumeRoot extends VolumeGeometry {
  readonly level: number
  readonly top: MapEntry
}

/** Grains of the device; the last may be cut. */
export const grainCountOf = ({ size, grainSize }: VolumeGeometry): number =>
  Math.ceil(size / grainSize)

/** Level of the top node. */
export function topLevelOf(geometry: VolumeGeometry): number {
  const grains = grainCountOf(geometry)
  let level = 0
  while (grains > NODE_ENTRIES ** (level + 1)) level += 1
  return level
}

/** Entries of that node that lie in the device, all of them but in the last node of a level. */
export function entryCountOf(geometry: VolumeGeometry, level: number, index: number): number {
  const entries = Math.ceil(grainCountOf(geometry) / NODE_ENTRIES ** level)
  return Math.min(NODE_ENTRIES, entries - index * NODE_ENTRIES)
}

export function geometryValid({ size, grainSize }: VolumeGeometry): boolean {
  const sizeValid = size >= 512 && size <= VOLUME_SIZE_MAX && size % 512 === 0
  const power = (grainSize & (grainSize - 1)) === 0
  const grainValid = power && grainSize >= GRAIN_SIZE_MIN && grainSize <= GRAIN_SIZE_MAX
  return sizeValid && grainValid && topLevelOf({ size, grainSize }) <= NODE_LEVEL_MAX
}

export function putVolumeRoot(sink: ChunkSink, root: VolumeRoot): Buffer {
  return sink.put(ChunkType.volumeMap, encodeVolumeRoot(root))
}

export function encodeVolumeRoot(root: VolumeRoot): Buffer {
  assert(geometryValid(root), 'the geometry is of the format')
  const bytes = Buffer.alloc(ROOT_SIZE)
  const counts = root.top.counts ?? NO_COUNTS
  MAGIC.copy(bytes)
  bytes.writeUInt8(1, 4)
  bytes.writeUInt8(root.level, 5)
  bytes.writeUInt8(root.top.state, 6)
  bytes.writeUInt8(root.base === undefined ? 0 : 1, 7)
  bytes.writeBigUInt64LE(BigInt(root.size), 8)
  bytes.writeUInt32LE(root.grainSize, 16)
  bytes.writeBigUInt64LE(BigInt(counts.chunks), 24)
  bytes.writeBigUInt64LE(BigInt(counts.nodes), 32)
  bytes.writeBigUInt64LE(BigInt((root.base?.freeBytes ?? -1) + 1), 40)
  if (root.top.state === EntryState.chunk) root.top.id!.copy(bytes, 64)
  root.base?.root.copy(bytes, 96)
  return bytes
}

/** @throws MaasError VOLUME_INVALID */
export function decodeVolumeRoot(bytes: Buffer): VolumeRoot {
  if (bytes.length !== ROOT_SIZE) throw invalidVolume('the root is of a wrong length')
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw invalidVolume('unknown magic of the root')
  if (bytes.readUInt8(4) !== 1) throw invalidVolume('unknown version of the root')
  const reserved = [...bytes.subarray(20, 24), ...bytes.subarray(48, 64)]
  if (reserved.some((byte) => byte !== 0)) throw invalidVolume('reserved bytes of the root are set')
  const [level, state, baseKind] = [bytes.readUInt8(5), bytes.readUInt8(6), bytes.readUInt8(7)]
  const size = Number(bytes.readBigUInt64LE(8))
  const grainSize = bytes.readUInt32LE(16)
  if (!geometryValid({ size, grainSize })) throw invalidVolume(`size ${size}, grain ${grainSize}`)
  if (level !== topLevelOf({ size, grainSize })) throw invalidVolume(`level ${level}`)
  if (state > EntryState.chunk || baseKind > 1) throw invalidVolume('unknown state or base')
  const counts = {
    chunks: Number(bytes.readBigUInt64LE(24)),
    nodes: Number(bytes.readBigUInt64LE(32)),
  }
  const id = Buffer.from(bytes.subarray(64, 64 + CHUNK_ID_SIZE))
  const freeBytes = Number(bytes.readBigUInt64LE(40)) - 1
  const baseRoot = Buffer.from(bytes.subarray(96, 96 + CHUNK_ID_SIZE))
  const top: MapEntry =
    state === EntryState.chunk ? { state, id, counts } : { state: state as EntryState }
  const tree = { kind: 'tree' as const, root: baseRoot, ...(freeBytes >= 0 && { freeBytes }) }
  const base = baseKind === 1 ? tree : undefined
  const root = { size, grainSize, level, top, base }
  if (!encodeVolumeRoot(root).equals(bytes)) throw invalidVolume('fields that do not fit together')
  return root
}

/** @throws MaasError VOLUME_INVALID, CHUNK_MISSING… */
export function readVolumeRoot(source: ChunkSource, id: Buffer): VolumeRoot {
  return decodeVolumeRoot(source.read(id))
}
