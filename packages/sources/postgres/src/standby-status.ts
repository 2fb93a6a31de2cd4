/** How the standby stands: asked of itself, of production, and of its log when neither tells. */
import { MaasError } from '@openmaas/kernel/errors'
import type {
  DatabaseConnection,
  DatabaseParams,
  DatabaseStatus,
} from '@openmaas/protocols/channel/database-orders'
import { NOTHING_KNOWN } from '@openmaas/protocols/channel/database-orders'
import { directorySize } from '@openmaas/source-kit/growing-directory'
import { findServer, serverLogTail } from '@openmaas/source-kit/server-process'
import { type Queries, withConnection } from './connection.ts'
import { lsn } from './lsn.ts'
import { localConnection, type Place, placeOf, type PostgresOptions } from './place.ts'
import { readSlot, type Slot } from './slot.ts'
import { findState, type PostgresState, standbyOf } from './state.ts'

/** One that fails does so within milliseconds, and begins again after a second. */
const RECEIVER_SETTLED_MS = 1500

/** Enough for some retries of the receiver, each of a few lines. */
const LOG_LOOK_MAX = 32 * 1024

/**
 * A receiver that was just started tells the begin of its segment as flushed, until there is more
 * than was replayed already: so what was replayed counts. A mark makes that durable by itself.
 */
const STANDBY = `
  select pg_is_in_recovery() as in_recovery,
         greatest(r.flushed_lsn, pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) as received,
         coalesce(nullif(r.received_tli, 0),
                  (select timeline_id from pg_control_checkpoint())) as timeline,
         pg_last_wal_replay_lsn() as replayed,
         extract(epoch from pg_last_xact_replay_timestamp()) * 1000 as replayed_ms,
         r.status as receiver,
         (select extract(epoch from clock_timestamp() - backend_start) * 1000
            from pg_stat_activity where pid = r.pid) as receiver_ms,
         pg_get_wal_replay_pause_state() as pause
    from (values (1)) as one left join pg_stat_wal_receiver r on true`

export interface StandbyView {
  readonly inRecovery: boolean
  /** Durable on the volume. */
  readonly received: bigint | null
  readonly receivedText: string
  readonly timeline: number
  readonly replayedText: string
  readonly replayedMs: number | null
  readonly streaming: boolean
  /** How long the receiver lives; null when there is none. */
  readonly receiverMs: number | null
  readonly paused: boolean
}

export async function readStandby(standby: Queries): Promise<StandbyView> {
  const [row] = await standby.rows(STANDBY)
  const received = row?.['received']
  const replayedMs = row?.['replayed_ms']
  return {
    inRecovery: row?.['in_recovery'] === true,
    received: typeof received === 'string' ? lsn(received) : null,
    receivedText: typeof received === 'string' ? received : '',
    timeline: Number(row?.['timeline'] ?? 0),
    replayedText: typeof row?.['replayed'] === 'string' ? row['replayed'] : '',
    replayedMs: replayedMs === null || replayedMs === undefined ? null : Number(replayedMs),
    streaming: row?.['receiver'] === 'streaming',
    receiverMs: typeof row?.['receiver_ms'] === 'string' ? Number(row['receiver_ms']) : null,
    paused: row?.['pause'] === 'paused',
  }
}

/** @returns null when it does not answer */
export async function askStandby<T>(
  place: Place,
  state: PostgresState,
  work: (standby: Queries) => Promise<T>,
): Promise<T | null> {
  if (findServer(place.server) === null) return null
  try {
    const { port } = standbyOf(place.id, state)
    return await withConnection(localConnection(place, state.superuser, port), work)
  } catch (error) {
    if (error instanceof MaasError && error.code === 'DATABASE_UNREACHABLE') return null
    throw error
  }
}

export interface ProductionView {
  readonly nowMs: number
  readonly current: bigint
  readonly systemIdentifier: string
  readonly timeline: number
  readonly slot: Slot | null
  /** Our standby is one that commits wait for. */
  readonly synchronous: boolean
}

const PRODUCTION = `
  select extract(epoch from clock_timestamp()) * 1000 as now_ms,
         pg_current_wal_flush_lsn() as current,
         (select system_identifier::text from pg_control_system()) as identifier,
         -- That of its last checkpoint may be older, just after a failover.
         ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int as timeline,
         exists (select from pg_stat_replication where application_name = $1
                  and sync_state in ('sync', 'quorum')) as synchronous`

export async function readProduction(production: Queries, slot: string): Promise<ProductionView> {
  const [row] = await production.rows(PRODUCTION, [slot])
  return {
    nowMs: Number(row?.['now_ms']),
    current: lsn(String(row?.['current'])),
    systemIdentifier: String(row?.['identifier']),
    timeline: Number(row?.['timeline']),
    synchronous: row?.['synchronous'] === true,
    slot: await readSlot(production, slot),
  }
}

export async function status(
  params: DatabaseParams<'database.status'>,
  options: PostgresOptions,
): Promise<DatabaseStatus> {
  const place = placeOf(params, options)
  const state = findState(place.layout)
  const logBytes = await directorySize(place.layout.log)
  if (state === null || state.phase === 'seeding') return unseeded(state, logBytes)
  return await standbyStatus(place, state, params.connection)
}

function unseeded(state: PostgresState | null, logBytes: number): DatabaseStatus {
  const reason = state === null ? 'not seeded yet' : 'the copy is not whole yet'
  return { ...NOTHING_KNOWN, state: 'seeding', reason, mustReseed: false, logBytes }
}

export async function standbyStatus(
  place: Place,
  state: PostgresState,
  connection: DatabaseConnection | null,
): Promise<DatabaseStatus> {
  const standby = await askStandby(place, state, readStandby)
  const { slot } = standbyOf(place.id, state)
  const { production, trouble } = await lookAtProduction(connection, slot)
  const logBytes = await directorySize(place.layout.log)
  const verdict = await judge({ place, state, standby, production, trouble })
  const detail = String(standby?.timeline ?? '')
  const behind =
    standby?.received === null || standby === null || production === null
      ? null
      : Math.max(0, Number(production.current - standby.received))
  return {
    ...verdict,
    received: placeAt(standby?.receivedText, detail),
    applied: placeAt(standby?.replayedText, detail),
    lagBytes: behind,
    lagMs: lagMs(behind, standby, production),
    retainedBytes: production?.slot?.retainedBytes ?? null,
    retainedLimitBytes: state.retainedLimitBytes,
    logBytes,
    logCutAtMs: state.logCutAtMs,
  }
}

function placeAt(position: string | undefined, detail: string): DatabaseStatus['received'] {
  return position === undefined || position === '' ? null : { position, detail }
}

/** Nothing to receive is no lag, however long ago the last commit was. */
function lagMs(
  behind: number | null,
  standby: StandbyView | null,
  production: ProductionView | null,
): number | null {
  if (behind === 0) return 0
  if (production === null || standby === null || standby.replayedMs === null) return null
  return Math.max(0, Math.round(production.nowMs - standby.replayedMs))
}

async function lookAtProduction(
  connection: DatabaseConnection | null,
  slot: string,
): Promise<{ production: ProductionView | null; trouble: string }> {
  if (connection === null) return { production: null, trouble: '' }
  try {
    const view = await withConnection(connection, (queries) => readProduction(queries, slot))
    return { production: view, trouble: '' }
  } catch (error) {
    if (!(error instanceof MaasError)) throw error
    return { production: null, trouble: `production: ${error.message}` }
  }
}

interface Evidence {
  readonly place: Place
  readonly state: PostgresState
  readonly standby: StandbyView | null
  readonly production: ProductionView | null
  readonly trouble: string
}

type Verdict = Pick<DatabaseStatus, 'state' | 'reason' | 'mustReseed'>

async function judge(evidence: Evidence): Promise<Verdict> {
  const { place, state, standby, production, trouble } = evidence
  if (production !== null && production.systemIdentifier !== state.systemIdentifier) {
    const reason =
      'another database answers there: its system identifier is ' +
      `${production.systemIdentifier}, not ${state.systemIdentifier}`
    return { state: 'broken', reason, mustReseed: true }
  }
  if (standby !== null && isFollowing(standby, production)) {
    return { state: 'following', reason: '', mustReseed: false }
  }
  const broken = (await provenBreak(place)) ?? (await goneBack(evidence))
  if (broken !== null) return { state: 'broken', reason: broken, mustReseed: true }
  const reasons = [state.givenUp ?? '', trouble, await stoppedReason(place, standby)]
  return { state: 'stopped', reason: reasons.filter(Boolean).join('; '), mustReseed: false }
}

/**
 * A receiver says "streaming" before its first byte: one that asks for log which is gone says so
 * for a moment, again and again. So it has either all there is, or lives for a while.
 */
function isFollowing(standby: StandbyView, production: ProductionView | null): boolean {
  if (!standby.streaming || standby.paused) return false
  const { received, receiverMs } = standby
  if (production !== null && received !== null && received >= production.current) return true
  return receiverMs !== null && receiverMs > RECEIVER_SETTLED_MS
}

async function stoppedReason(place: Place, standby: StandbyView | null): Promise<string> {
  if (findServer(place.server) === null) return 'the standby does not run'
  if (standby?.paused === true) {
    return 'replay has paused: production has larger limits now; follow restarts the standby'
  }
  const complaint = (await sinceStreaming(place))
    .split('\n')
    .findLast((line) => /(?:FATAL|PANIC|ERROR): /.test(line) && !/starting up/.test(line))
  if (complaint !== undefined) return complaint.replace(/^.*?(?:FATAL|PANIC|ERROR): +/, '')
  return standby === null ? 'the standby is starting' : 'the standby begins to receive'
}

/** What was logged after the log was last received: older trouble is over. */
async function sinceStreaming(place: Place): Promise<string> {
  const log = await serverLogTail(place.server, LOG_LOOK_MAX)
  return log.slice(Math.max(0, log.lastIndexOf('started streaming WAL')))
}

/** Nobody can follow back: timelines that are on the way to a higher one have lower numbers. */
const BEHIND = /highest timeline \d+ of the primary is behind recovery timeline (\d+)/

/**
 * The standby followed what was started in production's place, and the one before answers there
 * now. Both have to be seen: an address that led to it for a moment is no proof.
 */
async function goneBack({ place, standby, production }: Evidence): Promise<string | null> {
  if (production === null) return null
  const told = BEHIND.exec(await sinceStreaming(place))?.[1]
  const followed = Math.max(standby?.timeline ?? 0, Number(told ?? 0))
  if (production.timeline >= followed) return null
  return (
    `an older state of production answers there, on timeline ${production.timeline}: the standby ` +
    `has followed what took its place, on timeline ${followed}, which that one knows nothing of`
  )
}

/**
 * Only what no waiting can mend. A segment that production has removed is in log/ no more either:
 * the standby looks there first (restore_command).
 */
const BREAKS: readonly (readonly [RegExp, string])[] = [
  [
    /requested WAL segment ([0-9A-F]{24}) has already been removed/,
    'production has removed log that was not received, and log/ does not hold it: segment',
  ],
  [
    /database system identifier differs between the primary and standby/,
    'another database answers there: the system identifiers differ',
  ],
  [
    /new timeline (\d+) forked off current database system timeline \d+ before/,
    'production went on from before what was received; it is now on timeline',
  ],
  [
    /FATAL: +directory "([^"]+)" does not exist/,
    'production has a new tablespace, which only a new copy takes in:',
  ],
  // Where the path exists here: standby.ts keeps it from being shared.
  [
    /FATAL: +could not (?:create symbolic link|set permissions on directory) "([^"]+)"/,
    'production has a new tablespace, which only a new copy takes in:',
  ],
]

async function provenBreak(place: Place): Promise<string | null> {
  const log = await sinceStreaming(place)
  for (const [pattern, words] of BREAKS) {
    const match = pattern.exec(log)
    if (match !== null) return match[1] === undefined ? words : `${words} ${match[1]}`
  }
  return null
}
