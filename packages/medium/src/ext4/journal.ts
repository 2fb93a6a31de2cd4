/**
 * The journal of inode 8: one superblock, then zeros. s_start = 0 says that it is empty, so no
 * block of the body is ever looked at; the kernel begins with sequence 1 at block 1.
 *
 *   offset  size  field (big endian; kernel: struct journal_superblock_s)
 *        0     4  magic c03b3998
 *        4     4  4, superblock version 2
 *       12     4  block size
 *       16     4  blocks, this one included
 *       20     4  first block of the log: 1
 *       24     4  first expected sequence: 1
 *       28     4  start: 0, empty
 *       48    16  uuid of the file system
 *       64     4  users: 1
 */
import { BLOCK_SIZE } from './constants.ts'

export function encodeJournalSuperblock(target: Buffer, blocks: number, uuid: Buffer): void {
  target.writeUInt32BE(0xc03b3998, 0)
  target.writeUInt32BE(4, 4)
  target.writeUInt32BE(BLOCK_SIZE, 12)
  target.writeUInt32BE(blocks, 16)
  target.writeUInt32BE(1, 20)
  target.writeUInt32BE(1, 24)
  uuid.copy(target, 48)
  target.writeUInt32BE(1, 64)
}
