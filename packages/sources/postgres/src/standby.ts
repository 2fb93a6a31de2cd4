/**
 * The standby on the volume: a hot standby that receives production's log by a slot, answers on a
 * private socket only, and keeps every segment in log/.
 *
 * log/ is filled by the standby's own archiver (archive_mode = always) with hard links to pg_wal:
 * no second stream from production, no second slot, and no byte is written twice. That is safe
 * because wal_recycle is off: a finished segment is removed, never written again. The segment
 * that is being received is linked as ".partial" at each mark (wal-archive.ts).
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { makeLayout, ownTree } from '@openmaas/source-kit/layout'
import {
  findServer,
  killProcess,
  serverLog,
  serverLogTail,
  sessionMembers,
  startServer,
  stopServer,
} from '@openmaas/source-kit/server-process'
import { type Queries, withConnection, writeConnectionString } from './connection.ts'
import { type ControlData, readControlData } from './control-data.ts'
import { localConnection, type Place, SOCKET_PORT } from './place.ts'
import { Programs } from './programs.ts'
import {
  commonSettings,
  configPath,
  type ServerSettings,
  shellQuote,
  standbyMinima,
  writeServerFiles,
} from './server-settings.ts'
import type { PostgresState } from './state.ts'

/** A fast shutdown writes what is dirty; then it is killed, which recovery is made for. */
export const STOP_MS = 60_000
const POLL_MS = 50
/** One that is killed so often while it is asked is told as such. */
const ASK_ATTEMPTS_MAX = 3
/** Of the server's log that is looked through for why it does not run. */
const LOG_LOOK_MAX = 64 * 1024

/** Those that a running server takes up without a restart. */
const RELOADABLE = new Set(['primary_conninfo', 'primary_slot_name', 'restore_command'])

export interface StandbyOptions {
  readonly connection: DatabaseConnection
  readonly slot: string
  /** For users to read from while it follows: live sync. Null: nobody but us. */
  readonly open: OpenStandby | null
}

export interface OpenStandby {
  readonly listen: readonly string[]
  readonly port: number
  readonly settings: ServerSettings
  /** Roles that nobody comes in as; null: it is not known yet, and nobody comes in at all. */
  readonly refused: readonly string[] | null
  /** Receives nothing, also after a restart. */
  readonly paused: boolean
}

/**
 * Starts it, or lets the one that runs take up what is new.
 *
 * @returns where in its log that begins: what was logged before tells nothing of it
 */
export async function ensureStandby(
  place: Place,
  state: PostgresState,
  standby: StandbyOptions,
): Promise<number> {
  const programs = new Programs(state.major, place.programs)
  makeLayout(place.layout, place.user, 'agent')
  adoptVolume(place)
  const control = await readControlData(programs, place.layout.data, place.user)
  const settings = standbySettings(place, control, standby)
  const refused = standby.open?.refused ?? null
  const remote = refused === null ? 'reject' : 'scram-sha-256'
  const who = { superuser: state.superuser, refused: refused ?? [] }
  const changed = writeServerFiles(place, { settings, remote, ...who })
  if (runsHere(place)) {
    if ([...changed].every((name) => RELOADABLE.has(name))) {
      if (changed.size > 0) reloadServer(place)
      return logSize(place)
    }
    await stopServer(place.server, { signal: 'SIGINT', timeoutMs: STOP_MS })
  }
  prepareData(place)
  touch(place, 'standby.signal')
  const logFrom = logSize(place)
  await startPostgres(place, programs)
  return logFrom
}

function standbySettings(
  place: Place,
  control: ControlData,
  { connection, slot, open }: StandbyOptions,
): ServerSettings {
  const { layout, user } = place
  const log = shellQuote(layout.log)
  const conninfo = writeConnectionString(layout, user, connection, 'production')
  return {
    ...commonSettings(place),
    ...standbyMinima(control),
    shared_buffers: '64MB',
    // A restart of it, and each clone, replays the log from the last checkpoint of production that
    // it has made its own; by itself it would do that every five minutes.
    checkpoint_timeout: '30s',
    ...open?.settings,
    listen_addresses: open?.listen.join(',') ?? '',
    port: String(open?.port ?? SOCKET_PORT),
    hot_standby: 'on',
    // Queries of ours must never keep production from cleaning up.
    hot_standby_feedback: 'off',
    primary_conninfo: `${conninfo} application_name=${slot}`,
    primary_slot_name: slot,
    wal_receiver_status_interval: '1s',
    wal_retrieve_retry_interval: '1s',
    recovery_target_timeline: 'latest',
    restore_command: `[ -f ${log}/%f ] && cp ${log}/%f %p`,
    archive_mode: open === null ? 'always' : 'off',
    // Made durable before the server may remove its own name of the segment.
    archive_command: `{ [ %p -ef ${log}/%f ] || ln -f %p ${log}/%f; } && sync ${log}`,
    // Nobody takes points of it: log that is kept would only fill the clone.
    ...(open !== null && { archive_command: '' }),
    ...(open?.paused === true && { primary_conninfo: '', restore_command: 'false' }),
  }
}

/** Starts the server on data/ with the settings beside its socket. Returns before it answers. */
export async function startPostgres(place: Place, programs: Programs): Promise<void> {
  const command = [programs.path('postgres'), '-D', place.layout.data]
  command.push('-c', `config_file=${configPath(place)}`)
  await startServer({ ...place.server, command, user: place.user, restart: true })
}

export function reloadServer(place: Place): void {
  const pid = postmasterPid(place)
  if (pid !== null) killProcess(pid, 'SIGHUP')
}

/** Of the server, not of its keeper. */
export function postmasterPid(place: Place): number | null {
  const record = findServer(place.server)
  if (record === null) return null
  return sessionMembers(record.pid).find((pid) => pid !== record.pid) ?? null
}

/** @returns the port that the server of this directory said it has; null when it said nothing */
export function listenedPort(place: Place): number | null {
  const path = join(place.layout.data, 'postmaster.pid')
  if (!existsSync(path)) return null
  // Pid, data directory, start time, port: miscadmin.h, LOCK_FILE_LINE_PORT.
  const port = Number(readFileSync(path, 'latin1').split('\n')[3])
  return Number.isInteger(port) && port > 0 ? port : null
}

/**
 * What a copy of a volume brings along that is true of the original only: the record of its
 * server, and links to tablespaces where they were mounted.
 *
 * @throws MaasError DATABASE_RUNNING when a server works on the directory that we did not start
 */
export function prepareData(place: Place, options: { readonly keepAuto?: boolean } = {}): void {
  refuseForeignServer(place)
  rmSync(join(place.layout.data, 'postmaster.pid'), { force: true })
  // What ALTER SYSTEM set would come over our settings: it is kept for people to read.
  const auto = join(place.layout.data, 'postgresql.auto.conf')
  if (existsSync(auto) && options.keepAuto !== true) renameSync(auto, `${auto}.aside`)
  const links = join(place.layout.data, 'pg_tblspc')
  for (const oid of existsSync(links) ? readdirSync(links) : []) {
    const target = join(place.tablespaces, oid)
    if (!existsSync(target) || readlinkSync(join(links, oid)) === target) continue
    unlinkSync(join(links, oid))
    symlinkSync(target, join(links, oid))
  }
  if (existsSync(links)) closeTablespaces(place, links, options.keepAuto === true)
}

/**
 * Replay of CREATE TABLESPACE uses the path of production: on one host both servers would write
 * to the same files, and damage production. A server that cannot make the link stops instead, and
 * its log says so (standby-status.ts). One that stands in production's place may make its own.
 */
function closeTablespaces({ user }: Place, links: string, isOpen: boolean): void {
  chmodSync(links, isOpen ? 0o700 : 0o555)
  if (user !== null) chownSync(links, isOpen ? user.uid : 0, isOpen ? user.gid : 0)
}

/** Written on another host, the files may belong to a number that is somebody else's here. */
export function adoptVolume(place: Place): void {
  if (existsSync(place.tablespaces)) ownTree(place.tablespaces, place.user)
}

/**
 * @returns whether its server runs
 * @throws MaasError DATABASE_RUNNING when a server of that id runs on another volume
 */
export function runsHere(place: Place): boolean {
  const pid = postmasterPid(place)
  const cwd = pid === null ? null : workingDirectory(pid)
  if (pid === null || cwd === null) return findServer(place.server) !== null
  // One that has just been started is not in its directory yet.
  if (cwd === '/' || cwd === realpathSync(place.layout.data)) return true
  const message = `the server of ${place.id} runs on ${cwd}; deactivate it first`
  throw new MaasError('DATABASE_RUNNING', message, { pid, directory: cwd })
}

/** @returns null when it has ended meanwhile */
function workingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch (error) {
    const { code = 'EIO', path } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return null
    throw fsError(code, 'readlink', path ?? '', error)
  }
}

/** A server's working directory is its data directory. */
function refuseForeignServer(place: Place): void {
  const data = realpathSync(place.layout.data)
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    let cwd
    try {
      cwd = readlinkSync(`/proc/${name}/cwd`)
    } catch {
      continue // It ended, or belongs to somebody else.
    }
    if (cwd !== data) continue
    const message = `process ${name} works on the data directory, and was not started by us`
    throw new MaasError('DATABASE_RUNNING', message, { pid: Number(name), directory: data })
  }
}

export function touch(place: Place, name: string): void {
  writePrivateFile(join(place.layout.data, name), '', place.user)
}

export interface Answering {
  readonly place: Place
  readonly superuser: string
  readonly port: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Size of its log before it was started: older lines tell nothing. */
  readonly logFrom: number
}

/**
 * Waits until the server takes connections.
 *
 * @returns false when it has not within the time
 * @throws MaasError DATABASE_START_FAILED with the reason from its log, CANCELLED
 */
export async function waitForAnswer(server: Answering): Promise<boolean> {
  const { place, superuser, port, timeoutMs, signal, logFrom } = server
  const begunMs = performance.now()
  const connection = localConnection(place, superuser, port)
  for (;;) {
    const tookMs = performance.now() - begunMs
    if (signal.aborted) throw new MaasError('CANCELLED', 'starting the server was cancelled')
    try {
      await withConnection(connection, (queries) => queries.value('select 1'))
      return true
    } catch (error) {
      if (!(error instanceof MaasError)) throw error
      const failure = await startFailure(place, logFrom)
      if (failure !== null && !(tookMs < MOMENT_MS && isMomentary(place, failure))) throw failure
      if (error.code !== 'DATABASE_UNREACHABLE') throw error
    }
    if (tookMs > timeoutMs) return false
    await delay(POLL_MS)
  }
}

/**
 * Asks the server once it answers, and again when it ends meanwhile: its keeper starts it anew.
 *
 * @throws MaasError DATABASE_START_FAILED, CANCELLED, and what the work throws
 */
export async function askInstance<T>(
  server: Answering,
  work: (queries: Queries) => Promise<T>,
): Promise<T> {
  const connection = localConnection(server.place, server.superuser, server.port)
  for (let attempt = 1; ; attempt += 1) {
    if (!(await waitForAnswer(server))) {
      const message = `the server did not answer within ${server.timeoutMs} ms`
      throw new MaasError('DATABASE_START_FAILED', message, { log: serverLog(server.place.server) })
    }
    try {
      return await withConnection(connection, work)
    } catch (error) {
      if (attempt === ASK_ATTEMPTS_MAX || !isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
    }
  }
}

/** Processes of a server that was killed hold its name and memory for a moment. */
const MOMENTARY =
  /pre-existing shared memory block .* is still in use|lock file "[^"]+" already exists/
/** Until the kernel has taken them away, on a machine under load. */
const MOMENT_MS = 60_000

/** Its keeper tries again each second. */
function isMomentary(place: Place, failure: MaasError): boolean {
  return MOMENTARY.test(failure.message) && findServer(place.server) !== null
}

/** The server says this last of all; whatever made it end is told before. */
async function startFailure(place: Place, logFrom: number): Promise<MaasError | null> {
  const log = await logSince(place, logFrom)
  // Of its newest start alone: what made an earlier one end may be over.
  const tail = log.slice(Math.max(0, log.lastIndexOf('starting PostgreSQL')))
  const gone = findServer(place.server) === null
  if (!gone && !/database system is shut down|could not (?:create|open) lock file/.test(tail)) {
    return null
  }
  const lines = tail.split('\n').filter((line) => /(?:FATAL|PANIC|ERROR): /.test(line))
  const telling = lines.findLast((line) => !/starting up|shutting down/.test(line))
  const reason = telling?.replace(/^.*?(?:FATAL|PANIC|ERROR): +/, '') ?? 'the server ended'
  return new MaasError('DATABASE_START_FAILED', reason, { log: log.slice(-4096) })
}

export async function logSince(place: Place, from: number): Promise<string> {
  const size = logSize(place)
  if (size <= from) return ''
  return await serverLogTail(place.server, Math.min(LOG_LOOK_MAX, size - from))
}

export function logSize(place: Place): number {
  return statSync(serverLog(place.server), { throwIfNoEntry: false })?.size ?? 0
}
