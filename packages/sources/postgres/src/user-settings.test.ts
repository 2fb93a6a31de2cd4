import { expect, test } from 'vitest'
import { checkUserSettings } from './user-settings.ts'

test('users set what an instance uses, in either case', () => {
  const fine = {
    shared_buffers: '1GB',
    work_mem: '64MB',
    max_connections: '50',
    max_wal_size: '64MB',
    autovacuum_naptime: '1min',
    enable_seqscan: 'off',
    jit: 'off',
    log_min_duration_statement: '1s',
    statement_timeout: '1min',
    DateStyle: 'ISO, DMY',
    'auto_explain.log_min_duration': '1s',
    'pg_stat_statements.max': '1000',
  }
  expect(checkUserSettings(fine)).toBe(fine)
})

test.each([
  // PostgreSQL 12 to 15 unlink this file on a standby, whosever it is.
  ['promote_trigger_file', 'names files'],
  ['Promote_Trigger_File', 'names files'],
  ['trigger_file', 'names files'],
  ['ident_file', 'names files'],
  ['config_file', 'names files'],
  ['include', 'is not among'],
  ['include_dir', 'names files'],
  ['data_directory', 'names files'],
  ['stats_temp_directory', 'names files'],
  ['ssl_crl_dir', 'names files'],
  ['temp_tablespaces', 'names files'],
  ['archive_command', 'names what is run'],
  ['ssl_passphrase_command', 'names what is run'],
  ['shared_preload_libraries', 'names what is run'],
  ['output_plugin_libraries', 'names what is run'],
  ['dynamic_library_path', 'names what is run'],
  ['extension_control_path', 'names what is run'],
  ['plperl.on_init', 'names what is run'],
  ['extension_destdir', 'names files'],
  ['port', 'who comes in'],
  ['listen_addresses', 'who comes in'],
  ['primary_conninfo', 'replication'],
  ['recovery_target_time', 'replication'],
  ['synchronous_standby_names', 'replication'],
  ['max_logical_replication_workers', 'replication'],
  ['wal_level', 'replication'],
  ['fsync', 'can be recovered'],
  ['full_page_writes', 'can be recovered'],
  ['log_directory', 'names files'],
  ['log_min_messages', 'the log'],
  // Our own sessions, which are a superuser's, would read words otherwise.
  ['search_path', 'not among'],
  ['standard_conforming_strings', 'not among'],
  ['jit_dump_bitcode', 'not among'],
  ['postgis.gdal_datapath', 'extension'],
  ['auto_explain.', 'extension'],
  ['a b', 'is no setting'],
])('%s is refused, since it %s', (name, why) => {
  const settings = { work_mem: '1MB', [name]: '/x' }
  expect(() => checkUserSettings(settings)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(why) }),
  )
  expect(() => checkUserSettings(settings)).toThrow(`"${name}"`)
})

test('a value is one line, and all that is refused is named', () => {
  expect(() => checkUserSettings({ work_mem: '1\nport = 2' })).toThrow('several lines')
  expect(() => checkUserSettings({ port: '1', hba_file: '/x' })).toThrow(/"port".*"hba_file"/)
})
