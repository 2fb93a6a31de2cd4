/** Sees to it that the standby runs and receives the log; guard.ts keeps it so. */
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { stopServer } from '@openmaas/source-kit/server-process'
import { type Queries, withConnection } from './connection.ts'
import { type Place, placeOf, type PostgresOptions, SOCKET_PORT } from './place.ts'
import { ensureSlot } from './slot.ts'
import { ensureStandby, STOP_MS, waitForAnswer } from './standby.ts'
import { askStandby, readStandby, standbyStatus } from './standby-status.ts'
import { loadState, type PostgresState, saveState } from './state.ts'

/** A standby that was long away replays first; its state tells that it is not there yet. */
const FOLLOW_MS = 60_000
const POLL_MS = 100

type FollowParams = DatabaseParams<'database.follow'>

export async function follow(
  params: FollowParams,
  context: PluginContext,
  options: PostgresOptions,
): Promise<DatabaseStatus> {
  const place = placeOf(params, options)
  const state = loadState(place.layout)
  if (state.phase === 'activated') {
    const message = 'the volume is a clone that was opened for writing; it follows nothing more'
    throw new MaasError('DATABASE_RUNNING', message, { directory: params.directory })
  }
  const { connection, retainedLimitBytes } = params
  const identifier = await withProduction(params, (queries) => prepareSlot(queries, state))
  if (identifier !== null && identifier !== state.systemIdentifier) {
    // The one we have goes on waiting for its own production: it is not touched.
    return await standbyStatus(place, state, connection)
  }
  const followed = { ...state, retainedLimitBytes, givenUp: null }
  saveState(place.layout, followed)
  await stopWhenPaused(place, followed)
  const logFrom = await ensureStandby(place, followed, { connection, slot: state.slot, open: null })
  const { superuser } = state
  const waiting = { place, superuser, port: SOCKET_PORT, signal: context.signal, logFrom }
  await waitForAnswer({ ...waiting, timeoutMs: FOLLOW_MS })
  return await waitForStreaming(place, followed, { params, signal: context.signal })
}

/** @returns null when production is away: the standby then waits for it by itself */
async function withProduction<T>(
  { connection }: FollowParams,
  work: (queries: Queries) => Promise<T>,
): Promise<T | null> {
  try {
    return await withConnection(connection, work)
  } catch (error) {
    if (error instanceof MaasError && error.code === 'DATABASE_UNREACHABLE') return null
    throw error
  }
}

/** @returns the system identifier of production */
export async function prepareSlot(queries: Queries, state: PostgresState): Promise<string> {
  const sql = 'select system_identifier::text from pg_control_system()'
  const identifier = String(await queries.value(sql))
  if (identifier === state.systemIdentifier) await ensureSlot(queries, state.slot)
  return identifier
}

/** Limits of production grew: the standby takes them from its control file at the start. */
export async function stopWhenPaused(place: Place, state: PostgresState): Promise<void> {
  const standby = await askStandby(place, state, readStandby)
  if (standby?.paused !== true) return
  await stopServer(place.server, { signal: 'SIGINT', timeoutMs: STOP_MS })
}

interface Waiting {
  readonly params: FollowParams
  readonly signal: AbortSignal
}

async function waitForStreaming(
  place: Place,
  state: PostgresState,
  { params, signal }: Waiting,
): Promise<DatabaseStatus> {
  const deadline = performance.now() + FOLLOW_MS
  for (;;) {
    const found = await standbyStatus(place, state, params.connection)
    const over = found.state === 'broken' || performance.now() > deadline || signal.aborted
    if (found.state === 'following') return await withSynchronous(params, state, found)
    if (over) return found
    await delay(POLL_MS)
  }
}

/** Says what to run when production was meant to wait for the standby, and does not. */
async function withSynchronous(
  { synchronous, connection }: FollowParams,
  { slot }: PostgresState,
  found: DatabaseStatus,
): Promise<DatabaseStatus> {
  if (!synchronous) return found
  const sql = `
    select 1 from pg_stat_replication
     where application_name = $1 and sync_state in ('sync', 'quorum')`
  const rows = await withConnection(connection, (queries) => queries.rows(sql, [slot]))
  if (rows.length > 0) return found
  return { ...found, reason: `production does not wait for the standby yet: ${syncRemedy(slot)}` }
}

/** synchronous_commit = on means flushed on the volume; remote_apply, visible there too. */
export function syncRemedy(slot: string): string {
  return (
    `ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (${slot})'; ` +
    'ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();'
  )
}
