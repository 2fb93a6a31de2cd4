/**
 * The fixed messages of NBD as bytes. Encoders return fresh, zeroed buffers; decoders check what
 * they read. The hot messages of the transmission phase (simple replies, read chunks) are written
 * in place by transmission.ts and session.ts instead, since they must not allocate.
 *
 *   option          "IHAVEOPT" 8 · option 4 · length 4 · data
 *   option reply    NBD_REP_MAGIC 8 · option 4 · reply type 4 · length 4 · data
 *   request         NBD_REQUEST_MAGIC 4 · command flags 2 · type 2 · cookie 8 · offset 8 · length 4
 *   simple reply    NBD_SIMPLE_REPLY_MAGIC 4 · error 4 · cookie 8
 *   structured      NBD_STRUCTURED_REPLY_MAGIC 4 · flags 2 · type 2 · cookie 8 · length 4 · payload
 *
 * Specification: NBD doc/proto.md; docs/protocols/nbd.md says what of it is served.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import {
  GREETING_SIZE,
  IHAVEOPT,
  NBDMAGIC,
  NBD_FLAG_FIXED_NEWSTYLE,
  NBD_FLAG_NO_ZEROES,
  NBD_INFO_BLOCK_SIZE,
  NBD_INFO_EXPORT,
  NBD_REP_INFO,
  NBD_REP_MAGIC,
  NBD_REQUEST_MAGIC,
  OPTION_HEADER_SIZE,
  OPTION_REPLY_HEADER_SIZE,
  QUERY_COUNT_MAX,
  REQUEST_HEADER_SIZE,
  STRING_SIZE_MAX,
} from './constants.ts'

/** The peer broke the protocol: the connection is dropped. */
export function violation(message: string, value?: number | string): MaasError {
  return new MaasError('NBD_PROTOCOL_VIOLATION', message, value === undefined ? {} : { value })
}

export function encodeGreeting(): Buffer {
  const bytes = Buffer.alloc(GREETING_SIZE)
  bytes.writeBigUInt64BE(NBDMAGIC, 0)
  bytes.writeBigUInt64BE(IHAVEOPT, 8)
  bytes.writeUInt16BE(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES, 16)
  return bytes
}

export function encodeOption(option: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(OPTION_HEADER_SIZE + data.length)
  bytes.writeBigUInt64BE(IHAVEOPT, 0)
  bytes.writeUInt32BE(option, 8)
  bytes.writeUInt32BE(data.length, 12)
  data.copy(bytes, OPTION_HEADER_SIZE)
  return bytes
}

export function encodeOptionReply(
  option: number,
  type: number,
  data: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(OPTION_REPLY_HEADER_SIZE + data.length)
  bytes.writeBigUInt64BE(NBD_REP_MAGIC, 0)
  bytes.writeUInt32BE(option, 8)
  bytes.writeUInt32BE(type, 12)
  bytes.writeUInt32BE(data.length, 16)
  data.copy(bytes, OPTION_REPLY_HEADER_SIZE)
  return bytes
}

/** An error reply with a message for people. */
export function encodeOptionError(option: number, type: number, message: string): Buffer {
  return encodeOptionReply(option, type, Buffer.from(message).subarray(0, STRING_SIZE_MAX))
}

/** The NBD_INFO_EXPORT item: size and transmission flags. */
export function encodeInfoExport(option: number, size: number, flags: number): Buffer {
  const data = Buffer.alloc(12)
  data.writeUInt16BE(NBD_INFO_EXPORT, 0)
  data.writeBigUInt64BE(BigInt(size), 2)
  data.writeUInt16BE(flags, 10)
  return encodeOptionReply(option, NBD_REP_INFO, data)
}

export interface BlockSizes {
  readonly minimum: number
  readonly preferred: number
  readonly maximum: number
}

export function encodeInfoBlockSize(option: number, sizes: BlockSizes): Buffer {
  const data = Buffer.alloc(14)
  data.writeUInt16BE(NBD_INFO_BLOCK_SIZE, 0)
  data.writeUInt32BE(sizes.minimum, 2)
  data.writeUInt32BE(sizes.preferred, 6)
  data.writeUInt32BE(sizes.maximum, 10)
  return encodeOptionReply(option, NBD_REP_INFO, data)
}

/** NBD_INFO_NAME or NBD_INFO_DESCRIPTION. */
export function encodeInfoText(option: number, info: number, text: string): Buffer {
  const data = Buffer.concat([Buffer.alloc(2), Buffer.from(text)])
  data.writeUInt16BE(info, 0)
  return encodeOptionReply(option, NBD_REP_INFO, data)
}

export interface RequestHeader {
  readonly flags?: number
  readonly type: number
  readonly cookie: bigint
  readonly offset?: number
  readonly length?: number
}

export function encodeRequest(request: RequestHeader): Buffer {
  const bytes = Buffer.alloc(REQUEST_HEADER_SIZE)
  bytes.writeUInt32BE(NBD_REQUEST_MAGIC, 0)
  bytes.writeUInt16BE(request.flags ?? 0, 4)
  bytes.writeUInt16BE(request.type, 6)
  bytes.writeBigUInt64BE(request.cookie, 8)
  bytes.writeBigUInt64BE(BigInt(request.offset ?? 0), 16)
  bytes.writeUInt32BE(request.length ?? 0, 24)
  return bytes
}

/**
 * Reads an unsigned 64-bit number.
 * @returns undefined when it is beyond 2^53 - 1: no device is that large, so callers refuse it
 */
export function readUInt64(bytes: Buffer, offset: number): number | undefined {
  const value = bytes.readUInt32BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4)
  return Number.isSafeInteger(value) ? value : undefined
}

/** Writes a device offset, a safe integer, as 64 bits without going through bigint. */
export function writeUInt64(bytes: Buffer, value: number, offset: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a device offset is a safe integer')
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset)
  bytes.writeUInt32BE(value % 0x1_0000_0000, offset + 4)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @returns undefined when it is not a string of the protocol: UTF-8, no NUL, bounded. */
export function decodeString(bytes: Buffer): string | undefined {
  if (bytes.length > STRING_SIZE_MAX || bytes.includes(0)) return undefined
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined // The caller answers with the error that fits its message.
  }
}

export interface InfoQuery {
  readonly name: string
  readonly infos: readonly number[]
}

/**
 * The data of NBD_OPT_INFO and NBD_OPT_GO: name length 4 · name · count 2 · info types 2 each.
 * @returns undefined when malformed
 */
export function decodeInfoQuery(data: Buffer): InfoQuery | undefined {
  const named = decodeLeadingName(data)
  if (named === undefined || named.rest.length < 2) return undefined
  const count = named.rest.readUInt16BE(0)
  if (named.rest.length !== 2 + 2 * count) return undefined
  const infos: number[] = []
  for (let i = 0; i < count; i += 1) infos.push(named.rest.readUInt16BE(2 + 2 * i))
  return { name: named.name, infos }
}

export function encodeInfoQuery(query: InfoQuery): Buffer {
  const name = Buffer.from(query.name)
  const data = Buffer.alloc(4 + name.length + 2 + 2 * query.infos.length)
  data.writeUInt32BE(name.length, 0)
  name.copy(data, 4)
  data.writeUInt16BE(query.infos.length, 4 + name.length)
  query.infos.forEach((info, i) => data.writeUInt16BE(info, 6 + name.length + 2 * i))
  return data
}

export interface MetaContextQuery {
  readonly name: string
  readonly queries: readonly string[]
}

/**
 * The data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT:
 * name length 4 · name · count 4 · queries, each length 4 · text.
 * @returns undefined when malformed
 */
export function decodeMetaContextQuery(data: Buffer): MetaContextQuery | undefined {
  const named = decodeLeadingName(data)
  if (named === undefined || named.rest.length < 4) return undefined
  const count = named.rest.readUInt32BE(0)
  if (count > QUERY_COUNT_MAX) return undefined
  let rest = named.rest.subarray(4)
  const queries: string[] = []
  for (let i = 0; i < count; i += 1) {
    const query = decodeLeadingName(rest)
    if (query === undefined) return undefined
    queries.push(query.name)
    rest = query.rest
  }
  return rest.length === 0 ? { name: named.name, queries } : undefined
}

export function encodeMetaContextQuery(query: MetaContextQuery): Buffer {
  const parts = [lengthPrefixed(query.name), Buffer.alloc(4)]
  parts[1]!.writeUInt32BE(query.queries.length, 0)
  return Buffer.concat([...parts, ...query.queries.map(lengthPrefixed)])
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(text)])
  bytes.writeUInt32BE(bytes.length - 4, 0)
  return bytes
}

/** A 32-bit length, that many bytes of text, and what follows. */
function decodeLeadingName(data: Buffer): { name: string; rest: Buffer } | undefined {
  if (data.length < 4) return undefined
  const length = data.readUInt32BE(0)
  if (length > data.length - 4) return undefined
  const name = decodeString(data.subarray(4, 4 + length))
  return name === undefined ? undefined : { name, rest: data.subarray(4 + length) }
}
