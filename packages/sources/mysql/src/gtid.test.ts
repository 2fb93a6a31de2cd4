import { describe, expect, test } from 'vitest'
import { MARIADB_GTIDS, MYSQL_GTIDS, parseMysqlSet } from './gtid.ts'

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const B = '4e11fa47-71ca-11e1-9e33-c80aa9429562'

describe('MariaDB positions', () => {
  test.each([
    ['0-1-100', '0-1-100', true],
    ['0-1-100', '0-2-99', true],
    ['0-1-100', '0-1-101', false],
    ['0-1-100,3-1-5', '3-1-5', true],
    ['0-1-100', '3-1-1', false],
    ['0-1-100', '', true],
    ['', '0-1-1', false],
    // More than a double holds exactly.
    ['0-1-9007199254740993', '0-1-9007199254740994', false],
  ])('"%s" contains "%s": %s', (whole, part, contained) => {
    expect(MARIADB_GTIDS.contains(whole, part)).toBe(contained)
  })

  test('the union has the later transaction of each domain', () => {
    expect(MARIADB_GTIDS.union('0-1-7,2-1-1', '0-2-9')).toBe('0-2-9,2-1-1')
    expect(MARIADB_GTIDS.union('', '')).toBe('')
  })

  test('what is no position is refused', () => {
    expect(() => MARIADB_GTIDS.contains('0-1', '')).toThrow('no GTID')
    expect(() => MARIADB_GTIDS.contains(`${A}:1-3`, '')).toThrow('no GTID')
  })

  test('a transaction is one GTID, not a position of several', () => {
    expect(MARIADB_GTIDS.parse(' 0-1-7 ')).toBe('0-1-7')
    expect(MARIADB_GTIDS.parse('0-1-7,1-1-1')).toBeNull()
    expect(MARIADB_GTIDS.parse(`${A}:7`)).toBeNull()
  })
})

describe('MySQL sets', () => {
  test.each([
    [`${A}:1-5`, `${A}:2-3`, true],
    [`${A}:1-5`, `${A}:2-6`, false],
    [`${A}:1-2:3-5`, `${A}:2-4`, true],
    [`${A}:1-2:4-5`, `${A}:2-4`, false],
    [`${A}:1-5,\n${B}:1`, `${B}:1`, true],
    [`${A}:1-5`, `${B}:1`, false],
    [`${A}:1-5:blue:1-3`, `${A}:blue:2`, true],
    [`${A}:1-5:blue:1-3`, `${A}:blue:4`, false],
    [A.toUpperCase().concat(':1-5'), `${A}:5`, true],
    ['', '', true],
  ])('"%s" contains "%s": %s', (whole, part, contained) => {
    expect(MYSQL_GTIDS.contains(whole, part)).toBe(contained)
  })

  test('intervals that touch become one', () => {
    expect(MYSQL_GTIDS.union(`${A}:1-3:7`, `${A}:4-6,${B}:9`)).toBe(`${A}:1-7,${B}:9`)
    expect(parseMysqlSet(`${A}:5:1-2`).get(A)).toEqual([
      [1n, 2n],
      [5n, 5n],
    ])
  })

  test.each([`${A}`, `${A}:0`, `${A}:5-4`, `${A}:1-`, 'x:1', '0-1-5'])(
    '"%s" is refused',
    (text) => {
      expect(() => parseMysqlSet(text)).toThrow('no GTID')
    },
  )

  test('a transaction is one number of one server', () => {
    expect(MYSQL_GTIDS.parse(`${A.toUpperCase()}:7`)).toBe(`${A}:7`)
    expect(MYSQL_GTIDS.parse(`${A}:blue:7`)).toBe(`${A}:blue:7`)
    expect(MYSQL_GTIDS.parse(`${A}:1-7`)).toBeNull()
    expect(MYSQL_GTIDS.parse('0-1-7')).toBeNull()
  })
})
