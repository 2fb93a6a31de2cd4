/** A good moment for a snapshot, and the pruning of log that the points need no more. */
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { logBudget } from '@openmaas/source-kit/log-budget'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { directorySize } from '@openmaas/source-kit/growing-directory'
import { lastTransaction, listLogFiles } from './binlog/plan.ts'
import { connectLocal, isRunning } from './private-server.ts'
import { openProduction, productionNow } from './production.ts'
import type { Moment } from './production.ts'
import type { Session } from './session.ts'
import { loadState, MARKS_MAX, saveState } from './state.ts'
import type { Mark } from './state.ts'
import { layoutOf, openVolume } from './volume.ts'
import type { Place, PluginOptions, Volume } from './volume.ts'

type Params = DatabaseParams<'database.mark'>
type Result = DatabaseResult<'database.mark'>

/** One wait of the server's own; between two of them we see whether it is worth waiting on. */
const WAIT_SECONDS = 2
/** A standby that receives or applies no more, and does not go on by itself, is stuck. */
const STUCK_MS = 60_000
/** One statement, such as ALTER TABLE, takes as long as it took on production. */
const STATEMENT_MS = 3_600_000
/** Points that always keep their log, however large it is. */
const MARKS_MIN = 3
/**
 * Of log/ in bytes: beyond it only MARKS_MIN points keep theirs. Also a quarter of data/, and never
 * more than its part of the volume.
 */
const LOG_BYTES_FREE = 1024 * 1024 * 1024

export async function mark(
  params: Params,
  { signal }: PluginContext,
  options: PluginOptions,
): Promise<Result> {
  const volume = await openVolume(params, options)
  await using local = await connectLocal(volume.layout)
  if (volume.state.role === 'instance') return await checkpoint(volume, local)
  const moment =
    params.connection === null
      ? await receivedUntilNow(volume, local, signal)
      : await committedUntilNow(volume, local, params.connection, signal)
  const file = await beginLog(volume, local, moment)
  const { atMs, position, clock } = moment
  const marks = [...volume.state.marks, { atMs, position, file }]
  const kept = await keptMarks(volume, marks)
  saveState(volume.layout, { ...volume.state, logCutAtMs: null, marks: kept })
  const prunedBytes = await prune(volume, local, kept)
  return {
    atMs,
    position: { position, detail: file },
    consistency: 'application',
    logFromMs: kept[0]?.atMs ?? null,
    prunedBytes,
    ...(clock !== undefined && { clock }),
  }
}

/** All that production committed before now. */
async function committedUntilNow(
  volume: Volume,
  local: Session,
  connection: NonNullable<Params['connection']>,
  signal: AbortSignal,
): Promise<Moment> {
  const { session } = await openProduction(connection)
  await using production = session
  const { dialect } = volume
  const moment = await productionNow(production, (asked) => dialect.position(asked))
  await awaitApplied(volume, local, moment.position, signal)
  return moment
}

/** Production is not asked, since it is gone or away: all that came from it. */
async function receivedUntilNow(
  volume: Volume,
  local: Session,
  signal: AbortSignal,
): Promise<Moment> {
  const { received } = await volume.dialect.replicaStatus(local)
  await awaitApplied(volume, local, received, signal)
  const position = await volume.dialect.applied(local)
  const last = lastTransaction(listLogFiles([volume.layout.log]))
  // What is later may have been committed and not have come: nothing is promised for it.
  return { atMs: last?.atMs ?? Date.now(), position }
}

/** @throws MaasError DATABASE_BEHIND, CANCELLED */
export async function awaitApplied(
  { dialect }: Volume,
  local: Session,
  position: string,
  signal: AbortSignal,
): Promise<void> {
  let seen = await dialect.applied(local)
  let since = performance.now()
  while (!dialect.gtids.contains(await dialect.applied(local), position)) {
    if (signal.aborted) throw new MaasError('CANCELLED', 'the order was cancelled', {})
    if (await dialect.awaitPosition(local, position, WAIT_SECONDS)) return
    const applied = await dialect.applied(local)
    if (applied !== seen) [seen, since] = [applied, performance.now()]
    const replica = await dialect.replicaStatus(local)
    const works = replica.applying && replica.receiving === 'yes'
    const stuck = performance.now() - since > (works ? STATEMENT_MS : STUCK_MS)
    if (!stuck && replica.applyErrorNumber === 0) continue
    const why = replica.applyError || replica.receiveError || 'nothing was applied for a long time'
    throw new MaasError('DATABASE_BEHIND', `the standby is behind: ${why}`, { applied, position })
  }
}

/** @returns the file that holds what comes after; on the disk is all that came before */
async function beginLog(
  { dialect, state }: Volume,
  local: Session,
  moment: Moment,
): Promise<string> {
  const before = state.marks.at(-1)
  const end = await dialect.binlogEnd(local)
  if (before?.position === moment.position && end?.file === before.file) return before.file
  await local.run('FLUSH LOCAL BINARY LOGS')
  await local.run('FLUSH LOCAL ENGINE LOGS')
  return (await dialect.binlogEnd(local))?.file ?? ''
}

async function keptMarks({ layout }: Volume, marks: readonly Mark[]): Promise<Mark[]> {
  const { markedBytes } = await logBudget(layout.directory)
  const wanted = Math.max(LOG_BYTES_FREE, (await directorySize(layout.data)) / 4)
  const allowed = Math.min(markedBytes, wanted)
  const large = (await directorySize(layout.log)) > allowed
  return marks.slice(large ? -MARKS_MIN : -MARKS_MAX)
}

async function prune({ layout }: Volume, local: Session, marks: readonly Mark[]): Promise<number> {
  const [oldest] = marks
  if (oldest === undefined || oldest.file === '') return 0
  const before = await directorySize(layout.log)
  await local.run(`PURGE BINARY LOGS TO ${local.quote(oldest.file)}`)
  return Math.max(0, before - (await directorySize(layout.log)))
}

/**
 * While no point is taken, too: log/ stays within its part of the volume. When what the newest
 * points need is more than that, all of it goes but the file that is being written: a recovery
 * from them needs the whole log or none. Nothing after the newest point is had until the next.
 */
export async function boundLog(place: Place, options: PluginOptions): Promise<void> {
  const state = loadState(layoutOf(place, options))
  if (state?.seeded !== true || state.role !== 'standby') return
  const volume = await openVolume(place, options)
  const { layout } = volume
  const { markedBytes, openBytes } = await logBudget(layout.directory)
  if (!isRunning(layout) || (await directorySize(layout.log)) <= markedBytes) return
  await using local = await connectLocal(layout)
  const marks = state.marks.slice(-MARKS_MIN)
  if (marks.length < state.marks.length) {
    saveState(layout, { ...state, marks })
    await prune(volume, local, marks)
  }
  if ((await directorySize(layout.log)) <= openBytes) return
  await local.run('FLUSH LOCAL BINARY LOGS')
  const file = (await volume.dialect.binlogEnd(local))?.file ?? ''
  if (file === '') return
  // Before anything is removed: nobody may believe that it is still there.
  saveState(layout, { ...state, marks: [], logCutAtMs: Date.now() })
  await local.run(`PURGE BINARY LOGS TO ${local.quote(file)}`)
}

/** Of an instance of its own: what it has acknowledged is on the disk. */
async function checkpoint(volume: Volume, local: Session): Promise<Result> {
  const atMs = Date.now()
  await local.run('FLUSH LOCAL BINARY LOGS')
  await local.run('FLUSH LOCAL ENGINE LOGS')
  const position = await volume.dialect.applied(local)
  return {
    atMs,
    position: { position, detail: '' },
    consistency: 'crash',
    logFromMs: null,
    prunedBytes: 0,
  }
}
