import { expect, test } from 'vitest'
import { checkSettings } from './user-options.ts'

test('users set what an instance uses, under either spelling of a name', () => {
  const settings = {
    general_log: '1',
    innodb_log_file_size: '1',
    ssl: '0',
    sort_buffer_size: '1',
    'innodb-buffer-pool-size': '1G',
    Max_Connections: '7',
    sql_mode: 'ANSI',
    'default-time-zone': '+00:00',
    innodb_flush_log_at_trx_commit: '2',
    event_scheduler: 'ON',
    optimizer_switch: 'mrr=on',
  }
  expect(Object.keys(checkSettings(settings))).toHaveLength(11)
  expect(checkSettings({ Max_Connections: '7' })).toEqual({ 'max-connections': '7' })
})

test.each([
  ['datadir', '/etc'],
  ['skip_grant_tables', '1'],
  ['INIT-FILE', '/x'],
  ['init_connect', 'drop table t'],
  ['x y', '1'],
  ['--port', '1'],
  ['port', '1'],
  ['loose_secure_file_priv', '/tmp'],
  ['loose-max-connections', '1'],
  ['secure-file-priv', '/'],
  ['plugin-load-ad', 'x.so'],
  ['plugin-load', 'x.so'],
  ['wsrep_notify_cmd', '/bin/x'],
  ['wsrep-provider', '/x.so'],
  ['disable-skip-grant-tables', '0'],
  ['general_log_fil', '/tmp/x'],
  ['general_log_file', '/tmp/x'],
  ['slow-query-log-file', '/tmp/x'],
  ['log-error', '/tmp/x'],
  ['log-bin', '/tmp/x'],
  ['innodb_data_file_path', '/dev/sda:1Graw'],
  ['innodb_ft_server_stopword_table', 'a/b'],
  ['innodb-adaptive-x-file', '/x'],
  ['server-audit-file-path', '/x'],
  ['replicate-do-db', 'x'],
  ['relay-log', '/x'],
  ['read-only', '0'],
  ['server-id', '1'],
  ['local-infile', '1'],
  ['mysqlx', '1'],
  ['core-file', '1'],
  ['max_connections', '1\n2'],
])('the setting %s=%s is refused', (name, value) => {
  expect(() => checkSettings({ sort_buffer_size: '1', [name]: value })).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('not to be set'),
    }),
  )
})

test('it is said why, of all that are refused', () => {
  const settings = { init_file: '/x', general_log_file: '/y', 'server-id': '1', skip_grant: '1' }
  expect(() => checkSettings(settings)).toThrow(
    /"init_file" names what is run.*"general_log_file" names files.*replication.*comes in/,
  )
})
