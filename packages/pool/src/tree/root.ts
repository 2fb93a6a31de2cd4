/**
 * The snapshot root record: chunk of type treeNode. Layout (docs/formats/tree.md):
 *
 *   offset size field
 *        0   4 magic "MTR1"
 *        4  u8 version 1
 *        5  u8 flags: bit 0 a link table is there
 *        6 u16 footprint version
 *        8 u32 length of the root entry
 *       12 u32 0
 *       16  32 link table node id, or zero
 *       48  64 Weights of the link table (its nodes counted)
 *      112     the root directory's entry, named "."
 */
import { MaasError } from '@openmaas/kernel/errors'
import { type ChunkSink, type ChunkSource, ChunkType } from '../chunk/chunk.ts'
import type { DirectoryRef, EntryStat, TreeEntry } from './entry.ts'
import { decodeEntry } from './entry.ts'
import { encodeEntry } from './entry-encoder.ts'
import { ENTRY_FIXED_SIZE, ENTRY_KIND } from './entry-layout.ts'
import { FOOTPRINT_VERSION, type XattrPair } from './footprint.ts'
import { readWeights, type Weights, writeWeights } from './weights.ts'

const MAGIC = Buffer.from('MTR1', 'latin1')
const VERSION = 1
const FLAG_LINKS = 0x01
const ENTRY_OFFSET = 112
const ROOT_NAME = Buffer.from('.', 'latin1')

export interface LinkTableRef {
  readonly node: Buffer
  readonly weights: Weights
  /** How many files it holds. */
  readonly entryCount: number
}

export interface TreeRoot {
  /** The root directory, named "."; its weights are those of the tree without the link table. */
  readonly entry: TreeEntry
  readonly links: { readonly node: Buffer; readonly weights: Weights } | undefined
  readonly footprintVersion: number
}

export interface RootFields {
  readonly stat: EntryStat
  readonly directory: DirectoryRef
  readonly xattrs: readonly XattrPair[]
  readonly links: LinkTableRef | undefined
}

/** @returns the id of the root record */
export function writeTreeRoot(
  sink: ChunkSink,
  { stat, directory, xattrs, links }: RootFields,
): Buffer {
  const entry = encodeEntry(sink, (builder) =>
    builder.addDirectory(ROOT_NAME, stat, directory, { xattrs }),
  )
  const record = Buffer.alloc(ENTRY_OFFSET + entry.length)
  MAGIC.copy(record)
  record[4] = VERSION
  record.writeUInt16LE(FOOTPRINT_VERSION, 6)
  record.writeUInt32LE(entry.length, 8)
  if (links !== undefined) {
    record[5] = FLAG_LINKS
    links.node.copy(record, 16)
    writeWeights(links.weights, record, 48)
  }
  entry.copy(record, ENTRY_OFFSET)
  return sink.put(ChunkType.treeNode, record)
}

/** @throws MaasError TREE_INVALID, CHUNK_MISSING… */
export function readTreeRoot(source: ChunkSource, id: Buffer): TreeRoot {
  return decodeTreeRoot(source.read(id))
}

/** @throws MaasError TREE_INVALID */
export function decodeTreeRoot(record: Buffer): TreeRoot {
  const invalid = (what: string) => new MaasError('TREE_INVALID', `a tree root ${what}`)
  if (record.length < ENTRY_OFFSET + ENTRY_FIXED_SIZE) throw invalid('is cut off')
  if (record.compare(MAGIC, 0, 4, 0, 4) !== 0) throw invalid('has a wrong magic')
  if (record[4] !== VERSION) throw invalid('has an unknown version')
  const flags = record[5]!
  if ((flags & ~FLAG_LINKS) !== 0 || record.readUInt32LE(12) !== 0)
    throw invalid('has unknown fields')
  const footprintVersion = record.readUInt16LE(6)
  if (footprintVersion !== FOOTPRINT_VERSION) throw invalid('has an unknown footprint version')
  const length = record.readUInt32LE(8)
  if (length !== record.length - ENTRY_OFFSET || record.readUInt32LE(ENTRY_OFFSET) !== length) {
    throw invalid('has a wrong length')
  }
  const entry = decodeEntry(record, ENTRY_OFFSET)
  if (entry.kind !== ENTRY_KIND.directory) throw invalid('is not a directory')
  const links =
    (flags & FLAG_LINKS) === 0
      ? undefined
      : { node: record.subarray(16, 48), weights: readWeights(record, 48) }
  return { entry, links, footprintVersion }
}

/** Weights of the whole snapshot: the tree, its link table, and the root record itself. */
export function snapshotWeights({ entry, links }: Pick<TreeRoot, 'entry' | 'links'>): Weights {
  return sumSnapshot(entry.directory!, links)
}

/** The same before the root record is written. */
export function sumSnapshot(
  directory: DirectoryRef,
  links: { readonly weights: Weights } | undefined,
): Weights {
  const weights = { ...directory.weights, nodes: directory.weights.nodes + 1 }
  if (links !== undefined) {
    weights.inodes += links.weights.inodes
    weights.blocks += links.weights.blocks
    weights.bytes += links.weights.bytes
    weights.chunks += links.weights.chunks
    weights.nodes += links.weights.nodes
  }
  return weights
}
