/**
 * Messages of the FUSE kernel protocol at fixed offsets. Integers are in the machine's order,
 * which is little-endian wherever this runs (asserted in disk-server.ts).
 *
 *   request header, 40 bytes            reply header, 16 bytes
 *    0  4  len, all of the request       0  4  len, all of the reply
 *    4  4  opcode                        4  4  error, 0 or a negative errno
 *    8  8  unique                        8  8  unique of the request
 *   16  8  nodeid
 *   24 16  uid, gid, pid, extension length, padding
 *
 * `unique` is copied, never interpreted: bit 63 marks a request that was sent again.
 */
export const REQUEST_HEADER_SIZE = 40
export const REPLY_HEADER_SIZE = 16

export const opcodeOf = (request: Buffer): number => request.readUInt32LE(4)
/** Node ids are ours (1 and 2), so the low half is enough; a foreign one reads as 0. */
export const nodeOf = (request: Buffer): number =>
  request.readUInt32LE(20) === 0 ? request.readUInt32LE(16) : 0

/** A u64 that must be a safe integer; larger values saturate and fail the range check. */
export function readSafeU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 0x1_0000_0000
}

/** Fills in the reply header. @returns the whole reply, ready to be written. */
export function sealReply(reply: Buffer, request: Buffer, length: number, errno = 0): Buffer {
  reply.writeUInt32LE(length, 0)
  reply.writeInt32LE(-errno, 4)
  request.copy(reply, 8, 8, 16)
  return reply.subarray(0, length)
}

export interface DiskAttributes {
  readonly node: number
  readonly directory: boolean
  readonly size: number
  readonly readOnly: boolean
}

/** struct fuse_attr, 88 bytes. */
export function writeAttributes(target: Buffer, offset: number, disk: DiskAttributes): void {
  target.fill(0, offset, offset + 88)
  target.writeBigUInt64LE(BigInt(disk.node), offset)
  target.writeBigUInt64LE(BigInt(disk.size), offset + 8)
  target.writeBigUInt64LE(BigInt(Math.ceil(disk.size / 512)), offset + 16)
  const fileMode = disk.readOnly ? 0o100400 : 0o100600
  target.writeUInt32LE(disk.directory ? 0o040700 : fileMode, offset + 60)
  target.writeUInt32LE(disk.directory ? 2 : 1, offset + 64)
  target.writeUInt32LE(4096, offset + 80) // blksize
}

/** struct fuse_dirent, padded to 8 bytes. */
export function encodeDirent(node: number, name: string, type: number, next: number): Buffer {
  const nameBytes = Buffer.from(name, 'latin1')
  const bytes = Buffer.alloc((24 + nameBytes.length + 7) & ~7)
  bytes.writeBigUInt64LE(BigInt(node), 0)
  bytes.writeBigUInt64LE(BigInt(next), 8)
  bytes.writeUInt32LE(nameBytes.length, 16)
  bytes.writeUInt32LE(type, 20)
  nameBytes.copy(bytes, 24)
  return bytes
}
