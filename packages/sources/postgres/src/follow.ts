/**
 * Sees to it that the standby runs and receives the log, and that its slot never fills
 * production's disk.
 *
 * The guard looks at the slot every GUARD_MS as long as this process lives; a repeated follow
 * after a crash of the agent sets it up again. While no agent runs, only production's own
 * max_slot_wal_keep_size limits what the slot keeps: check warns when that is unlimited.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { stopServer, trimServerLog } from '@openmaas/source-kit/server-process'
import { type Queries, sqlstateOf, withConnection } from './connection.ts'
import { type Place, placeOf, type PostgresOptions, slotName, SOCKET_PORT } from './place.ts'
import { createSlot, dropSlot, readSlot } from './slot.ts'
import { ensureStandby, STOP_MS, waitForAnswer } from './standby.ts'
import { askStandby, readStandby, standbyStatus } from './standby-status.ts'
import { loadState, type PostgresState, saveState } from './state.ts'

/** A disk of 1 GB/s fills by 5 GB meanwhile. */
const GUARD_MS = 5000
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
  await restartWhenPaused(place, followed)
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
async function prepareSlot(queries: Queries, state: PostgresState): Promise<string> {
  const sql = 'select system_identifier::text from pg_control_system()'
  const identifier = String(await queries.value(sql))
  if (identifier === state.systemIdentifier) await ensureSlot(queries, state.slot)
  return identifier
}

/** After a failover the new primary has none; one that lost its log is of no use. */
export async function ensureSlot(queries: Queries, name: string): Promise<void> {
  const slot = await readSlot(queries, name)
  if (slot?.walStatus === 'lost') await dropSlot(queries, name)
  else if (slot !== null) return
  try {
    await createSlot(queries, name)
  } catch (error) {
    if (sqlstateOf(error) !== '42710') throw error // Somebody else has just made it.
  }
}

/** Limits of production grew: the standby takes them from its control file at the start. */
async function restartWhenPaused(place: Place, state: PostgresState): Promise<void> {
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

/** Whose slot is watched, and how much it may keep. */
export type Guarded = Pick<FollowParams, 'id' | 'directory' | 'connection' | 'retainedLimitBytes'>

/** Watches the slots of the databases that are followed from this process. */
export class SlotGuard {
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #options: PostgresOptions

  constructor(options: PostgresOptions) {
    this.#options = options
  }

  watch(params: Guarded): void {
    this.release(params.id)
    let looking = false
    const timer = setInterval(() => {
      if (looking) return
      looking = true
      this.look(params)
        // Production is away or refuses: then nothing can be dropped, and status tells why.
        .catch(() => {})
        .finally(() => (looking = false))
    }, GUARD_MS)
    timer.unref()
    this.#timers.set(params.id, timer)
  }

  release(id: string): void {
    clearInterval(this.#timers.get(id))
    this.#timers.delete(id)
  }

  /** One look. @returns whether the slot was given up */
  async look(params: Guarded): Promise<boolean> {
    const place = placeOf(params, this.#options)
    trimServerLog(place.server)
    // Not the state's: a clone has that of the database it is a clone of.
    const name = slotName(params.id)
    return await withConnection(params.connection, async (queries) => {
      const slot = await readSlot(queries, name)
      if (slot === null || slot.retainedBytes <= params.retainedLimitBytes) return false
      await giveUpSlot(queries, name)
      const givenUp =
        `the slot ${name} kept ${slot.retainedBytes} bytes on production, more than the ` +
        `${params.retainedLimitBytes} it may, and was given up`
      saveState(place.layout, { ...loadState(place.layout), givenUp })
      this.release(params.id)
      return true
    })
  }
}

/** A slot in use is dropped after its sender was ended, which a role may do with its own. */
async function giveUpSlot(queries: Queries, name: string): Promise<void> {
  const end = `
    select pg_terminate_backend(active_pid)
      from pg_replication_slots where slot_name = $1 and active`
  const deadline = performance.now() + GUARD_MS
  for (;;) {
    await queries.rows(end, [name])
    if (await dropSlot(queries, name)) return
    if ((await readSlot(queries, name)) === null || performance.now() > deadline) return
    await delay(POLL_MS)
  }
}
