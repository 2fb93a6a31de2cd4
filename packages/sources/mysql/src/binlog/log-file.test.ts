import { mkdtempSync, rmSync, truncateSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EVENT } from './event.ts'
import { event, mariadbGtid, mariadbList, query, writeLog, xid } from './binlog.test-support.ts'
import { previousPosition, readTransactions } from './log-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'openmaas-binlog-'))
afterAll(() => rmSync(directory, { recursive: true }))
const path = join(directory, 'binlog.000001')
const STANDALONE = 1
const rows = (): Buffer => event(23, Buffer.alloc(300))

function gtids(): string[] {
  return [...readTransactions(path)].map(({ gtid }) => gtid)
}

test('a transaction begins with its GTID and ends with its XID or COMMIT', () => {
  writeLog(path, [
    mariadbList([[0, 1, 6]]),
    mariadbGtid(7, 100),
    rows(),
    rows(),
    xid(),
    mariadbGtid(8, 101),
    query('INSERT INTO t VALUES (1)'),
    query('COMMIT'),
    mariadbGtid(9, 102, { flags: STANDALONE }),
    query('CREATE TABLE commit_log (a INT)'),
  ])
  const found = [...readTransactions(path)]
  expect(found.map(({ gtid, atMs, byMs }) => [gtid, atMs, byMs])).toEqual([
    ['0-1-7', 100_000, 100_999],
    ['0-1-8', 101_000, 101_999],
    ['0-1-9', 102_000, 102_999],
  ])
  expect(found[1]!.begin).toBe(found[0]!.end)
  expect(found[2]!.end).toBe(readFileSync(path).length)
  expect(previousPosition(path)).toBe('0-1-6')
})

test('what a crash cut off is no transaction, wherever it was cut', () => {
  writeLog(path, [mariadbGtid(1, 1), rows(), xid()])
  const whole = readFileSync(path).length
  writeLog(path, [mariadbGtid(1, 1), rows(), xid(), mariadbGtid(2, 2), rows(), xid()])
  const full = readFileSync(path)
  for (let size = whole; size < full.length; size += 1) {
    writeFileSync(path, full.subarray(0, size))
    expect(gtids(), `${size} bytes`).toEqual(['0-1-1'])
  }
  writeFileSync(path, Buffer.concat([full, Buffer.alloc(1000)]))
  expect(gtids(), 'zeros behind the end').toEqual(['0-1-1', '0-1-2'])
})

test('a transaction that another one follows is whole, whatever it held', () => {
  writeLog(path, [mariadbGtid(1, 1), event(99, Buffer.alloc(5)), mariadbGtid(2, 2), xid()])
  expect(gtids()).toEqual(['0-1-1', '0-1-2'])
})

test('a statement that only begins like COMMIT ends nothing', () => {
  writeLog(path, [mariadbGtid(1, 1), query('COMMITTEE'), query('SAVEPOINT a')])
  expect(gtids()).toEqual([])
})

test('a file of no bytes holds nothing; one of other bytes is refused', () => {
  writeLog(path, [])
  truncateSync(path, 0)
  expect(gtids()).toEqual([])
  expect(previousPosition(path)).toBeNull()
  writeFileSync(path, 'PGDMP of something else')
  expect(gtids).toThrow('no binlog')
})

test('transactions without a GTID are refused, since nothing could tell them apart', () => {
  writeLog(path, [event(EVENT.ANONYMOUS_GTID, Buffer.alloc(42)), xid()])
  expect(gtids).toThrow('without a GTID')
})
