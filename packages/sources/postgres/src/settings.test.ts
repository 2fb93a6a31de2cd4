import { expect, test } from 'vitest'
import { roleSql } from './check.ts'
import { databaseError, sqlstateOf } from './connection.ts'
import { Programs, programFolders } from './programs.ts'
import { shellQuote } from './server-settings.ts'

test('the least role copies and streams, and its name and password are quoted', () => {
  expect(roleSql('open"maas', "it's")).toBe(
    `CREATE ROLE "open""maas" LOGIN REPLICATION PASSWORD 'it''s';\nGRANT pg_monitor TO "open""maas";`,
  )
})

test('folders of programs come from settings, and a version without any says what to install', () => {
  const folders = programFolders({
    OPENMAAS_POSTGRES_BIN_17: '/x',
    OPENMAAS_POSTGRES_BIN_1: '/y',
    A: '',
  })
  expect(folders).toEqual({ 17: '/x' })
  expect(() => new Programs(39, folders)).toThrow(
    expect.objectContaining({
      code: 'DATABASE_VERSION_UNSUPPORTED',
      message: expect.stringContaining('postgresql-39'),
    }),
  )
})

test.each([
  ['28P01', 'DATABASE_DENIED'],
  ['28000', 'DATABASE_DENIED'],
  ['42501', 'DATABASE_DENIED'],
  ['57P03', 'DATABASE_UNREACHABLE'],
  ['53300', 'DATABASE_UNREACHABLE'],
  ['ECONNREFUSED', 'DATABASE_UNREACHABLE'],
  ['EPIPE', 'DATABASE_UNREACHABLE'],
  ['42710', 'DATABASE_PROGRAM_FAILED'],
])('%s is %s', (sqlstate, code) => {
  const error = databaseError(Object.assign(new Error('words'), { code: sqlstate }))
  expect(error).toMatchObject({ code })
  expect(sqlstateOf(error)).toBe(sqlstate)
})

test('a path in a command of the server cannot end its quotes or be taken for a placeholder', () => {
  expect(shellQuote("/a'b/100%f")).toBe("'/a'\\''b/100%%f'")
})
