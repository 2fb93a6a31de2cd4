/**
 * An instance of its own on a clone: recovered with no network, then opened on its port. Nothing
 * of production is reached, and what followed production is forgotten before anything else.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { freePort, isPortFree, waitForPort } from '@openmaas/source-kit/free-port'
import { readState, writeState } from '@openmaas/source-kit/state-file'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { findServer } from '@openmaas/source-kit/server-process'
import { checkTarget, lastTransaction, listLogFiles, planReplay } from './binlog/plan.ts'
import type { LoggedTransaction } from './binlog/log-file.ts'
import type { ReplayPlan } from './binlog/plan.ts'
import { followProduction } from './follow.ts'
import { awaitApplied } from './mark.ts'
import { checkOwner, grantOwner } from './grant.ts'
import { placeOf, startPrivate, stopPrivate, waitUntilReady } from './private-server.ts'
import { replay } from './replay.ts'
import { instanceOptions, recoveryOptions, socketOf } from './server-options.ts'
import type { Session } from './session.ts'
import { loadSeeded, loadState, recoveredTo as recoveredSchema, saveState } from './state.ts'
import { listDatabases } from './tables.ts'
import { checkSettings } from './user-options.ts'
import { openVolume } from './volume.ts'
import type { PluginOptions, Volume } from './volume.ts'

type Params = DatabaseParams<'database.activate'>
type Result = DatabaseResult<'database.activate'>
type RecoveredTo = Result['recoveredTo']

/** Somebody else took the free port between the look and the start. */
const START_ATTEMPTS_MAX = 3
/** One that is killed so often while it is asked is told as such. */
const ASK_ATTEMPTS_MAX = 3

/** In the run directory while the instance runs: a repeated order finds its answer. */
const activation = z.object({
  port: z.number(),
  recoveredTo: recoveredSchema,
  follows: z.boolean().default(false),
})
type Activation = z.output<typeof activation>

export async function activate(
  params: Params,
  context: PluginContext,
  options: PluginOptions,
): Promise<Result> {
  const settings = checkSettings(params.settings)
  checkOwner(params.user)
  const volume = await openVolume(params, options)
  checkTarget(params.target, volume.dialect.gtids)
  const running = findActivation(volume)
  if (running !== null && running.follows === (params.follow !== null)) {
    const found = await lookAtRunning(volume, running, { params, signal: context.signal })
    if (found !== null) return found
  }
  // One that was left half way: what it did is done again, or is found done.
  await stopPrivate(volume.layout, { immediate: false })
  if (isReplayed(volume, params)) await recover(volume, params, context)
  return describe(volume, await open(volume, { params, settings }, context), context.signal)
}

/**
 * One that was killed is started again by its keeper, and recovers: it is waited for.
 *
 * @returns null when it does not come back: then it is started anew
 */
async function lookAtRunning(
  volume: Volume,
  running: Activation,
  { params, signal }: { readonly params: Params; readonly signal: AbortSignal },
): Promise<Result | null> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (params.follow !== null) await steer(volume, params, signal)
      return await describe(volume, running, signal)
    } catch (error) {
      if (isMaasError(error, 'DATABASE_START_FAILED')) return null
      const isLast = attempt === ASK_ATTEMPTS_MAX
      if (isLast || !isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
    }
  }
}

/** Of one that follows: it goes on, or stands still with all that has come. */
async function steer(volume: Volume, params: Params, signal: AbortSignal): Promise<void> {
  await using session = await waitUntilReady(volume.layout, signal)
  await followOrPause(session, volume, params, signal)
}

async function followOrPause(
  session: Session,
  volume: Volume,
  { follow, paused = false }: Params,
  signal: AbortSignal,
): Promise<void> {
  if (follow === null) return
  const { dialect } = volume
  if (!paused) {
    try {
      await followProduction(volume, session, follow)
    } catch (error) {
      // It knows whom to follow, and goes on when production is back.
      const { configured } = await dialect.replicaStatus(session)
      if (!configured || !isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
      await dialect.startReplica(session)
    }
    return
  }
  const { receiving, applying, received } = await dialect.replicaStatus(session)
  if (receiving === 'no' && !applying) return
  await dialect.stopReceiving(session)
  await awaitApplied(volume, session, received, signal)
  await dialect.stopReplica(session)
}

/** Else the clone is what is wanted as it is, and one start is enough. */
function isReplayed({ state }: Volume, { target }: Params): boolean {
  return state.role === 'standby' && target.kind !== 'snapshot'
}

function activationPath({ layout }: Volume): string {
  return join(layout.run, 'activation.json')
}

function findActivation(volume: Volume): Activation | null {
  if (findServer(placeOf(volume.layout)) === null) return null
  return readState(activationPath(volume), activation)
}

/** Brings the clone to the target, alone with it; ends with a clean shutdown. */
async function recover(
  volume: Volume,
  params: Params,
  { signal, progress }: PluginContext,
): Promise<void> {
  const { layout } = volume
  const settings = checkSettings(params.settings)
  const buffer = settings['innodb-buffer-pool-size']
  const chosen = buffer === undefined ? {} : { 'innodb-buffer-pool-size': buffer }
  removeServerIdentity(volume)
  progress({ phase: 'recover', bytesDone: 0, bytesTotal: null })
  const session = await startPrivate(volume, {
    options: recoveryOptions(volume.identity, chosen),
    restart: false,
    signal,
  })
  try {
    if (params.follow === null) await volume.dialect.forgetReplica(session)
    const plan = await plannedReplay(volume, session, params)
    await replay(volume, plan, signal)
    await becomeInstance(session, volume, plan.last)
  } finally {
    // Before the shutdown: it would wait for the connection.
    await session[Symbol.asyncDispose]()
    await stopPrivate(layout, { immediate: false })
  }
}

/** From here on the clone is a database of its own: where it stands is written down once. */
async function becomeInstance(
  session: Session,
  volume: Volume,
  replayed: LoggedTransaction | null,
): Promise<RecoveredTo> {
  const { state, dialect, layout } = volume
  // An instance that was stopped is where it was; a branch is where its bookmark was.
  if (state.role === 'instance' && state.recoveredTo !== null) return state.recoveredTo
  const position = await dialect.applied(session)
  const last = replayed ?? lastTransaction(listLogFiles([layout.log]))
  const recoveredTo = { position, detail: last?.gtid ?? '', timeMs: last?.atMs ?? null }
  saveState(layout, { ...state, role: 'instance', marks: [], recoveredTo })
  return recoveredTo
}

async function plannedReplay(
  volume: Volume,
  session: Session,
  params: Params,
): Promise<ReplayPlan> {
  const { layout, dialect, state } = volume
  const { target, logDirectories } = params
  const own = listLogFiles([layout.log])
  const roots = logDirectories.map((root) => ({
    log: join(root, 'log'),
    state: join(root, 'openmaas.json'),
  }))
  const marks = [state, ...roots.map((root) => loadState(root))].flatMap(
    (other) => other?.marks ?? [],
  )
  // Not the clone's own: all of it is applied, and its start has begun a file of a number that
  // means something else on the standby.
  return planReplay(listLogFiles(roots.map(({ log }) => log)), {
    from: await dialect.applied(session),
    target,
    gtids: dialect.gtids,
    lastHeld: lastTransaction(own),
    coveredMs: marks.length === 0 ? null : Math.max(...marks.map(({ atMs }) => atMs)),
  })
}

/** MySQL's server_uuid: without the file it makes itself a new one. */
function removeServerIdentity({ layout, state }: Volume): void {
  // An instance that is activated again after a stop is the same server still.
  if (state.role === 'standby') rmSync(join(layout.data, 'auto.cnf'), { force: true })
}

interface OpenRequest {
  readonly params: Params
  readonly settings: ReturnType<typeof checkSettings>
}

async function open(
  volume: Volume,
  { params, settings }: OpenRequest,
  { signal }: PluginContext,
): Promise<Activation> {
  for (let attempt = 1; ; attempt += 1) {
    const port = params.port ?? (await freePort(params.listen))
    if (params.port !== null && !(await waitForPort(port, params.listen))) {
      throw new MaasError('PORT_TAKEN', `port ${port} is taken on this host`, { port })
    }
    const follows = params.follow !== null
    const { listen, asProduction = false } = params
    const opening = { port, listen, settings, follows, asProduction }
    // Two servers with one identity would throw each other out of production's replication.
    removeServerIdentity(volume)
    try {
      await using session = await startPrivate(volume, {
        options: instanceOptions(volume.identity, opening),
        restart: true,
        signal,
      })
      const opened = { port, follows, recoveredTo: await settle(session, volume, params, signal) }
      writeState(activationPath(volume), opened)
      return opened
    } catch (error) {
      // Neither a server nor its keeper is left of what failed.
      await stopPrivate(volume.layout, { immediate: true })
      const taken = !(await isPortFree(port, params.listen))
      if (params.port !== null || !taken || attempt === START_ATTEMPTS_MAX) throw error
    }
  }
}

/** Its user comes last: before, nobody has a password for it. */
async function settle(
  session: Session,
  volume: Volume,
  params: Params,
  signal: AbortSignal,
): Promise<RecoveredTo> {
  const follows = params.follow !== null
  if (follows) {
    // A standby as long as it follows: it becomes a database of its own when it is opened.
    await grantOwner(session, { ...params, follows })
    await followOrPause(session, volume, params, signal)
    const position = await volume.dialect.applied(session)
    return { position, detail: '', timeMs: null }
  }
  await volume.dialect.forgetReplica(session)
  // What recovery wrote down stands on the volume, and was not there when it was opened.
  const state = loadSeeded(volume.layout)
  const recoveredTo = await becomeInstance(session, { ...volume, state }, null)
  if (params.asProduction !== true) await grantOwner(session, { ...params, follows })
  return recoveredTo
}

async function describe(
  volume: Volume,
  { port, recoveredTo }: Activation,
  signal: AbortSignal,
): Promise<Result> {
  await using session = await waitUntilReady(volume.layout, signal)
  return {
    pid: Number(readFileSync(join(volume.layout.run, 'server.pid'), 'utf8')),
    version: volume.programs.version.number,
    port,
    socket: socketOf(volume.layout),
    recoveredTo,
    databases: await listDatabases(session),
  }
}
