/**
 * Where everything lies on the device: all metadata in front, then the data in one piece, then
 * the free space. Docs: docs/formats/ext4-view.md.
 *
 *   block 0            superblock (at byte 1024)
 *   1 …                group descriptors, 64 bytes each
 *   blockBitmaps …     one block per group
 *   inodeBitmaps …     one block per group
 *   inodeTables …      inodesPerGroup / 16 blocks per group
 *   journal …          inode 8: its superblock, the rest zeros
 *   data …             the tree's blocks in descent order, then the link table's
 *   dataEnd …          free, to the end of the last group
 *
 * Groups carry as many inodes as a bitmap block has bits. The tables are virtual, so their size
 * costs nothing, and the tree's inodes fill few groups: the kernel reads every descriptor when it
 * mounts, and each group in use costs one descent to count its directories.
 */
import { MaasError } from '@openmaas/kernel/errors'
import {
  BLOCK_SIZE,
  BLOCKS_PER_GROUP,
  DESCRIPTORS_PER_BLOCK,
  INO_FIRST,
  INODES_PER_BLOCK,
} from './constants.ts'

/** s_inodes_count has 32 bits. */
const INODES_MAX = 2 ** 32 - 1
/** The descriptors have to end inside group 0, where e2fsck and the kernel expect them: 256 TiB. */
const GROUPS_MAX = 2_000_000
/** A clone can make at least this many new files, and a tenth of what it has. */
const SPARE_INODES_MIN = 65_536
const FREE_BYTES_MIN = 2 ** 30

const MIB_BLOCKS = 2 ** 20 / BLOCK_SIZE
const GIB_BLOCKS = 2 ** 30 / BLOCK_SIZE

export interface Layout {
  readonly groups: number
  readonly blocks: number
  readonly inodesPerGroup: number
  /** Inodes of the tree and the link table, the root among them. */
  readonly treeInodes: number
  /** The highest inode in use; all from 1 to it are. */
  readonly inodeLast: number
  readonly descriptors: number
  readonly blockBitmaps: number
  readonly inodeBitmaps: number
  readonly inodeTables: number
  readonly inodeTablesEnd: number
  readonly journal: number
  readonly journalBlocks: number
  readonly data: number
  readonly dataEnd: number
}

export interface LayoutInput {
  /** Inodes of tree and link table, the root among them. */
  readonly inodes: number
  /** Blocks of tree and link table. */
  readonly blocks: number
  /** Free space for writes; by default a quarter of the data, at least 1 GiB. */
  readonly freeBytes?: number | undefined
}

/** 16 to 128 MiB: a quarter of a percent, as mkfs has it, within what is useful. */
export function journalBlocks(dataBlocks: number): number {
  if (dataBlocks < 4 * GIB_BLOCKS) return 16 * MIB_BLOCKS
  if (dataBlocks < 16 * GIB_BLOCKS) return 32 * MIB_BLOCKS
  if (dataBlocks < 64 * GIB_BLOCKS) return 64 * MIB_BLOCKS
  return 128 * MIB_BLOCKS
}

/** @throws MaasError VIEW_TOO_LARGE beyond 2^32 inodes or 256 TiB */
export function computeLayout(input: LayoutInput): Layout {
  const freeBytes = input.freeBytes ?? Math.max(FREE_BYTES_MIN, (input.blocks * BLOCK_SIZE) / 4)
  const journal = journalBlocks(input.blocks)
  const content = journal + input.blocks + Math.ceil(freeBytes / BLOCK_SIZE)
  const inodeLast = input.inodes - 1 + (INO_FIRST - 1)
  const inodesWanted = inodeLast + Math.max(SPARE_INODES_MIN, Math.ceil(input.inodes / 10))
  if (inodesWanted > INODES_MAX) throw tooLarge('inodes', inodesWanted)

  let groups = Math.max(
    Math.ceil(content / BLOCKS_PER_GROUP),
    Math.ceil(inodesWanted / BLOCKS_PER_GROUP),
  )
  for (;;) {
    if (groups > GROUPS_MAX) throw tooLarge('groups', groups)
    const inodesPerGroup = inodesPerGroupFor(groups)
    if (groups * inodesPerGroup < inodesWanted) throw tooLarge('inodes', inodesWanted)
    const metadata =
      1 +
      Math.ceil(groups / DESCRIPTORS_PER_BLOCK) +
      groups * (2 + inodesPerGroup / INODES_PER_BLOCK)
    const needed = Math.ceil((metadata + content) / BLOCKS_PER_GROUP)
    if (needed <= groups) return place({ groups, inodesPerGroup, inodeLast, journal }, input)
    groups = needed
  }
}

/** A multiple of 16, so that groups share no block of the inode table. */
function inodesPerGroupFor(groups: number): number {
  return Math.min(BLOCKS_PER_GROUP, Math.floor(INODES_MAX / groups / 16) * 16)
}

function place(
  sizes: { groups: number; inodesPerGroup: number; inodeLast: number; journal: number },
  input: LayoutInput,
): Layout {
  const { groups, inodesPerGroup, inodeLast } = sizes
  const descriptors = 1
  const blockBitmaps = descriptors + Math.ceil(groups / DESCRIPTORS_PER_BLOCK)
  const inodeBitmaps = blockBitmaps + groups
  const inodeTables = inodeBitmaps + groups
  const inodeTablesEnd = inodeTables + groups * (inodesPerGroup / INODES_PER_BLOCK)
  const data = inodeTablesEnd + sizes.journal
  return {
    groups,
    inodesPerGroup,
    inodeLast,
    descriptors,
    blockBitmaps,
    inodeBitmaps,
    inodeTables,
    inodeTablesEnd,
    data,
    blocks: groups * BLOCKS_PER_GROUP,
    treeInodes: input.inodes,
    journal: inodeTablesEnd,
    journalBlocks: sizes.journal,
    dataEnd: data + input.blocks,
  }
}

function tooLarge(what: string, count: number): MaasError {
  return new MaasError('VIEW_TOO_LARGE', `the tree needs more ${what} than an ext4 view holds`, {
    [what]: count,
  })
}
