import { expect, test } from 'vitest'
import { roleSql } from './check.ts'
import { databaseError, sqlstateOf } from './connection.ts'
import { Programs, programFolders } from './programs.ts'
import { checkUserSettings, shellQuote } from './server-settings.ts'

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

test('users set what an instance uses, not what keeps it apart', () => {
  const fine = { shared_buffers: '1GB', 'auto_explain.log_min_duration': '1s', work_mem: '64MB' }
  expect(checkUserSettings(fine)).toBe(fine)
  const refused = [
    { archive_command: 'x' },
    { port: '1' },
    { synchronous_standby_names: 'nobody' },
    { shared_preload_libraries: 'x' },
    { max_logical_replication_workers: '4' },
    { ident_file: '/x' },
    { ssl_passphrase_command: 'touch /x' },
    { wal_level: 'minimal' },
    { 'a b': '1' },
    { work_mem: '1\nport = 2' },
  ]
  for (const settings of refused) {
    expect(
      () => checkUserSettings(settings as Record<string, string>),
      JSON.stringify(settings),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  }
})
