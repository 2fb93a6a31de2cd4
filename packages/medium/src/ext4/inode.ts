/**
 * One inode, 256 bytes, little endian (kernel: struct ext4_inode). The view keeps no access time:
 * it shows the modification time, and the change time as time of birth.
 */
import { INODE_FLAG } from './constants.ts'
import { encodeExtentRoot, type MappedContent } from './extents.ts'

export interface InodeFields {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly links: number
  /** 4 KiB blocks of the inode, extent tree and xattr block included. */
  readonly blocks: number
  readonly mtimeSec: number
  readonly mtimeNs: number
  readonly ctimeSec: number
  readonly ctimeNs: number
  /** The directory is hashed. */
  readonly indexed: boolean
  /** 0: none. */
  readonly xattrBlock: number
  readonly map:
    | { readonly kind: 'extents'; readonly content: MappedContent }
    | { readonly kind: 'target'; readonly target: Buffer }
    | { readonly kind: 'device'; readonly major: number; readonly minor: number }
    | { readonly kind: 'none' }
}

const OFFSET_MAP = 0x28
/** Seconds have 34 bits: from 1901 to 2446. */
const SECONDS_MIN = -(2 ** 31)
const SECONDS_MAX = 2 ** 34 - 2 ** 31 - 1
/** ext4's limit; a directory beyond it says 1 (feature dir_nlink). */
const LINKS_MAX = 65_000
export const EXTRA_SIZE = 32

/** Writes into 256 zeroed bytes; the xattrs behind byte 160 are xattr.ts's. */
export function encodeInode(target: Buffer, fields: InodeFields): void {
  const directory = (fields.mode & 0o170000) === 0o040000
  target.writeUInt16LE(fields.mode & 0xffff, 0x00)
  target.writeUInt16LE(fields.uid & 0xffff, 0x02)
  target.writeUInt32LE(fields.size % 0x1_0000_0000, 0x04)
  target.writeUInt16LE(fields.gid & 0xffff, 0x18)
  target.writeUInt16LE(linkCount(fields.links, directory), 0x1a)
  const sectors = fields.blocks * 8
  target.writeUInt32LE(sectors % 0x1_0000_0000, 0x1c)
  let flags = fields.map.kind === 'extents' ? INODE_FLAG.extents : 0
  if (fields.indexed) flags |= INODE_FLAG.index
  target.writeUInt32LE(flags, 0x20)
  encodeMap(target, fields.map)
  target.writeUInt32LE(fields.xattrBlock % 0x1_0000_0000, 0x68)
  target.writeUInt32LE(Math.floor(fields.size / 0x1_0000_0000), 0x6c)
  target.writeUInt16LE(Math.floor(sectors / 0x1_0000_0000), 0x74)
  target.writeUInt16LE(Math.floor(fields.xattrBlock / 0x1_0000_0000), 0x76)
  target.writeUInt16LE(fields.uid >>> 16, 0x78)
  target.writeUInt16LE(fields.gid >>> 16, 0x7a)
  target.writeUInt16LE(EXTRA_SIZE, 0x80)
  writeTime(target, fields.mtimeSec, fields.mtimeNs, { base: 0x08, extra: 0x8c }) // atime
  writeTime(target, fields.ctimeSec, fields.ctimeNs, { base: 0x0c, extra: 0x84 })
  writeTime(target, fields.mtimeSec, fields.mtimeNs, { base: 0x10, extra: 0x88 })
  writeTime(target, fields.ctimeSec, fields.ctimeNs, { base: 0x90, extra: 0x94 }) // crtime
}

function linkCount(links: number, directory: boolean): number {
  if (links <= LINKS_MAX) return links
  return directory ? 1 : LINKS_MAX
}

function encodeMap(target: Buffer, map: InodeFields['map']): void {
  switch (map.kind) {
    case 'extents':
      encodeExtentRoot(target, OFFSET_MAP, map.content)
      return
    case 'target':
      map.target.copy(target, OFFSET_MAP)
      return
    case 'device': {
      const { major, minor } = map
      if (major < 256 && minor < 256) {
        target.writeUInt32LE((major << 8) | minor, OFFSET_MAP)
      } else {
        const encoded = ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
        target.writeUInt32LE(encoded, OFFSET_MAP + 4)
      }
      return
    }
    case 'none':
  }
}

/** 32 bits of seconds; then 2 more bits of seconds below 30 of nanoseconds. */
function writeTime(
  target: Buffer,
  seconds: number,
  nanoseconds: number,
  at: { readonly base: number; readonly extra: number },
): void {
  const clamped = Math.min(Math.max(seconds, SECONDS_MIN), SECONDS_MAX)
  const low = clamped | 0
  const epoch = (clamped - low) / 0x1_0000_0000
  target.writeInt32LE(low, at.base)
  target.writeUInt32LE(((nanoseconds << 2) | (epoch & 3)) >>> 0, at.extra)
}
