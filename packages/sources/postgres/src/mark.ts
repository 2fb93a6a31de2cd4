/**
 * Makes what follows a good moment for a snapshot: everything that production had committed
 * before the call is durable on the volume, and its log is in log/.
 *
 * Nothing is forced on production: no log switch, no checkpoint, no write. The standby is waited
 * for until it has flushed what production had flushed; a snapshot of data/ with that log is
 * recovered by the engine as after a power failure, which loses no commit.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { logBudget } from '@openmaas/source-kit/log-budget'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { type ClockReading, readClock } from '@openmaas/source-kit/clock-reading'
import { findServer } from '@openmaas/source-kit/server-process'
import { readSettings } from './as-production.ts'
import { type Queries, withConnection } from './connection.ts'
import { readControlData } from './control-data.ts'
import { lsn, segmentName, segmentOf } from './lsn.ts'
import { localConnection, type Place, placeOf, type PostgresOptions } from './place.ts'
import { Programs } from './programs.ts'
import { askStandby, readStandby, type StandbyView } from './standby-status.ts'
import { loadState, type Mark, MARKS_MAX, type PostgresState, saveState } from './state.ts'
import { linkLog, pruneLog } from './wal-archive.ts'

type MarkResult = DatabaseResult<'database.mark'>

/** A standby that is further behind than it receives in this time is no point to take. */
const RECEIVE_MS = 60_000
const POLL_MS = 20
/** An asynchronous commit is flushed within three times wal_writer_delay, 600 ms by default. */
const FLUSH_MS = 2000

/** The log's page; a record that ends with one is followed by the header of the next. */
const PAGE_SIZE = 8192n
const PAGE_HEADER_MAX = 40n

export async function mark(
  params: DatabaseParams<'database.mark'>,
  context: PluginContext,
  options: PostgresOptions,
): Promise<MarkResult> {
  const place = placeOf(params, options)
  const state = loadState(place.layout)
  if (state.phase === 'activated') return await markInstance(place, state)
  refuseStrayTablespaces(place)
  const production =
    params.connection === null
      ? null
      : await withConnection(params.connection, (queries) => readEnd(queries, context.signal))
  const standby = await waitUntilReceived(place, state, production?.flushed ?? 0n, context.signal)
  const atMs = production?.atMs ?? standby.replayedMs ?? Date.now()
  const segmentSize = BigInt(state.segmentSize)
  // The end of what was received: a segment that begins there has nothing in it yet.
  const current = segmentOf(standby.received! - 1n, standby.timeline, segmentSize)
  const made: Mark = {
    atMs,
    lsn: standby.receivedText,
    timeline: standby.timeline,
    segment: segmentName(current, segmentSize),
  }
  const oldest = (state.marks[0] ?? made).segment
  linkLog(place, { oldest, current }, segmentSize)
  const { markedBytes } = await logBudget(place.layout.directory)
  const pruned = pruneLog(place, [...state.marks, made].slice(-MARKS_MAX), markedBytes)
  // Loaded again: the guard of the slot may have written meanwhile.
  const productionSettings = production?.settings ?? state.productionSettings
  const marks = [...pruned.marks]
  saveState(place.layout, {
    ...loadState(place.layout),
    logCutAtMs: null,
    marks,
    productionSettings,
  })
  const known = production === null ? '' : ` ${production.transactions}`
  return {
    atMs,
    position: { position: standby.receivedText, detail: `${standby.timeline}${known}` },
    consistency: production === null ? 'crash' : 'application',
    logFromMs: pruned.marks[0]?.atMs ?? null,
    prunedBytes: pruned.prunedBytes,
    ...(production !== null && { clock: production.clock }),
  }
}

/** A tablespace that was made while we followed lies elsewhere: a point would be without it. */
function refuseStrayTablespaces(place: Place): void {
  const links = join(place.layout.data, 'pg_tblspc')
  for (const oid of readdirSync(links)) {
    const target = readlinkSync(join(links, oid))
    if (target === join(place.tablespaces, oid)) continue
    const message = `the tablespace ${oid} is at ${target}, which is not on the volume`
    throw new MaasError('DATABASE_CHAIN_BROKEN', message, { oid, target })
  }
}

interface ProductionEnd {
  readonly atMs: number
  readonly clock: ClockReading
  readonly flushed: bigint
  /** "730:745": transactions before the first had ended, those from the second on had not begun. */
  readonly transactions: string
  readonly settings: Record<string, string>
}

const END = `
  select extract(epoch from clock_timestamp()) * 1000 as at_ms,
         pg_current_wal_insert_lsn() as inserted, pg_current_wal_flush_lsn() as flushed,
         txid_snapshot_xmin(running) || ':' || txid_snapshot_xmax(running) as transactions
    from txid_current_snapshot() as running`

const CLOCK = 'select extract(epoch from clock_timestamp()) * 1000'

/** Where the log ended at the moment of the call, once production itself has flushed it. */
async function readEnd(production: Queries, signal: AbortSignal): Promise<ProductionEnd> {
  const [first] = await production.rows(END)
  const atMs = Number(first?.['at_ms'])
  const clock = await readClock(async () => Number(await production.value(CLOCK)))
  const inserted = lsn(String(first?.['inserted']))
  let flushed = lsn(String(first?.['flushed']))
  const deadline = performance.now() + FLUSH_MS
  while (!covers(flushed, inserted) && performance.now() < deadline && !signal.aborted) {
    await delay(POLL_MS)
    flushed = lsn(String(await production.value('select pg_current_wal_flush_lsn()')))
  }
  return {
    atMs,
    clock,
    flushed: flushed < inserted ? flushed : inserted,
    transactions: String(first?.['transactions']),
    settings: await readSettings(production),
  }
}

/** The position after a record that fills its page is told behind the next page's header. */
function covers(flushed: bigint, inserted: bigint): boolean {
  if (flushed >= inserted) return true
  return flushed % PAGE_SIZE === 0n && inserted - flushed <= PAGE_HEADER_MAX
}

async function waitUntilReceived(
  place: Place,
  state: PostgresState,
  wanted: bigint,
  signal: AbortSignal,
): Promise<StandbyView> {
  const deadline = performance.now() + RECEIVE_MS
  for (;;) {
    const standby = await askStandby(place, state, readStandby)
    if (standby !== null && standby.received !== null && covers(standby.received, wanted))
      return standby
    if (signal.aborted) throw new MaasError('CANCELLED', 'taking the point was cancelled')
    if (performance.now() > deadline || findServer(place.server) === null) {
      const message =
        standby === null
          ? 'the standby does not answer'
          : `the standby has received the log up to ${standby.receivedText} only`
      throw new MaasError('DATABASE_BEHIND', message, { directory: place.layout.directory })
    }
    await delay(POLL_MS)
  }
}

/** A virtual database: what is dirty is written, so that the next start has little to replay. */
async function markInstance(place: Place, state: PostgresState): Promise<MarkResult> {
  const { instance } = state
  const atMs = Date.now()
  if (instance === null || findServer(place.server) === null) {
    const programs = new Programs(state.major, place.programs)
    const control = await readControlData(programs, place.layout.data, place.user)
    const position = { position: control.redo, detail: String(control.timeline) }
    return { atMs, position, consistency: 'application', logFromMs: null, prunedBytes: 0 }
  }
  const connection = localConnection(place, state.superuser, instance.port)
  return await withConnection(connection, async (queries) => {
    await queries.rows('checkpoint')
    const position = String(await queries.value('select pg_current_wal_flush_lsn()'))
    const sql = 'select timeline_id from pg_control_checkpoint()'
    const detail = String(await queries.value(sql))
    const known = { consistency: 'application', logFromMs: null, prunedBytes: 0 } as const
    return { atMs, position: { position, detail }, ...known }
  })
}
