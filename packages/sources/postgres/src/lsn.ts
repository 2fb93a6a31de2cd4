/**
 * Places in the write-ahead log and the names of its files.
 *
 *   LSN        "16/B374D848": 64 bits, two hexadecimal halves
 *   segment    "0000000100000016000000B3": timeline, then the number of the segment in two
 *              parts; a log of 4 GiB has 4 GiB / segment size segments
 *   partial    segment + ".partial": received in part
 *   history    "00000002.history": where timeline 2 left its parent
 *
 * PostgreSQL: src/include/access/xlog_internal.h.
 */
import { assert } from '@openmaas/kernel/assert'

const LOG_SIZE = 1n << 32n

/** @returns null when it is no LSN */
export function parseLsn(text: string): bigint | null {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text)
  return match === null ? null : (BigInt(`0x${match[1]!}`) << 32n) | BigInt(`0x${match[2]!}`)
}

/** Of an LSN that the server told. */
export function lsn(text: string): bigint {
  const value = parseLsn(text)
  assert(value !== null, `"${text}" is an LSN`)
  return value
}

export function formatLsn(value: bigint): string {
  return `${hex(value >> 32n)}/${hex(value & 0xffff_ffffn)}`
}

function hex(value: bigint, digits = 0): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}

export interface Segment {
  readonly timeline: number
  /** LSN divided by the segment's size. */
  readonly number: bigint
}

export function segmentOf(position: bigint, timeline: number, segmentSize: bigint): Segment {
  return { timeline, number: position / segmentSize }
}

export function segmentName({ timeline, number }: Segment, segmentSize: bigint): string {
  const perLog = LOG_SIZE / segmentSize
  return hex(BigInt(timeline), 8) + hex(number / perLog, 8) + hex(number % perLog, 8)
}

/** Of a whole or a partial segment. @returns null for any other file */
export function parseSegmentName(name: string, segmentSize: bigint): Segment | null {
  const match = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?:\.partial)?$/.exec(name)
  if (match === null) return null
  const [timeline, log, low] = [match[1]!, match[2]!, match[3]!].map((part) => BigInt(`0x${part}`))
  return { timeline: Number(timeline), number: log! * (LOG_SIZE / segmentSize) + low! }
}
