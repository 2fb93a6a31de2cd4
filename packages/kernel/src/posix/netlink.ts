/**
 * Generic netlink messages (linux/netlink.h, linux/genetlink.h), little-endian.
 *
 *   offset size field                      an attribute:
 *        0  u32 length, header included      0  u16 length, header included, padding not
 *        4  u16 type: family, or error       2  u16 type
 *        6  u16 flags                        4  …   value, padded to 4 bytes
 *        8  u32 sequence
 *       12  u32 port, 0 is the kernel      an error's body: s32 minus errno (0: acknowledged),
 *       16   u8 command                    then the request
 *       17   u8 version
 *       18  u16 0
 *       20  …   attributes
 */
import { assert } from '../assert.ts'

export const NLMSG_ERROR = 2
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const NLMSG_HEADER_SIZE = 16
const GENL_HEADER_SIZE = 4
const ATTRIBUTE_HEADER_SIZE = 4

export const GENL_ID_CTRL = 0x10
const CTRL_CMD_GETFAMILY = 3
const CTRL_VERSION = 2
export const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2

/** Top bits of an attribute's type are flags (NLA_TYPE_MASK). */
const ATTRIBUTE_TYPE_MASK = 0x3fff

export interface NetlinkMessage {
  readonly type: number
  readonly sequence: number
  /** Of an error message: 0 is an acknowledgement. */
  readonly errno: number
  readonly attributes: Buffer
}

export interface NetlinkHeader {
  readonly type: number
  readonly sequence: number
  readonly command: number
  readonly version: number
}

export function encodeMessage(header: NetlinkHeader, attributes: Buffer): Buffer {
  const bytes = Buffer.alloc(NLMSG_HEADER_SIZE + GENL_HEADER_SIZE + attributes.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(header.type, 4)
  bytes.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK, 6)
  bytes.writeUInt32LE(header.sequence, 8)
  bytes.writeUInt8(header.command, 16)
  bytes.writeUInt8(header.version, 17)
  attributes.copy(bytes, NLMSG_HEADER_SIZE + GENL_HEADER_SIZE)
  return bytes
}

/** The question for a family's number. */
export function familyRequest(name: string, sequence: number): Buffer {
  const header = {
    type: GENL_ID_CTRL,
    sequence,
    command: CTRL_CMD_GETFAMILY,
    version: CTRL_VERSION,
  }
  return encodeMessage(header, textAttribute(CTRL_ATTR_FAMILY_NAME, name))
}

export function attribute(type: number, value: Buffer): Buffer {
  const length = ATTRIBUTE_HEADER_SIZE + value.length
  const bytes = Buffer.alloc(aligned(length))
  bytes.writeUInt16LE(length, 0)
  bytes.writeUInt16LE(type, 2)
  value.copy(bytes, ATTRIBUTE_HEADER_SIZE)
  return bytes
}

export function numberAttribute(type: number, size: 4 | 8, value: number): Buffer {
  assert(Number.isSafeInteger(value) && value >= 0, 'a netlink number is a whole one')
  const bytes = Buffer.alloc(size)
  if (size === 4) bytes.writeUInt32LE(value)
  else bytes.writeBigUInt64LE(BigInt(value))
  return attribute(type, bytes)
}

export function textAttribute(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`, 'utf8'))
}

/** The messages of one datagram; ends at the first that is cut or malformed. */
export function readMessages(bytes: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  for (let at = 0; at + NLMSG_HEADER_SIZE + GENL_HEADER_SIZE <= bytes.length;) {
    const length = bytes.readUInt32LE(at)
    if (length < NLMSG_HEADER_SIZE + GENL_HEADER_SIZE || at + length > bytes.length) break
    const type = bytes.readUInt16LE(at + 4)
    const body = at + NLMSG_HEADER_SIZE
    messages.push({
      type,
      sequence: bytes.readUInt32LE(at + 8),
      errno: type === NLMSG_ERROR ? -bytes.readInt32LE(body) : 0,
      attributes: bytes.subarray(body + GENL_HEADER_SIZE, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/** The value of the first attribute of that type. */
export function findAttribute(attributes: Buffer, type: number): Buffer | undefined {
  for (let at = 0; at + ATTRIBUTE_HEADER_SIZE <= attributes.length;) {
    const length = attributes.readUInt16LE(at)
    if (length < ATTRIBUTE_HEADER_SIZE || at + length > attributes.length) return undefined
    const found = attributes.readUInt16LE(at + 2) & ATTRIBUTE_TYPE_MASK
    if (found === type) return attributes.subarray(at + ATTRIBUTE_HEADER_SIZE, at + length)
    at += aligned(length)
  }
  return undefined
}

const aligned = (length: number): number => (length + 3) & ~3
