/** MariaDB's replication: global transaction ids by domain (mariadb.com/kb: "gtid"). */
import { CONNECT_RETRY_SECONDS, isPositive, NOT_CONFIGURED, secondsOf } from './dialect.ts'
import type { Dialect, FollowSource, ReplicaStatus } from './dialect.ts'
import { MARIADB_GTIDS, parseMariadbPosition } from './gtid.ts'
import { numberOf } from './session.ts'
import type { Row, Session } from './session.ts'

export const MARIADB: Dialect = {
  product: 'mariadb',
  gtids: MARIADB_GTIDS,
  position: async (session) => (await session.value('SELECT @@global.gtid_binlog_pos')) ?? '',
  async applied(session) {
    // What was applied from production, and what was written here: after a replay both differ.
    const [row] = await session.rows('SELECT @@global.gtid_slave_pos a, @@global.gtid_binlog_pos b')
    return MARIADB_GTIDS.union(row?.['a'] ?? '', row?.['b'] ?? '')
  },
  async binlogEnd(session) {
    const [row] = await session.rows('SHOW MASTER STATUS')
    if (row === undefined) return null
    return { file: row['File'] ?? '', offset: numberOf(row['Position']) }
  },
  async replicaStatus(session) {
    const [row] = await session.rows('SHOW SLAVE STATUS')
    return row === undefined ? NOT_CONFIGURED : statusOf(row)
  },
  async setPosition(session, position) {
    await session.run(`SET GLOBAL gtid_slave_pos = ${session.quote(position)}`)
  },
  async follow(session, source) {
    await session.run(changeMaster(session, source))
  },
  stopReplica: (session) => session.run('STOP SLAVE'),
  stopReceiving: (session) => session.run('STOP SLAVE IO_THREAD'),
  startReplica: (session) => session.run('START SLAVE'),
  async forgetReplica(session) {
    const rows = await session.rows('SHOW ALL SLAVES STATUS')
    await session.run('STOP ALL SLAVES')
    for (const row of rows) {
      await session.run(`RESET SLAVE ${session.quote(row['Connection_name'] ?? '')} ALL`)
    }
  },
  async awaitPosition(session, position, seconds) {
    const sql = `SELECT MASTER_GTID_WAIT(${session.quote(position)}, ${seconds})`
    return (await session.value(sql, [], (seconds + 30) * 1000)) === '0'
  },
  proveBroken,
  async isSynchronous(production) {
    const sql = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_status'"
    const [row] = await production.rows(sql)
    return row?.['Value'] === 'ON'
  },
  isWaiting,
  synchronousRemedy:
    'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC;\n' +
    'SET GLOBAL rpl_semi_sync_master_timeout = 4294967295;\n' +
    'SET GLOBAL rpl_semi_sync_master_enabled = ON;',
  async identity(session) {
    const rows = await session.rows(
      'SHOW GLOBAL VARIABLES ' +
        "WHERE Variable_name IN ('server_uid', 'server_id', 'hostname', 'port')",
    )
    const of = new Map(rows.map((row) => [row['Variable_name'], row['Value']]))
    const uid = of.get('server_uid') ?? `${of.get('hostname')}:${of.get('port')}`
    return `mariadb:${uid}:${of.get('server_id')}`
  },
}

function changeMaster(session: Session, { connection, host, port, caFile }: FollowSource): string {
  const { tls } = connection
  const words = [
    `MASTER_HOST=${session.quote(host)}`,
    `MASTER_PORT=${port}`,
    `MASTER_USER=${session.quote(connection.user)}`,
    `MASTER_PASSWORD=${session.quote(connection.password ?? '')}`,
    `MASTER_CONNECT_RETRY=${CONNECT_RETRY_SECONDS}`,
    'MASTER_HEARTBEAT_PERIOD=5',
    'MASTER_USE_GTID=slave_pos',
    `MASTER_SSL=${tls === 'off' ? 0 : 1}`,
    `MASTER_SSL_VERIFY_SERVER_CERT=${tls === 'verify' ? 1 : 0}`,
    ...(caFile === null ? [] : [`MASTER_SSL_CA=${session.quote(caFile)}`]),
  ]
  return `CHANGE MASTER TO ${words.join(', ')}`
}

function statusOf(row: Row): ReplicaStatus {
  const io = row['Slave_IO_Running']
  return {
    configured: (row['Master_Host'] ?? '') !== '',
    receiving: io === 'Yes' ? 'yes' : io === 'No' ? 'no' : 'connecting',
    applying: row['Slave_SQL_Running'] === 'Yes',
    receiveErrorNumber: numberOf(row['Last_IO_Errno']),
    receiveError: row['Last_IO_Error'] ?? '',
    applyErrorNumber: numberOf(row['Last_SQL_Errno']),
    applyError: row['Last_SQL_Error'] ?? '',
    received: row['Gtid_IO_Pos'] ?? '',
    receivedFile: row['Master_Log_File'] ?? '',
    receivedOffset: numberOf(row['Read_Master_Log_Pos'] ?? '0'),
    lagSeconds: secondsOf(row['Seconds_Behind_Master']),
  }
}

function isWaiting(production: Session): Promise<boolean> {
  return isPositive(production, 'Rpl_semi_sync_master_wait_sessions')
}

async function proveBroken(production: Session, position: string): Promise<string | null> {
  const ours = parseMariadbPosition(position)
  const theirs = parseMariadbPosition((await MARIADB.position(production)) ?? '')
  for (const [domain, { server, sequence }] of ours) {
    const last = theirs.get(domain)
    // A domain that production logged long ago and whose binlogs are gone is not named any more.
    if (last === undefined) continue
    if (last.sequence < sequence || (last.sequence === sequence && last.server !== server)) {
      return `the standby is at ${domain}-${server}-${sequence}, which production does not have`
    }
  }
  // What production waits for, it will not have removed.
  if (await isWaiting(production)) return null
  const [first] = await production.rows('SHOW BINARY LOGS')
  const file = first?.['Log_name']
  if (file === undefined || file === null) return null
  const kept = await production.value(`SELECT BINLOG_GTID_POS(${production.quote(file)}, 4)`)
  for (const [domain, { server, sequence }] of parseMariadbPosition(kept ?? '')) {
    const last = theirs.get(domain)
    if ((ours.get(domain)?.sequence ?? 0n) >= sequence || last === undefined) continue
    return `production has removed its log up to ${domain}-${server}-${sequence}`
  }
  return null
}
