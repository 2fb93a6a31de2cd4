/**
 * What a chunk is: an immutable run of bytes, named by the keyed hash of its content.
 * Formats: docs/formats/pack.md and docs/formats/chunking.md.
 */
import { KiB, MiB } from '@openmaas/kernel/units'

/** Bytes of a chunk id: one BLAKE3 digest. */
export const CHUNK_ID_SIZE = 32

/** Largest raw chunk of any type: bounds every buffer a reader allocates before it trusts. */
export const CHUNK_SIZE_MAX = 1 * MiB

/** Images and volumes are cut at multiples of this, so that a block rewrite changes one chunk. */
export const FIXED_CHUNK_SIZE = 64 * KiB

/** What the bytes of a chunk are. The type is authenticated, but is no part of the id. */
export const ChunkType = {
  data: 1,
  treeNode: 2,
  contentList: 3,
  linkTable: 4,
  volumeMap: 5,
  manifest: 6,
} as const
export type ChunkType = (typeof ChunkType)[keyof typeof ChunkType]

export const CHUNK_TYPE_MAX = 6

export function isChunkType(value: number): value is ChunkType {
  return Number.isInteger(value) && value >= 1 && value <= CHUNK_TYPE_MAX
}

/** Metadata stands apart from data: a walk of a tree then reads few, dense packs. */
export type PackKind = 'data' | 'metadata'

export function packKindOf(type: ChunkType): PackKind {
  return type === ChunkType.data ? 'data' : 'metadata'
}

/** Takes raw bytes and gives their chunk id. The bytes may be reused after the call. */
export interface ChunkSink {
  put(type: ChunkType, raw: Buffer): Buffer
}

/** Gives the verified raw bytes of a chunk. The result must not be changed. */
export interface ChunkSource {
  /** @throws MaasError CHUNK_MISSING, PACK_MISSING, RECORD_INVALID */
  read(id: Buffer): Buffer
  /**
   * Copies the chunk's bytes from `start` on into the target, as many as there are and fit; the
   * rest of the target is left alone. For reads of devices: it makes no garbage.
   *
   * @returns the length of the whole chunk
   * @throws MaasError as `read`
   */
  readPart?(id: Buffer, start: number, target: Buffer): number
}

/** `readPart` of any source. */
export function readChunkPart(
  source: ChunkSource,
  id: Buffer,
  start: number,
  target: Buffer,
): number {
  if (source.readPart !== undefined) return source.readPart(id, start, target)
  const raw = source.read(id)
  raw.copy(target, 0, Math.min(start, raw.length))
  return raw.length
}
