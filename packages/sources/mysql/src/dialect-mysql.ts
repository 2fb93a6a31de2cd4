/** MySQL's replication: sets of global transaction ids (its manual, "Replication with GTIDs"). */
import { CONNECT_RETRY_SECONDS, isPositive, NOT_CONFIGURED, secondsOf } from './dialect.ts'
import type { Dialect, FollowSource, ReplicaStatus } from './dialect.ts'
import { MYSQL_GTIDS } from './gtid.ts'
import { numberOf } from './session.ts'
import type { Row, Session } from './session.ts'

async function executed(session: Session): Promise<string> {
  const set = await session.value('SELECT @@global.gtid_executed')
  return (set ?? '').replace(/\s+/g, '')
}

export const MYSQL: Dialect = {
  product: 'mysql',
  gtids: MYSQL_GTIDS,
  position: executed,
  applied: executed,
  async binlogEnd(session) {
    // 8.0 has the old name only.
    const old = (await session.value('SELECT VERSION()'))?.startsWith('8.0.') === true
    const [row] = await session.rows(old ? 'SHOW MASTER STATUS' : 'SHOW BINARY LOG STATUS')
    if (row === undefined) return null
    return { file: row['File'] ?? '', offset: numberOf(row['Position']) }
  },
  async replicaStatus(session) {
    const [row] = await session.rows('SHOW REPLICA STATUS')
    return row === undefined ? NOT_CONFIGURED : statusOf(row)
  },
  // A clone knows what it has executed.
  setPosition: async () => {},
  async follow(session, source) {
    await session.run(changeSource(session, source))
  },
  stopReplica: (session) => session.run('STOP REPLICA'),
  stopReceiving: (session) => session.run('STOP REPLICA IO_THREAD'),
  startReplica: (session) => session.run('START REPLICA'),
  async forgetReplica(session) {
    await session.run('STOP REPLICA')
    await session.run('RESET REPLICA ALL')
  },
  async awaitPosition(session, position, seconds) {
    const sql = `SELECT WAIT_FOR_EXECUTED_GTID_SET(${session.quote(position)}, ${seconds})`
    return (await session.value(sql, [], (seconds + 30) * 1000)) === '0'
  },
  async proveBroken(production, position) {
    const [row] = await production.rows(
      'SELECT GTID_SUBTRACT(@@global.gtid_purged, ?) purged, ' +
        'GTID_SUBTRACT(?, @@global.gtid_executed) unknown_there',
      [position, position],
    )
    const purged = (row?.['purged'] ?? '').replace(/\s+/g, '')
    const unknown = (row?.['unknown_there'] ?? '').replace(/\s+/g, '')
    if (unknown !== '') return `the standby has ${unknown}, which production does not have`
    if (purged !== '') return `production has removed its log of ${purged}`
    return null
  },
  async isSynchronous(production) {
    const sql = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_status'"
    const [row] = await production.rows(sql)
    return row?.['Value'] === 'ON'
  },
  isWaiting: (production) => isPositive(production, 'Rpl_semi_sync_source_wait_sessions'),
  synchronousRemedy:
    "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';\n" +
    'SET PERSIST rpl_semi_sync_source_timeout = 4294967295;\n' +
    'SET PERSIST rpl_semi_sync_source_enabled = ON;',
  identity: async (session) => `mysql:${await session.value('SELECT @@global.server_uuid')}`,
}

function changeSource(session: Session, { connection, host, port, caFile }: FollowSource): string {
  const { tls } = connection
  const words = [
    `SOURCE_HOST=${session.quote(host)}`,
    `SOURCE_PORT=${port}`,
    `SOURCE_USER=${session.quote(connection.user)}`,
    `SOURCE_PASSWORD=${session.quote(connection.password ?? '')}`,
    `SOURCE_CONNECT_RETRY=${CONNECT_RETRY_SECONDS}`,
    // Production may be away for as long as it takes.
    'SOURCE_RETRY_COUNT=0',
    'SOURCE_HEARTBEAT_PERIOD=5',
    'SOURCE_AUTO_POSITION=1',
    `SOURCE_SSL=${tls === 'off' ? 0 : 1}`,
    `SOURCE_SSL_VERIFY_SERVER_CERT=${tls === 'verify' ? 1 : 0}`,
    // Without TLS the password goes encrypted by production's own key.
    'GET_SOURCE_PUBLIC_KEY=1',
    ...(caFile === null ? [] : [`SOURCE_SSL_CA=${session.quote(caFile)}`]),
  ]
  return `CHANGE REPLICATION SOURCE TO ${words.join(', ')}`
}

function statusOf(row: Row): ReplicaStatus {
  const io = row['Replica_IO_Running']
  const sets = [row['Retrieved_Gtid_Set'] ?? '', row['Executed_Gtid_Set'] ?? '']
  return {
    configured: (row['Source_Host'] ?? '') !== '',
    receiving: io === 'Yes' ? 'yes' : io === 'No' ? 'no' : 'connecting',
    applying: row['Replica_SQL_Running'] === 'Yes',
    receiveErrorNumber: numberOf(row['Last_IO_Errno']),
    receiveError: row['Last_IO_Error'] ?? '',
    applyErrorNumber: numberOf(row['Last_SQL_Errno']),
    applyError: row['Last_SQL_Error'] ?? '',
    received: MYSQL_GTIDS.union(sets[0]!, sets[1]!),
    receivedFile: row['Source_Log_File'] ?? '',
    receivedOffset: numberOf(row['Read_Source_Log_Pos'] ?? '0'),
    lagSeconds: secondsOf(row['Seconds_Behind_Source']),
  }
}
