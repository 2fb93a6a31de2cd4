import { expect, test } from 'vitest'
import type { Programs } from './programs.ts'
import { instanceOptions, recoveryOptions } from './server-options.ts'
import { serverCommand, serverIdOf, standbyOptions } from './server-options.ts'
import type { ServerIdentity } from './server-options.ts'
import { checkSettings } from './user-options.ts'

const ID = 'src_00000000000000000000000001'

function identityOf(product: 'mariadb' | 'mysql'): ServerIdentity {
  const layout = {
    directory: '/v',
    data: '/v/data',
    log: '/v/log',
    state: '/v/openmaas.json',
    run: '/run/x',
  }
  const version = { product, number: '1.2.3', series: '1.2' }
  const programs: Programs = {
    version,
    server: '/bin/mysqld',
    client: '',
    binlog: '',
    backup: null,
  }
  const carried = { innodb_page_size: '4096', sql_mode: 'ANSI', innodb_undo_tablespaces: '3' }
  return { layout, programs, id: ID, carried }
}

test('a server id is the same each time, and no number that people give', () => {
  expect(serverIdOf(ID)).toBe(serverIdOf(ID))
  expect(serverIdOf(ID)).not.toBe(serverIdOf('vdb_00000000000000000000000001'))
  expect(serverIdOf(ID)).toBeGreaterThanOrEqual(2 ** 31)
  expect(serverIdOf(ID)).toBeLessThan(2 ** 32)
})

test.each(['mariadb', 'mysql'] as const)(
  'a standby of %s loses nothing and hears nobody',
  (product) => {
    const command = serverCommand(
      identityOf(product).programs,
      standbyOptions(identityOf(product), false),
    )
    expect(command.slice(0, 2)).toEqual(['/bin/mysqld', '--no-defaults'])
    for (const word of [
      '--skip-networking',
      '--sync-binlog=1',
      '--innodb-flush-log-at-trx-commit=1',
      '--relay-log-recovery=ON',
      '--binlog-expire-logs-seconds=0',
      '--log-bin=/v/log/binlog',
      '--innodb-page-size=4096',
      '--sql-mode=ANSI',
    ]) {
      expect(command).toContain(word)
    }
  },
)

test('what MySQL keeps in its dictionary is not given to it', () => {
  expect(standbyOptions(identityOf('mysql'), false)).not.toHaveProperty('innodb-undo-tablespaces')
  expect(standbyOptions(identityOf('mariadb'), false)).toHaveProperty(
    'innodb-undo-tablespaces',
    '3',
  )
})

test("a redo log is as large as production's, up to a limit", () => {
  const redo = (bytes: string): unknown => {
    const carried = { innodb_log_file_size: bytes }
    const options = standbyOptions({ ...identityOf('mariadb'), carried }, false)
    return options['innodb-log-file-size']
  }
  expect(redo('8388608')).toBe('8388608')
  expect(redo('8589934592')).toBe('100663296')
})

test('a recovery neither follows nor listens, whatever the user set', () => {
  const options = recoveryOptions(identityOf('mariadb'), {})
  expect(options).toMatchObject({ 'skip-networking': null, 'skip-slave-start': null })
})

test('an instance listens where it was told, with the settings of its user', () => {
  const settings = checkSettings({ Max_Connections: '7', 'sql-mode': 'STRICT_ALL_TABLES' })
  const opening = { port: 4711, listen: ['127.0.0.1', '10.0.0.1'], settings, follows: false }
  expect(instanceOptions(identityOf('mysql'), opening)).toMatchObject({
    port: '4711',
    'bind-address': '127.0.0.1,10.0.0.1',
    'max-connections': '7',
    'sql-mode': 'STRICT_ALL_TABLES',
    'skip-replica-start': 'ON',
  })
})

test.each(['mariadb', 'mysql'] as const)('no SQL on a server of %s reaches a file', (product) => {
  const identity = identityOf(product)
  const settings = checkSettings({ max_connections: '7' })
  const opening = { port: 1, listen: ['127.0.0.1'], settings, follows: false }
  const confined = product === 'mariadb' ? '/run/no-files' : 'NULL'
  for (const options of [
    standbyOptions(identity, true),
    recoveryOptions(identity, settings),
    instanceOptions(identity, opening),
  ]) {
    expect(options).toMatchObject({ 'local-infile': 'OFF', 'secure-file-priv': confined })
    expect(options).not.toHaveProperty('plugin-dir')
    expect('skip-symbolic-links' in options).toBe(product === 'mariadb')
  }
})
