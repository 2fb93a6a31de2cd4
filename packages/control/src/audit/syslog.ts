/**
 * Messages of RFC 5424, and their frames: octet counting on streams (RFC 5425, RFC 6587 3.4.1),
 * one datagram each on UDP (RFC 5426).
 *
 *   <110>1 2026-01-01T00:00:00.000Z host openmaas 42 audit [openmaas@32473 seq="1" …] text
 */
import { hostname } from 'node:os'
import process from 'node:process'

/** RFC 5424, 6.2.1. */
export const FACILITY = { user: 1, audit: 13 } as const
export const SEVERITY = { critical: 2, warning: 4, notice: 5, info: 6 } as const

export interface SyslogMessage {
  readonly facility: number
  readonly severity: number
  readonly atMs: number
  /** MSGID: kind of the message, printable ASCII. */
  readonly id: string
  readonly fields: Readonly<Record<string, string | number>>
  readonly text: string
}

/** The enterprise number that RFC 5612 keeps for examples: we have none of our own. */
const DATA_ID = 'openmaas@32473'
/** RFC 5424, 6: what every receiver should take. UDP beyond it is cut; a stream is not. */
const DATAGRAM_SIZE_MAX = 2048

/** @param limits of the header fields: 255 host, 48 application, 128 process, 32 message */
const name = (text: string, lengthMax: number) =>
  text.replace(/[^\x21-\x7e]/g, '_').slice(0, lengthMax) || '-'

export function formatSyslog(message: SyslogMessage): string {
  const { facility, severity, atMs, id, fields, text } = message
  const priority = facility * 8 + severity
  const time = new Date(atMs).toISOString()
  const header = `<${priority}>1 ${time} ${name(hostname(), 255)} openmaas ${process.pid}`
  const pairs = Object.entries(fields).map(([key, value]) => {
    return ` ${name(key, 32).replace(/[=\]"]/g, '_')}="${escapeValue(String(value))}"`
  })
  const data = pairs.length === 0 ? '-' : `[${DATA_ID}${pairs.join('')}]`
  // The BOM says that the text is UTF-8. A line break would start a new message in many viewers.
  return `${header} ${name(id, 32)} ${data} \ufeff${text.replace(/[\r\n\0]+/g, ' ')}`
}

/** RFC 5424, 6.3.3: these three, and nothing else. */
function escapeValue(value: string): string {
  return value.toWellFormed().replace(/["\\\]]/g, '\\$&')
}

export function frameSyslog(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([Buffer.from(`${bytes.length} `, 'ascii'), bytes])
}

/** Cut between characters. */
export function datagramOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= DATAGRAM_SIZE_MAX) return bytes
  let end = DATAGRAM_SIZE_MAX
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end)
}
