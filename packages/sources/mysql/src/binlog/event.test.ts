import { expect, test } from 'vitest'
import { decodeHeader, decodeMysqlGtid, decodePreviousGtids, EVENT } from './event.ts'
import { decodeMariadbGtid, decodeMariadbGtidList, EVENT_HEADER_SIZE } from './event.ts'

/** As a standby of MySQL 9.7.4 wrote them, with their checksums. */
const GTID =
  '8f73036b2101000000560000001c010000000000' +
  '2e26d5c3e6c811f1aa2e02fc000000010a00000000000000' +
  '0200000000000000000100000000000000a0c9086ae560861fc7086ae56006fc2101506201006c4e76a0'
const PREVIOUS =
  '8f73036b230a848ca547000000c60000008000' +
  '01000000000000002e26d5c3e6c811f1aa2e02fc00000001' +
  '0100000000000000060000000000000009000000000000' +
  '0031551136'
const UUID = '2e26d5c3-e6c8-11f1-aa2e-02fc00000001'

const bytes = Buffer.from(GTID, 'hex')
const body = bytes.subarray(EVENT_HEADER_SIZE)

test('a header is 19 bytes, and says how long the event is', () => {
  expect(decodeHeader(bytes)).toEqual({
    timestamp: 1_795_388_303,
    type: EVENT.GTID,
    serverId: 1,
    length: bytes.length,
  })
})

test("MySQL's transaction has the microsecond of its commit on production", () => {
  expect(decodeMysqlGtid(decodeHeader(bytes), body)).toEqual({
    gtid: `${UUID}:10`,
    atMs: 1_795_388_303_001.375,
    byMs: 1_795_388_303_001.375,
    standalone: null,
  })
})

test('one that was committed here has one time only', () => {
  const local = Buffer.from(body)
  local.writeUInt8(0x06, 48) // Without the bit that says that another follows.
  const atMs = Number(local.readUIntLE(42, 6) + 0x06 * 2 ** 48) / 1000
  expect(decodeMysqlGtid(decodeHeader(bytes), local).atMs).toBe(atMs)
})

test('sets before a file have their last transaction, not the one after it', () => {
  const previous = Buffer.from(PREVIOUS, 'hex')
  expect(previous.length).toBe(decodeHeader(previous).length)
  expect(decodePreviousGtids(previous.subarray(EVENT_HEADER_SIZE))).toBe(`${UUID}:6-8`)
  expect(decodePreviousGtids(Buffer.alloc(8))).toBe('')
})

test('an event that is cut off is refused, wherever it is cut', () => {
  const header = decodeHeader(bytes)
  for (let length = 0; length < 25; length += 1) {
    expect(() => decodeMysqlGtid(header, body.subarray(0, length))).toThrow('shorter')
    expect(() => decodeMariadbGtid(header, Buffer.alloc(Math.min(length, 12)))).toThrow('shorter')
  }
  const previous = Buffer.from(PREVIOUS, 'hex').subarray(EVENT_HEADER_SIZE)
  for (let length = 0; length < 48; length += 1) {
    expect(() => decodePreviousGtids(previous.subarray(0, length))).toThrow('shorter')
  }
})

test('counts that no file could hold are refused before anything is read by them', () => {
  expect(() => decodeMariadbGtidList(Buffer.from('ffffff0f', 'hex'))).toThrow('shorter')
  expect(() => decodePreviousGtids(Buffer.from('ffffffffffff0000', 'hex'))).toThrow('too long')
  expect(() => decodePreviousGtids(Buffer.from('0100000000000001', 'hex'))).toThrow('tags')
})
