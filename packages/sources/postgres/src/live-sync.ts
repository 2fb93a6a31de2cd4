/**
 * Live sync: a clone that follows production by a slot of its own, and whose users read. They are
 * those of production with their passwords there, since nothing can be written on a standby, not
 * even a role: `user` and `password` of the order are made when it is opened. Who could leave the
 * database by its rights stays out; a role that production gives such a right is refused within
 * seconds (guard.ts).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type {
  DatabaseConnection,
  RunningInstance,
} from '@openmaas/protocols/channel/database-orders'
import type { Activation } from './activate.ts'
import { listPowerful } from './administrator.ts'
import { type Queries, withConnection } from './connection.ts'
import { readInstance } from './instance.ts'
import { localConnection, slotName } from './place.ts'
import { ensureSlot } from './slot.ts'
import { askInstance, ensureStandby, postmasterPid, reloadServer } from './standby.ts'
import { standbyStatus } from './standby-status.ts'
import { type PostgresState, saveState } from './state.ts'

/** Until a standby answers it replays what it has: hours after a long absence. */
const ANSWER_MS = 6 * 60 * 60_000
/** What does not stream by then is told by its status. */
const STREAM_MS = 60_000
const POLL_MS = 100

export async function followLive(
  { params, context, place, state, port }: Activation,
  connection: DatabaseConnection,
  running: boolean,
): Promise<RunningInstance> {
  if (state.instance?.recovered === true) {
    const message = 'the clone was opened for writing, and can follow nothing more'
    throw new MaasError('DATABASE_CHAIN_BROKEN', message, { id: params.id })
  }
  // It has followed before: readers need not wait for production to come back.
  const isKnown = state.instance?.id === place.id
  const slot = slotName(params.id)
  try {
    await withConnection(connection, (production) => ensureSlot(production, slot))
  } catch (error) {
    if (!isKnown || !isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
  }
  const followed: PostgresState = {
    ...state,
    givenUp: null,
    instance: { id: place.id, port, recovered: false },
  }
  saveState(place.layout, followed)
  const { listen, settings, paused = false } = params
  const local = localConnection(place, state.superuser, port)
  const known = running ? await withConnection(local, listPowerful).catch(() => null) : null
  const open = { listen, port, settings, paused, refused: known }
  const logFrom = await ensureStandby(place, state, { connection, slot, open })
  const waiting = { place, superuser: state.superuser, port, signal: context.signal, logFrom }
  const ask = <T>(work: (queries: Queries) => Promise<T>) =>
    askInstance({ ...waiting, timeoutMs: ANSWER_MS }, work)
  const refused = await ask(listPowerful)
  await ensureStandby(place, state, { connection, slot, open: { ...open, refused } })
  reloadServer(place)
  if (!paused) await waitUntilStreaming({ params, context, place, connection, followed, isKnown })
  const pid = postmasterPid(place)
  if (pid === null) throw new MaasError('DATABASE_START_FAILED', 'the standby ended')
  return await ask((queries) => readInstance(queries, { pid, port, socket: local.host }))
}

interface Streaming extends Pick<Activation, 'params' | 'context' | 'place'> {
  readonly connection: DatabaseConnection
  readonly followed: PostgresState
  readonly isKnown: boolean
}

/** @throws MaasError DATABASE_CHAIN_BROKEN when it never could: it would never follow */
async function waitUntilStreaming(of: Streaming): Promise<void> {
  const { params, context, place, connection, followed, isKnown } = of
  const deadline = performance.now() + STREAM_MS
  for (;;) {
    const { state, reason } = await standbyStatus(place, followed, connection)
    if (state === 'following' || performance.now() > deadline) return
    if (state === 'broken' && isKnown) return
    if (state === 'broken') {
      const message = `it cannot follow from this point, take a newer one: ${reason}`
      throw new MaasError('DATABASE_CHAIN_BROKEN', message, { id: params.id })
    }
    if (context.signal.aborted) throw new MaasError('CANCELLED', 'following was cancelled')
    await delay(POLL_MS)
  }
}
