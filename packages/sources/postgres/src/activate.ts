/**
 * An instance of its own on a clone of a volume: the engine recovers it to the target, and opens
 * it on a timeline of its own, where it can touch nothing of production.
 *
 *   clone at rest ──▶ prepared ──▶ recovering (private socket only) ──▶ open to its users
 *
 * Recovery is PostgreSQL's own archive recovery. A moment of commit decides about a time: of the
 * commits in the order of the log, the first one after it and all that follow are left out.
 * Repeated while it runs, or after it ended, the instance is found or started again as it was.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, RunningInstance } from '@openmaas/protocols/channel/database-orders'
import { freePort, waitForPort } from '@openmaas/source-kit/free-port'
import { makeLayout, socketDirectory } from '@openmaas/source-kit/layout'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { findServer, stopServer } from '@openmaas/source-kit/server-process'
import type { Queries } from './connection.ts'
import { type ControlData, readControlData } from './control-data.ts'
import { listPowerful, makeAdministrator } from './administrator.ts'
import { productionAccess, productionMaps, settingsHere } from './as-production.ts'
import { followLive } from './live-sync.ts'
import { readInstance } from './instance.ts'
import { type Place, placeOf, type PostgresOptions } from './place.ts'
import { Programs } from './programs.ts'
import {
  checkReachable,
  coveredUntilMs,
  isBeforeConsistency,
  isEndBeforeTarget,
  recoverySettings,
} from './recovery.ts'
import { commonSettings, type ServerSettings, standbyMinima } from './server-settings.ts'
import { writeServerFiles } from './server-settings.ts'
import {
  adoptVolume,
  askInstance,
  listenedPort,
  logSize,
  postmasterPid,
  prepareData,
  reloadServer,
  runsHere,
  startPostgres,
  STOP_MS,
  touch,
  waitForAnswer,
} from './standby.ts'
import { loadState, type PostgresState, saveState } from './state.ts'
import { checkUserSettings } from './user-settings.ts'
import { borrowLog } from './wal-archive.ts'

type ActivateParams = DatabaseParams<'database.activate'>

/** Replay reads some 100 MB of log a second; hours of it are the exception, and allowed. */
const RECOVER_MS = 6 * 60 * 60_000
/** Of one that ends under our hands: the second finds it ended, and starts it. */
const ATTEMPTS_MAX = 3

export interface Activation {
  readonly params: ActivateParams
  readonly context: PluginContext
  readonly place: Place
  readonly programs: Programs
  readonly state: PostgresState
  readonly port: number
}

export async function activate(
  params: ActivateParams,
  context: PluginContext,
  options: PostgresOptions,
): Promise<RunningInstance> {
  const place = placeOf(params, options)
  checkUserSettings(params.settings)
  for (let attempt = 1; ; attempt += 1) {
    const state = loadState(place.layout)
    const programs = new Programs(state.major, place.programs)
    const running = runsHere(place)
    const port = await choosePort(params, { place, state, running })
    const activation = { params, context, place, programs, state, port }
    try {
      return await bringUp(activation, running)
    } catch (error) {
      // One that ran before is its users', whatever failed now.
      if (!running) await stopServer(place.server, { signal: 'SIGQUIT', timeoutMs: STOP_MS })
      // What was found running were the last processes of one that was killed with its keeper.
      const isAway =
        isMaasError(error, 'DATABASE_UNREACHABLE') || isMaasError(error, 'DATABASE_START_FAILED')
      const hasEnded = running && isAway && findServer(place.server) === null
      if (!hasEnded || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

async function bringUp(activation: Activation, running: boolean): Promise<RunningInstance> {
  const { params, place, state } = activation
  makeLayout(place.layout, place.user, 'agent')
  adoptVolume(place)
  borrowLog(place, params.logDirectories)
  if (params.follow !== null) return await followLive(activation, params.follow, running)
  if (!running) prepareData(place, { keepAuto: keepsAuto(activation) })
  if (state.instance?.recovered !== true) await recover(activation)
  else if (state.instance.id !== place.id && params.target.kind !== 'snapshot') {
    // A copy of a clone: what it was recovered from is not in its log.
    throw unreachable(params, 'it was opened for writing before', null)
  }
  return await open(activation)
}

/** What ALTER SYSTEM set in production's place is meant to hold. */
function keepsAuto({ params, place, state }: Activation): boolean {
  const { instance } = state
  return params.asProduction === true && instance?.id === place.id && instance.recovered
}

/** The same again when it is repeated: users were told. */
async function choosePort(
  params: ActivateParams,
  { place, state, running }: Pick<Activation, 'place' | 'state'> & { readonly running: boolean },
): Promise<number> {
  const { instance } = state
  const own = instance?.id === params.id ? instance.port : null
  if (running && own !== null) return own
  const wanted = params.port ?? own
  // What has it is the server itself, of a copy whose state was not its own yet.
  if (running && wanted !== null && wanted === listenedPort(place)) return wanted
  if (wanted === null) return await freePort(params.listen)
  if (await waitForPort(wanted, params.listen)) return wanted
  const message = `port ${wanted} is in use on this host`
  throw new MaasError('PORT_TAKEN', message, { port: wanted })
}

/** Ends with a server on a timeline of its own that answers on its private socket. */
async function recover(activation: Activation): Promise<void> {
  const { params, place, programs, state, port } = activation
  const signal = join(place.layout.data, 'recovery.signal')
  const begun = state.phase === 'activated' && state.instance?.id === place.id
  if (begun && !existsSync(signal)) {
    // It had ended, and the agent before it could say so: the engine removes the signal last.
    const instance = { id: place.id, port, recovered: true }
    saveState(place.layout, { ...state, instance })
    return
  }
  // One that a crashed agent left half way is begun again: replay goes on where it was.
  await stopServer(place.server, { signal: 'SIGINT', timeoutMs: STOP_MS })
  const control = await readControlData(programs, place.layout.data, place.user)
  checkReachable(params.target, state, control)
  const instance = { id: place.id, port, recovered: false }
  touch(place, 'recovery.signal')
  saveState(place.layout, { ...state, phase: 'activated', instance })
  try {
    await replay(activation, recoverySettings(place, params))
  } catch (error) {
    if (isBeforeConsistency(error)) throw unreachable(params, 'the copy is newer than it', error)
    if (!isEndBeforeTarget(error)) throw error
    const { target } = params
    const coveredMs = coveredUntilMs(place, params.logDirectories)
    if (target.kind !== 'time' || coveredMs === null || coveredMs < target.atMs) {
      throw unreachable(params, 'the log ends before it', error)
    }
    // The log reaches beyond that moment, and nothing was committed after it: its end is it.
    await replay(activation, recoverySettings(place, { ...params, target: { kind: 'end' } }))
  }
  const recovered = { ...instance, recovered: true }
  saveState(place.layout, { ...state, phase: 'activated', instance: recovered })
}

function unreachable({ target }: ActivateParams, why: string, cause: unknown): MaasError {
  const details = { target: JSON.stringify(target) }
  const message = `that moment cannot be recovered from this copy: ${why}`
  return new MaasError('DATABASE_TARGET_UNREACHABLE', message, details, { cause })
}

async function replay(activation: Activation, recovery: ServerSettings): Promise<void> {
  const { context, place, programs, state, port } = activation
  const control = await readControlData(programs, place.layout.data, place.user)
  prepareData(place)
  rmSync(join(place.layout.data, 'standby.signal'), { force: true })
  const settings = { ...instanceSettings(activation, control), ...recovery }
  writeServerFiles(place, { settings, remote: 'reject', superuser: state.superuser })
  const logFrom = logSize(place)
  await startPostgres(place, programs)
  const waiting = { place, superuser: state.superuser, port, signal: context.signal, logFrom }
  try {
    if (await waitForAnswer({ ...waiting, timeoutMs: RECOVER_MS })) return
  } catch (error) {
    await stopServer(place.server, { signal: 'SIGQUIT', timeoutMs: STOP_MS })
    throw error
  }
  await stopServer(place.server, { signal: 'SIGQUIT', timeoutMs: STOP_MS })
  throw new MaasError('DATABASE_START_FAILED', `recovery took longer than ${RECOVER_MS} ms`)
}

function instanceSettings(
  { params, place, programs, state, port }: Activation,
  control: ControlData,
): ServerSettings {
  const { max_logical_replication_workers: _, ...common } = commonSettings(place)
  const isProduction = params.asProduction === true
  return {
    ...(isProduction ? common : commonSettings(place)),
    ...(isProduction && settingsHere(place, programs, state.productionSettings)),
    ...standbyMinima(control),
    ...(isProduction ? {} : { shared_buffers: '128MB' }),
    ...params.settings,
    listen_addresses: params.listen.join(','),
    port: String(port),
    // Queries while it still recovers would see what is no moment anybody asked for.
    hot_standby: 'off',
    primary_conninfo: '',
    primary_slot_name: '',
  }
}

/** The administrator is made first, then users are let in. */
async function open(activation: Activation): Promise<RunningInstance> {
  const { params, context, place, programs, state, port } = activation
  const control = await readControlData(programs, place.layout.data, place.user)
  const settings = instanceSettings(activation, control)
  const logFrom = logSize(place)
  if (findServer(place.server) === null) {
    writeServerFiles(place, { settings, remote: 'reject', superuser: state.superuser })
    await startPostgres(place, programs)
  }
  const current = loadState(place.layout)
  if (current.instance?.id !== place.id) {
    // A branch has what it was copied from in its state: from here on it is found as its own.
    saveState(place.layout, { ...current, instance: { id: place.id, port, recovered: true } })
  }
  // One that runs may be recovering: its keeper starts it again when it was killed.
  const { superuser } = state
  const waiting = { place, superuser, port, signal: context.signal, logFrom }
  return await askInstance({ ...waiting, timeoutMs: RECOVER_MS }, async (queries: Queries) => {
    const entry = { settings, remote: 'scram-sha-256', superuser } as const
    if (params.asProduction === true) {
      const own = { access: productionAccess(place), maps: productionMaps(place) }
      writeServerFiles(place, { ...entry, own })
    } else {
      await makeAdministrator(queries, params.user, params.password)
      writeServerFiles(place, { ...entry, refused: await listPowerful(queries) })
    }
    reloadServer(place)
    const pid = postmasterPid(place)
    if (pid === null || existsSync(join(place.layout.data, 'recovery.signal'))) {
      throw new MaasError('DATABASE_START_FAILED', 'the instance ended while it was opened')
    }
    return await readInstance(queries, { pid, port, socket: socketDirectory(place.layout) })
  })
}
