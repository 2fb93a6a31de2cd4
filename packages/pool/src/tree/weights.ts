/**
 * What lies in a subtree. Stands in every directory entry, interior node and snapshot root, so
 * that a reader finds the n-th inode or block by descent, and garbage collection can check that
 * it has seen everything. Eight u64, little endian, in the order of the interface.
 */
import { MaasError } from '@openmaas/kernel/errors'

export interface Weights {
  /** Entries, the subtree's own directory among them. */
  names: number
  /** Names of regular files; every hard link counts. */
  files: number
  directories: number
  /** Inodes of the view; files with several links have theirs in the link table. */
  inodes: number
  /** 4 KiB blocks of the view (footprint.ts). */
  blocks: number
  /** Sum of file sizes; files with several links count in the link table. */
  bytes: number
  /** References to data chunks, content list nodes and external xattr blocks. */
  chunks: number
  /** References to tree nodes. */
  nodes: number
}

export const WEIGHTS_SIZE = 64

const FIELDS = [
  'names',
  'files',
  'directories',
  'inodes',
  'blocks',
  'bytes',
  'chunks',
  'nodes',
] as const satisfies readonly (keyof Weights)[]

export function zeroWeights(): Weights {
  return { names: 0, files: 0, directories: 0, inodes: 0, blocks: 0, bytes: 0, chunks: 0, nodes: 0 }
}

export function addWeights(target: Weights, part: Weights): void {
  target.names += part.names
  target.files += part.files
  target.directories += part.directories
  target.inodes += part.inodes
  target.blocks += part.blocks
  target.bytes += part.bytes
  target.chunks += part.chunks
  target.nodes += part.nodes
}

export function weightsEqual(a: Weights, b: Weights): boolean {
  return FIELDS.every((field) => a[field] === b[field])
}

export function writeWeights(weights: Weights, target: Buffer, offset: number): void {
  for (const [i, field] of FIELDS.entries()) {
    const value = weights[field]
    target.writeUInt32LE(value % 0x1_0000_0000, offset + 8 * i)
    target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 8 * i + 4)
  }
}

/** @throws MaasError TREE_INVALID when a number is beyond 2^53 */
export function readWeights(source: Buffer, offset: number): Weights {
  return {
    names: readCount(source, offset),
    files: readCount(source, offset + 8),
    directories: readCount(source, offset + 16),
    inodes: readCount(source, offset + 24),
    blocks: readCount(source, offset + 32),
    bytes: readCount(source, offset + 40),
    chunks: readCount(source, offset + 48),
    nodes: readCount(source, offset + 56),
  }
}

/** One u64 that has to be a safe integer. */
export function readCount(source: Buffer, offset: number): number {
  const high = source.readUInt32LE(offset + 4)
  if (high >= 0x20_0000) {
    throw new MaasError('TREE_INVALID', 'a number in a tree node is beyond 2^53', { offset })
  }
  return high * 0x1_0000_0000 + source.readUInt32LE(offset)
}
