/** An instance that was opened on a clone: what it says of itself, its end. */
import type {
  DatabaseParams,
  DatabaseResult,
  RunningInstance,
} from '@openmaas/protocols/channel/database-orders'
import { removeRun } from '@openmaas/source-kit/layout'
import { stopServer } from '@openmaas/source-kit/server-process'
import type { Queries } from './connection.ts'
import { placeOf, type PostgresOptions } from './place.ts'
import { STOP_MS } from './standby.ts'

const DESCRIBE = `
  select split_part(current_setting('server_version'), ' ', 1) as version,
         case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
              else coalesce(pg_last_wal_replay_lsn(), pg_current_wal_flush_lsn())
         end::text as replayed,
         extract(epoch from pg_last_xact_replay_timestamp()) * 1000 as replayed_ms,
         (select timeline_id from pg_control_checkpoint())::text as timeline`

const DATABASES =
  'select datname from pg_database where datallowconn and not datistemplate order by 1'

export async function readInstance(
  queries: Queries,
  running: Pick<RunningInstance, 'pid' | 'port' | 'socket'>,
): Promise<RunningInstance> {
  const [row] = await queries.rows(DESCRIBE)
  const databases = await queries.rows(DATABASES)
  const replayedMs = row?.['replayed_ms']
  return {
    ...running,
    version: String(row?.['version']),
    recoveredTo: {
      position: String(row?.['replayed']),
      detail: String(row?.['timeline']),
      timeMs: typeof replayedMs === 'string' ? Number(replayedMs) : null,
    },
    databases: databases.map((one) => String(one['datname'])),
  }
}

export async function deactivate(
  params: DatabaseParams<'database.deactivate'>,
  options: PostgresOptions,
): Promise<DatabaseResult<'database.deactivate'>> {
  const place = placeOf(params, options)
  const signal = params.immediate ? 'SIGQUIT' : 'SIGINT'
  const stopped = await stopServer(place.server, { signal, timeoutMs: STOP_MS })
  removeRun(place.layout)
  return { stopped }
}
