/** The transactions of one binlog file, in the order of their commits. */
import { closeSync, openSync, readSync } from 'node:fs'
import { gtidsOf } from '../gtid.ts'
import {
  BINLOG_MAGIC,
  EVENT,
  EVENT_HEADER_SIZE,
  damaged,
  decodeHeader,
  decodeMariadbGtid,
  decodeMariadbGtidList,
  decodeMysqlGtid,
  decodePreviousGtids,
  decodeQuery,
  unsupported,
} from './event.ts'
import type { EventHeader, GtidEvent } from './event.ts'

export interface LoggedTransaction extends GtidEvent {
  /** Of its first event and behind its last, in the file. */
  readonly begin: number
  readonly end: number
}

/** Of an event that is looked into; a list of GTIDs may be long, the others are short. */
const BODY_MAX = 16 * 1024 * 1024
/** Most events are small, and of large ones only the header is read. */
const BUFFER_SIZE = 256 * 1024

/** Sequential reading with leaps over what nobody looks at. */
class FileReader implements Disposable {
  readonly #descriptor: number
  #buffer = Buffer.alloc(0)
  #offset = 0
  /** The buffer holds the end of the file. */
  #ended = false

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r')
  }

  /** @returns fewer bytes than asked at the end of the file */
  read(offset: number, length: number): Buffer {
    const begin = offset - this.#offset
    const inside = begin >= 0 && begin + length <= this.#buffer.length
    if (!inside && !(this.#ended && begin >= 0)) this.#fill(offset, length)
    const from = offset - this.#offset
    return this.#buffer.subarray(from, from + length)
  }

  #fill(offset: number, length: number): void {
    const buffer = Buffer.alloc(Math.max(length, BUFFER_SIZE))
    let filled = 0
    while (filled < buffer.length) {
      const rest = buffer.length - filled
      const count = readSync(this.#descriptor, buffer, filled, rest, offset + filled)
      if (count === 0) break
      filled += count
    }
    this.#offset = offset
    this.#ended = filled < buffer.length
    this.#buffer = buffer.subarray(0, filled)
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

interface Event {
  readonly header: EventHeader
  readonly body: Buffer
  readonly begin: number
  readonly end: number
}

/** Those whose bodies are read. */
const LOOKED_INTO = new Set<number>([
  EVENT.FORMAT_DESCRIPTION,
  EVENT.QUERY,
  EVENT.GTID,
  EVENT.PREVIOUS_GTIDS,
  EVENT.MARIADB_GTID,
  EVENT.MARIADB_GTID_LIST,
])

/** Whole events; what a crash cut off at the end is not there. */
function* readEvents(path: string): Generator<Event> {
  using file = new FileReader(path)
  const magic = file.read(0, BINLOG_MAGIC.length)
  // An empty file is one that a crash caught at its birth.
  if (magic.length < BINLOG_MAGIC.length) return
  if (!magic.equals(BINLOG_MAGIC)) throw damaged(`${path} is no binlog, or an encrypted one`)
  let trailer = 0
  for (let begin = BINLOG_MAGIC.length; ;) {
    const bytes = file.read(begin, EVENT_HEADER_SIZE)
    if (bytes.length < EVENT_HEADER_SIZE) return
    const header = decodeHeader(bytes)
    // Zeros behind the last event: space that was allocated and not written.
    if (header.length < EVENT_HEADER_SIZE) return
    const end = begin + header.length
    if (file.read(end - 1, 1).length === 0) return
    const length = LOOKED_INTO.has(header.type) ? header.length - EVENT_HEADER_SIZE : 0
    if (length > BODY_MAX && header.type !== EVENT.QUERY) throw damaged(`${path} has a huge event`)
    // Of a statement only its beginning matters; 70 KiB hold any status before it.
    const looked = Math.min(length, BODY_LOOK_MAX(header))
    const body = Buffer.from(file.read(begin + EVENT_HEADER_SIZE, looked))
    if (header.type === EVENT.FORMAT_DESCRIPTION) trailer = trailerSize(body)
    const used = Math.max(0, Math.min(looked, length - trailer))
    yield { header, body: body.subarray(0, used), begin, end }
    begin = end
  }
}

/** The byte before the event's own checksum says whether events have one: 1 is CRC32. */
function trailerSize(body: Buffer): number {
  return body.length > 5 && body.readUInt8(body.length - 5) === 1 ? 4 : 0
}

const BODY_LOOK_MAX = ({ type }: EventHeader): number =>
  type === EVENT.QUERY ? 70 * 1024 : BODY_MAX

/** What was committed before the file begins, as a position or set; null when it does not say. */
export function previousPosition(path: string): string | null {
  for (const { header, body } of readEvents(path)) {
    if (header.type === EVENT.MARIADB_GTID_LIST) {
      return gtidsOf('mariadb').union(decodeMariadbGtidList(body), '')
    }
    if (header.type === EVENT.PREVIOUS_GTIDS) return decodePreviousGtids(body)
    if (header.type === EVENT.GTID || header.type === EVENT.MARIADB_GTID) return null
  }
  return null
}

/** Whole transactions only. */
export function* readTransactions(path: string): Generator<LoggedTransaction> {
  let open: { gtid: GtidEvent; begin: number; standalone: boolean | null } | undefined
  for (const { header, body, begin, end } of readEvents(path)) {
    const gtid = gtidOf(header, body)
    if (gtid !== null || header.type === EVENT.ROTATE || header.type === EVENT.STOP) {
      // Another begins, or the file ends in order: the one before was whole, whatever it held.
      if (open !== undefined) yield { ...open.gtid, begin: open.begin, end: begin }
      open = gtid === null ? undefined : { gtid, begin, standalone: gtid.standalone }
      continue
    }
    if (open === undefined) continue
    open.standalone ??= isAlone(header, body)
    if (!endsTransaction(header, body, open.standalone)) continue
    yield { ...open.gtid, begin: open.begin, end }
    open = undefined
  }
}

function gtidOf(header: EventHeader, body: Buffer): GtidEvent | null {
  switch (header.type) {
    case EVENT.MARIADB_GTID:
      return decodeMariadbGtid(header, body)
    case EVENT.GTID:
      return decodeMysqlGtid(header, body)
    case EVENT.GTID_TAGGED:
      throw unsupported('GTIDs with tags')
    case EVENT.ANONYMOUS_GTID:
      throw unsupported('transactions without a GTID')
    default:
      return null
  }
}

/** MySQL: a statement that is a transaction by itself has no BEGIN before it. */
function isAlone(header: EventHeader, body: Buffer): boolean {
  if (header.type !== EVENT.QUERY) return false
  const text = decodeQuery(body)
  return !text.startsWith('BEGIN') && !text.startsWith('XA START')
}

function endsTransaction({ type }: EventHeader, body: Buffer, standalone: boolean): boolean {
  const last: readonly number[] = [EVENT.XID, EVENT.XA_PREPARE, EVENT.TRANSACTION_PAYLOAD]
  if (last.includes(type)) return true
  if (type !== EVENT.QUERY) return false
  return standalone || /^(?:COMMIT|ROLLBACK)(?![\w ])/.test(decodeQuery(body))
}
