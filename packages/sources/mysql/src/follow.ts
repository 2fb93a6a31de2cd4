/** The standby: a private replica on the volume that follows production. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type {
  DatabaseConnection,
  DatabaseParams,
  DatabaseStatus,
} from '@openmaas/protocols/channel/database-orders'
import { removeRun } from '@openmaas/source-kit/layout'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { readState, writeState } from '@openmaas/source-kit/state-file'
import { connectLocal, isRunning, startPrivate, stopPrivate } from './private-server.ts'
import { followSource, openProduction } from './production.ts'
import { standbyOptions } from './server-options.ts'
import type { Session } from './session.ts'
import { loadState, saveState } from './state.ts'
import { standbyStatus } from './status.ts'
import { layoutOf, openVolume } from './volume.ts'
import type { PluginOptions, Volume } from './volume.ts'

type Params = DatabaseParams<'database.follow'>

/** A connection is tried every 2 s; one that does not come in this time is told, and tried on. */
const RECEIVING_MS = 30_000
const POLL_MS = 100

const followRecord = z.object({ connection: z.string() })

export async function follow(
  params: Params,
  { signal }: PluginContext,
  options: PluginOptions,
): Promise<DatabaseStatus> {
  const opened = await openVolume(params, options)
  if (opened.state.role !== 'standby') {
    throw new MaasError('DATABASE_RUNNING', 'the volume is that of an instance, no standby', {})
  }
  const { retainedLimitBytes, synchronous, connection } = params
  const changed = opened.state.synchronous !== synchronous
  const state = { ...opened.state, retainedLimitBytes, synchronous }
  const volume: Volume = { ...opened, state }
  saveState(volume.layout, state)
  // Whether it acknowledges is said at its start.
  if (changed && isRunning(volume.layout)) await stopPrivate(volume.layout, { immediate: false })
  await using local = await startPrivate(volume, {
    options: standbyOptions(volume.identity, synchronous),
    restart: true,
    ...(state.product === 'mysql' && { initial: ['SET GLOBAL super_read_only = ON'] }),
    signal,
  })
  await followProduction(volume, local, connection)
  return awaitReceiving(volume, connection, signal)
}

/** Tells the replica whom to follow, when it does not know or it changed, and starts it. */
export async function followProduction(
  volume: Volume,
  local: Session,
  connection: DatabaseConnection,
): Promise<void> {
  const { dialect, layout } = volume
  const { session } = await openProduction(connection)
  await using production = session
  const status = await dialect.replicaStatus(local)
  const record = { connection: fingerprint(connection) }
  const known = readState(recordPath(volume), followRecord)?.connection === record.connection
  if (status.configured && known) {
    if (status.applying && status.receiving !== 'no') return
    await dialect.stopReplica(local)
  } else {
    const source = await followSource(connection, production, volume)
    // What a copy brought of whom production itself follows or followed.
    if (!volume.state.positioned) await dialect.forgetReplica(local)
    else await dialect.stopReplica(local)
    if (!volume.state.positioned) {
      await dialect.setPosition(local, volume.state.seedPosition)
      saveState(layout, { ...volume.state, positioned: true })
    }
    await dialect.follow(local, source)
    writeState(recordPath(volume), record)
  }
  // It would fail a moment after it seemed to follow: the status says why it does not.
  const applied = await dialect.applied(local)
  if ((await dialect.proveBroken(production, applied)) !== null) return
  await dialect.startReplica(local)
}

function recordPath({ layout }: Volume): string {
  return join(layout.run, 'follow.json')
}

function fingerprint(connection: DatabaseConnection): string {
  return createHash('sha256').update(JSON.stringify(connection)).digest('hex')
}

/** Until it receives and applies, or says why it does not. */
async function awaitReceiving(
  volume: Volume,
  connection: DatabaseConnection,
  signal: AbortSignal,
): Promise<DatabaseStatus> {
  const deadline = performance.now() + RECEIVING_MS
  for (;;) {
    if (signal.aborted) throw new MaasError('CANCELLED', 'the order was cancelled', {})
    const status = await standbyStatus(volume, connection)
    if (status.state === 'following' || status.state === 'broken') return status
    if (performance.now() > deadline) return status
    await delay(POLL_MS)
  }
}

/** Also of a volume whose copy never became whole: whatever runs on it ends. */
export async function unfollow(
  params: DatabaseParams<'database.unfollow'>,
  options: PluginOptions,
): Promise<Record<string, never>> {
  const layout = layoutOf(params, options)
  if (params.forget && isRunning(layout) && loadState(layout)?.seeded === true) {
    const { dialect } = await openVolume(params, options)
    await using local = await connectLocal(layout)
    // Production keeps nothing for a replica that is away; its account is the administrator's.
    await dialect.forgetReplica(local)
  }
  await stopPrivate(layout, { immediate: false })
  removeRun(layout)
  return {}
}
