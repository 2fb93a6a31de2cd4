/**
 * The superblock: 1024 bytes at byte 1024 of the device, little endian (kernel: struct
 * ext4_super_block). Everything not named here is zero. Deterministic: no times of now.
 */
import { assert } from '@openmaas/kernel/assert'
import {
  BLOCKS_PER_GROUP,
  DESCRIPTOR_SIZE,
  FEATURE_COMPAT,
  FEATURE_INCOMPAT,
  FEATURE_RO_COMPAT,
  HASH_HALF_MD4,
  INO_FIRST,
  INO_JOURNAL,
  INODE_SIZE,
  SUPERBLOCK_FLAG_UNSIGNED_HASH,
  writeSplit,
} from './constants.ts'
import type { Layout } from './layout.ts'

export const SUPERBLOCK_SIZE = 1024
export const SUPERBLOCK_OFFSET = 1024
/** s_volume_name */
export const LABEL_MAX = 16

export interface SuperblockFields {
  readonly layout: Layout
  /** 16 bytes each. */
  readonly uuid: Buffer
  readonly hashSeed: Buffer
  readonly label: Buffer
  /** Some directory may need three levels of index. */
  readonly largeDir: boolean
  /** Unix seconds: when the file system was "made", for tools that show it. */
  readonly madeAtSec: number
  /** i_block of the journal's inode, kept twice by ext4. */
  readonly journalMap: Buffer
}

const OFFSET_JOURNAL_MAP = 0x10c

export function encodeSuperblock(fields: SuperblockFields): Buffer {
  const { layout } = fields
  assert(fields.uuid.length === 16 && fields.hashSeed.length === 16, 'uuid and seed are 16 bytes')
  assert(fields.label.length <= LABEL_MAX, 'the label fits')
  assert(fields.journalMap.length === 60, 'i_block has 60 bytes')
  const bytes = Buffer.alloc(SUPERBLOCK_SIZE)
  const inodes = layout.groups * layout.inodesPerGroup
  const madeAt = Math.min(Math.max(0, fields.madeAtSec), 2 ** 32 - 1)

  bytes.writeUInt32LE(inodes, 0x00)
  writeSplit(bytes, layout.blocks, { low: 0x04, high: 0x150 })
  writeSplit(bytes, layout.blocks - layout.dataEnd, { low: 0x0c, high: 0x158 })
  bytes.writeUInt32LE(inodes - layout.inodeLast, 0x10)
  bytes.writeUInt32LE(2, 0x18) // s_log_block_size: 1024 << 2
  bytes.writeUInt32LE(2, 0x1c) // s_log_cluster_size
  bytes.writeUInt32LE(BLOCKS_PER_GROUP, 0x20)
  bytes.writeUInt32LE(BLOCKS_PER_GROUP, 0x24)
  bytes.writeUInt32LE(layout.inodesPerGroup, 0x28)
  bytes.writeUInt32LE(madeAt, 0x30) // s_wtime
  bytes.writeUInt16LE(0xffff, 0x36) // s_max_mnt_count: no check by count
  bytes.writeUInt16LE(0xef53, 0x38)
  bytes.writeUInt16LE(1, 0x3a) // s_state: clean
  bytes.writeUInt16LE(1, 0x3c) // s_errors: continue
  bytes.writeUInt32LE(madeAt, 0x40) // s_lastcheck
  bytes.writeUInt32LE(1, 0x4c) // s_rev_level: dynamic
  bytes.writeUInt32LE(INO_FIRST, 0x54)
  bytes.writeUInt16LE(INODE_SIZE, 0x58)
  bytes.writeUInt32LE(sum(FEATURE_COMPAT), 0x5c)
  const { largeDir, ...incompat } = FEATURE_INCOMPAT
  bytes.writeUInt32LE(sum(incompat) + (fields.largeDir ? largeDir : 0), 0x60)
  bytes.writeUInt32LE(sum(FEATURE_RO_COMPAT), 0x64)
  fields.uuid.copy(bytes, 0x68)
  fields.label.copy(bytes, 0x78)
  bytes.writeUInt32LE(INO_JOURNAL, 0xe0)
  fields.hashSeed.copy(bytes, 0xec)
  bytes[0xfc] = HASH_HALF_MD4
  bytes[0xfd] = 1 // s_jnl_backup_type: the journal's map follows
  bytes.writeUInt16LE(DESCRIPTOR_SIZE, 0xfe)
  bytes.writeUInt32LE(0x0c, 0x100) // s_default_mount_opts: user_xattr, acl
  bytes.writeUInt32LE(madeAt, 0x108)
  fields.journalMap.copy(bytes, OFFSET_JOURNAL_MAP)
  writeSplit(bytes, layout.journalBlocks * 4096, {
    low: OFFSET_JOURNAL_MAP + 64,
    high: OFFSET_JOURNAL_MAP + 60,
  })
  bytes.writeUInt16LE(32, 0x15c) // s_min_extra_isize
  bytes.writeUInt16LE(32, 0x15e) // s_want_extra_isize
  bytes.writeUInt32LE(SUPERBLOCK_FLAG_UNSIGNED_HASH, 0x160)
  bytes[0x174] = 4 // s_log_groups_per_flex: only a hint for new files
  // s_backup_bgs (0x24c) stays 0, 0: sparse_super2 without backups leaves the data in one piece.
  return bytes
}

function sum(flags: Readonly<Record<string, number>>): number {
  return Object.values(flags).reduce((total, flag) => total + flag, 0)
}
