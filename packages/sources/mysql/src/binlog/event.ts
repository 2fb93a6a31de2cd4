/**
 * Events of binlog files, as far as recovery needs them: which transaction begins where, when it
 * was committed, and where it ends. Rows are not decoded; the engine's own programs apply them.
 *
 *   file    magic "\xfebin", then events
 *   header  19 bytes, little endian:
 *           0 timestamp u32, seconds · 4 type u8 · 5 server id u32 · 9 length u32 with the header
 *           · 13 end in the file u32 · 17 flags u16
 *
 * MySQL: dev.mysql.com/doc/dev/mysql-server, "Replication Protocol"; MariaDB: mariadb.com/kb,
 * "Replication protocol, events".
 */
import { MaasError } from '@openmaas/kernel/errors'

export const BINLOG_MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e])
export const EVENT_HEADER_SIZE = 19

export const EVENT = {
  QUERY: 2,
  STOP: 3,
  ROTATE: 4,
  FORMAT_DESCRIPTION: 15,
  XID: 16,
  GTID: 33,
  ANONYMOUS_GTID: 34,
  PREVIOUS_GTIDS: 35,
  XA_PREPARE: 38,
  TRANSACTION_PAYLOAD: 40,
  GTID_TAGGED: 42,
  MARIADB_GTID: 162,
  MARIADB_GTID_LIST: 163,
} as const

export interface EventHeader {
  /** Seconds since 1970; of the statement that committed. */
  readonly timestamp: number
  readonly type: number
  readonly serverId: number
  readonly length: number
}

export function decodeHeader(bytes: Buffer): EventHeader {
  return {
    timestamp: bytes.readUInt32LE(0),
    type: bytes.readUInt8(4),
    serverId: bytes.readUInt32LE(5),
    length: bytes.readUInt32LE(9),
  }
}

/** What a GTID event says of the transaction it begins. */
export interface GtidEvent {
  readonly gtid: string
  /** Of its commit; MariaDB logs whole seconds. */
  readonly atMs: number
  /** The last moment at which it may have committed: `atMs`, or the end of its second. */
  readonly byMs: number
  /** One statement without BEGIN and COMMIT; null: its first event tells (MySQL). */
  readonly standalone: boolean | null
}

const MARIADB_STANDALONE = 1

/** Body: 0 sequence u64 · 8 domain u32 · 12 flags u8. */
export function decodeMariadbGtid(header: EventHeader, body: Buffer): GtidEvent {
  requireLength(body, 13)
  const gtid = `${body.readUInt32LE(8)}-${header.serverId}-${body.readBigUInt64LE(0)}`
  const atMs = header.timestamp * 1000
  return {
    gtid,
    atMs,
    byMs: atMs + 999,
    standalone: (body.readUInt8(12) & MARIADB_STANDALONE) !== 0,
  }
}

/** Bit 55 of the immediate timestamp: the original one follows, since another server has it. */
const ORIGINAL_FOLLOWS = 1n << 55n

/**
 * Body: 0 flags u8 · 1 uuid · 17 number i64 · 25 type u8 · 26 two clocks i64 · 42 immediate commit
 * u56 · 49 original commit u56, both microseconds since 1970.
 */
export function decodeMysqlGtid(header: EventHeader, body: Buffer): GtidEvent {
  requireLength(body, 25)
  const gtid = `${uuidText(body, 1)}:${body.readBigInt64LE(17)}`
  if (body.length < 49) {
    const atMs = header.timestamp * 1000
    return { gtid, atMs, byMs: atMs + 999, standalone: null }
  }
  let microseconds = readU56(body, 42)
  if ((microseconds & ORIGINAL_FOLLOWS) !== 0n) {
    requireLength(body, 56)
    microseconds = readU56(body, 49)
  }
  const atMs = Number(microseconds) / 1000
  return { gtid, atMs, byMs: atMs, standalone: null }
}

function readU56(body: Buffer, offset: number): bigint {
  return BigInt(body.readUIntLE(offset, 6)) | (BigInt(body.readUInt8(offset + 6)) << 48n)
}

/** Domains of one server, or servers of one domain; a file with more is none. */
const LIST_MAX = 100_000

/** Body: 0 count u32, its upper 4 bits flags · then domain u32, server u32, sequence u64 each. */
export function decodeMariadbGtidList(body: Buffer): string {
  requireLength(body, 4)
  const count = body.readUInt32LE(0) & 0x0fff_ffff
  requireLength(body, 4 + count * 16)
  const parts: string[] = []
  for (let index = 0; index < count; index += 1) {
    const at = 4 + index * 16
    const [domain, server] = [body.readUInt32LE(at), body.readUInt32LE(at + 4)]
    parts.push(`${domain}-${server}-${body.readBigUInt64LE(at + 8)}`)
  }
  return parts.join(',')
}

/** Body: 0 count u64 · each uuid, count of intervals u64, each first u64 and end u64, not in it. */
export function decodePreviousGtids(body: Buffer): string {
  requireLength(body, 8)
  if (body.readUInt8(7) !== 0) throw unsupported('GTIDs with tags')
  const count = Number(body.readBigUInt64LE(0))
  if (count > LIST_MAX) throw damaged('a list of GTIDs is too long')
  const parts: string[] = []
  let at = 8
  for (let index = 0; index < count; index += 1) {
    requireLength(body, at + 24)
    let text = uuidText(body, at)
    const intervals = Number(body.readBigUInt64LE(at + 16))
    at += 24
    if (intervals > LIST_MAX) throw damaged('a list of GTIDs is too long')
    requireLength(body, at + intervals * 16)
    for (let interval = 0; interval < intervals; interval += 1, at += 16) {
      text += `:${body.readBigUInt64LE(at)}-${body.readBigUInt64LE(at + 8) - 1n}`
    }
    if (intervals > 0) parts.push(text)
  }
  return parts.join(',')
}

/** The beginning of the text of a query event. */
export function decodeQuery(body: Buffer): string {
  requireLength(body, 13)
  const begin = 13 + body.readUInt16LE(11) + body.readUInt8(8) + 1
  return body.toString('latin1', begin, begin + 16)
}

function uuidText(body: Buffer, offset: number): string {
  const hex = body.toString('hex', offset, offset + 16)
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function requireLength(body: Buffer, length: number): void {
  if (body.length < length) throw damaged('an event is shorter than its kind')
}

export function damaged(what: string): MaasError {
  return new MaasError('DATABASE_STATE_INVALID', `a log cannot be read: ${what}`, {})
}

export function unsupported(what: string): MaasError {
  return new MaasError('DATABASE_VERSION_UNSUPPORTED', `a log holds ${what}`, {})
}
