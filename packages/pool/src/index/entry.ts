/**
 * One index entry, 52 bytes little-endian; the same in a memtable (after a control word) and in a
 * run file. docs/formats/index.md.
 *
 *   0  32  chunk id        36  4  recordNumber     44  4  encodedLength
 *  32   4  packNo          40  4  offset           48  4  rawLength
 */
import type { Location } from '../pool/types.ts'

export const ENTRY_SIZE = 52
export const ID_SIZE = 32

export function encodeEntry(id: Buffer, location: Location, target: Buffer, offset: number): void {
  id.copy(target, offset, 0, ID_SIZE)
  target.writeUInt32LE(location.packNo, offset + 32)
  target.writeUInt32LE(location.recordNumber, offset + 36)
  target.writeUInt32LE(location.offset, offset + 40)
  target.writeUInt32LE(location.encodedLength, offset + 44)
  target.writeUInt32LE(location.rawLength, offset + 48)
}

export function decodeLocation(bytes: Buffer, offset: number): Location {
  return {
    packNo: bytes.readUInt32LE(offset + 32),
    recordNumber: bytes.readUInt32LE(offset + 36),
    offset: bytes.readUInt32LE(offset + 40),
    encodedLength: bytes.readUInt32LE(offset + 44),
    rawLength: bytes.readUInt32LE(offset + 48),
  }
}
