/** Makes binlog files of either product, event by event, for tests. */
import { writeFileSync } from 'node:fs'
import { BINLOG_MAGIC, EVENT, EVENT_HEADER_SIZE } from './event.ts'

export interface EventOptions {
  readonly timestamp?: number
  readonly serverId?: number
}

/** With four bytes of checksum, which here would prolong any word. */
export function event(type: number, body: Buffer, options: EventOptions = {}): Buffer {
  const header = Buffer.alloc(EVENT_HEADER_SIZE)
  header.writeUInt32LE(options.timestamp ?? 0, 0)
  header.writeUInt8(type, 4)
  header.writeUInt32LE(options.serverId ?? 1, 5)
  header.writeUInt32LE(EVENT_HEADER_SIZE + body.length + 4, 9)
  return Buffer.concat([header, body, Buffer.from('crc_')])
}

export function query(text: string): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt8(3, 8) // Of the database's name.
  head.writeUInt16LE(5, 11) // Of the status variables.
  return event(EVENT.QUERY, Buffer.concat([head, Buffer.alloc(5), Buffer.from(`app\0${text}`)]))
}

export const xid = (): Buffer => event(EVENT.XID, Buffer.alloc(8))

export function mariadbGtid(
  sequence: number,
  seconds: number,
  options: { flags?: number; domain?: number } = {},
): Buffer {
  const body = Buffer.alloc(19)
  body.writeBigUInt64LE(BigInt(sequence), 0)
  body.writeUInt32LE(options.domain ?? 0, 8)
  body.writeUInt8(options.flags ?? 0, 12)
  return event(EVENT.MARIADB_GTID, body, { timestamp: seconds })
}

export function mariadbList(positions: readonly (readonly [number, number, number])[]): Buffer {
  const body = Buffer.alloc(4 + positions.length * 16)
  body.writeUInt32LE(positions.length, 0)
  for (const [index, [domain, server, sequence]] of positions.entries()) {
    body.writeUInt32LE(domain, 4 + index * 16)
    body.writeUInt32LE(server, 8 + index * 16)
    body.writeBigUInt64LE(BigInt(sequence), 12 + index * 16)
  }
  return event(EVENT.MARIADB_GTID_LIST, body)
}

export function writeLog(path: string, events: readonly Buffer[]): void {
  const description = Buffer.alloc(90)
  description.writeUInt8(1, 89) // CRC32.
  const first = event(EVENT.FORMAT_DESCRIPTION, description)
  writeFileSync(path, Buffer.concat([BINLOG_MAGIC, first, ...events]))
}
