/** How a standby stands, and whether only a new seed helps. */
import type {
  DatabaseConnection,
  DatabaseParams,
  DatabaseStatus,
} from '@openmaas/protocols/channel/database-orders'
import { stoppedStatus } from '@openmaas/protocols/channel/database-orders'
import { directorySize } from '@openmaas/source-kit/growing-directory'
import { isMaasError } from '@openmaas/kernel/errors'
import type { ReplicaStatus } from './dialect.ts'
import { connectLocal, isRunning } from './private-server.ts'
import { openProduction } from './production.ts'
import { numberOf } from './session.ts'
import type { Session } from './session.ts'
import { loadState } from './state.ts'
import { layoutOf, openVolume } from './volume.ts'
import type { PluginOptions, Volume } from './volume.ts'

const NOTHING = stoppedStatus('')

export async function status(
  params: DatabaseParams<'database.status'>,
  options: PluginOptions,
): Promise<DatabaseStatus> {
  const state = loadState(layoutOf(params, options))
  if (state?.seeded !== true) {
    return { ...NOTHING, state: 'seeding', reason: 'the volume holds no whole copy yet' }
  }
  return standbyStatus(await openVolume(params, options), params.connection)
}

export async function standbyStatus(
  volume: Volume,
  connection: DatabaseConnection | null,
): Promise<DatabaseStatus> {
  const { layout, state } = volume
  const known = {
    ...NOTHING,
    retainedLimitBytes: state.retainedLimitBytes,
    logBytes: await directorySize(layout.log),
    logCutAtMs: state.logCutAtMs,
  }
  if (!isRunning(layout)) return { ...known, reason: 'the standby does not run' }
  try {
    await using local = await connectLocal(layout)
    return await runningStatus(volume, local, connection, known)
  } catch (error) {
    // Its keeper starts it again.
    if (!isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
    return { ...known, reason: 'the standby is being started' }
  }
}

async function runningStatus(
  { dialect, state }: Volume,
  local: Session,
  connection: DatabaseConnection | null,
  known: DatabaseStatus,
): Promise<DatabaseStatus> {
  const replica = await dialect.replicaStatus(local)
  const applied = await dialect.applied(local)
  const detail =
    replica.receivedFile === '' ? '' : `${replica.receivedFile}:${replica.receivedOffset}`
  // The name of a file comes with the first event: production has accepted where we begin.
  const receiving = replica.receiving === 'yes' && replica.receivedFile !== ''
  const following = receiving && replica.applying
  const result: DatabaseStatus = {
    ...known,
    state: following ? 'following' : 'stopped',
    reason: following ? '' : reasonOf(replica),
    received: { position: dialect.gtids.union(replica.received, applied), detail },
    applied: { position: applied, detail: '' },
    lagMs: replica.lagSeconds === null ? null : replica.lagSeconds * 1000,
  }
  if (replica.applyErrorNumber !== 0) {
    return { ...result, state: 'broken', reason: `cannot apply: ${replica.applyError}` }
  }
  if (connection === null) return result
  try {
    const { session } = await openProduction(connection)
    await using production = session
    const proof = following ? null : await dialect.proveBroken(production, applied)
    if (proof !== null) return { ...result, state: 'broken', reason: proof, mustReseed: true }
    const waits = !state.synchronous || (await dialect.isSynchronous(production))
    const remedy = `production does not wait for the standby: ${dialect.synchronousRemedy}`
    return {
      ...result,
      reason: waits ? result.reason : remedy,
      ...((await dialect.isWaiting(production)) ? {} : await behind(production, replica)),
    }
  } catch (error) {
    if (!isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
    return { ...result, reason: result.reason || error.message }
  }
}

function reasonOf(replica: ReplicaStatus): string {
  if (!replica.configured) return 'the standby was not told yet whom to follow'
  if (replica.receiveError !== '') return replica.receiveError
  if (replica.receiving === 'connecting') return 'the standby connects to production'
  return replica.applying ? 'the standby does not receive' : 'the standby does not apply'
}

/** Bytes of production's binlogs behind what was received: what it must not remove yet. */
async function behind(
  production: Session,
  { receivedFile, receivedOffset }: ReplicaStatus,
): Promise<Pick<DatabaseStatus, 'lagBytes' | 'retainedBytes'>> {
  if (receivedFile === '') return { lagBytes: null, retainedBytes: null }
  const files = await production.rows('SHOW BINARY LOGS')
  let bytes = 0
  for (const row of files) {
    const name = row['Log_name'] ?? ''
    // By number: names have at least six digits, and more after a million.
    if (sequenceOf(name) > sequenceOf(receivedFile)) bytes += numberOf(row['File_size'])
    if (name === receivedFile) bytes += Math.max(0, numberOf(row['File_size']) - receivedOffset)
  }
  return { lagBytes: bytes, retainedBytes: bytes }
}

function sequenceOf(name: string): number {
  return Number(/\.(\d+)$/.exec(name)?.[1] ?? 0)
}
