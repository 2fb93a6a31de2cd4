/**
 * reconcile-media: nodes and hosts are asked what they serve and have attached, and what a crash
 * left behind is cleared away. Who is offline is asked the next time.
 */
import { z } from 'zod'
import type { Kysely } from 'kysely'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import type { CatalogTables } from '../../catalog/schema.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import { problemJson } from '../end.ts'
import type { JobRequest } from '../queue.ts'
import { ejectRequest } from './medium-requests.ts'
import { planMedia } from './media-plan.ts'
import type { Attached, MediaAction, MediaState, Served } from './media-plan.ts'
import { changeMedium, loadMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({})
/** Hosts of media that ended longer ago are no longer asked for what a crash left behind. */
const ENDED_WITHIN_MS = 7 * 24 * 3_600_000
interface Reconciled {
  readonly actions: readonly MediaAction[]
  readonly askedPools: number
  readonly askedHosts: number
}
type Context = StepContext<object, { readonly reconcile: Reconciled }>

export function reconcileMediaRequest(actor: string): JobRequest {
  return {
    kind: 'reconcile-media',
    params: {},
    actor,
    activeKey: 'reconcile-media',
    priority: 60,
    labels: {},
  }
}

async function listRows(db: Kysely<CatalogTables>, endedAfter: number) {
  return db
    .selectFrom('medium')
    .selectAll()
    .where((e) => e.or([e('endedAt', 'is', null), e('endedAt', '>', endedAfter)]))
    .execute()
}

async function listBusy(db: Kysely<CatalogTables>): Promise<Set<string>> {
  const rows = await db
    .selectFrom('job')
    .select('mediumId')
    .where('state', 'in', ['queued', 'running', 'paused'])
    .where('mediumId', 'is not', null)
    .execute()
  return new Set(rows.flatMap((row) => row.mediumId ?? []))
}

async function look(context: Context): Promise<MediaState> {
  const { catalog, orders, clock } = context
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  // First who is busy, then the world, then the rows: what ends meanwhile is seen as ended.
  const busy = await listBusy(catalog.db)
  const known = await listRows(catalog.db, clock.wallMs() - ENDED_WITHIN_MS)
  const served: Served[] = []
  const pools = new Set<string>()
  for (const { id: poolId, nodeId } of await catalog.db
    .selectFrom('pool')
    .select(['id', 'nodeId'])
    .execute()) {
    if (!orders.isConnected(nodeId)) continue
    const key = context.key(`${poolId}:${clock.wallMs()}`)
    const answer = await asked(context, () =>
      orders.order(nodeId, 'medium.served', { poolId }, { ...options, key }),
    )
    if (answer === undefined) continue
    pools.add(poolId)
    await context.commit((trx) => noteWritten(trx, answer.media))
    served.push(...answer.media.map(({ mediumId }) => ({ mediumId, nodeId, poolId })))
  }
  const attached: Attached[] = []
  const hosts = new Set<string>()
  for (const hostId of new Set(known.map((row) => row.hostId))) {
    if (!orders.isConnected(hostId)) continue
    const key = context.key(`${hostId}:${clock.wallMs()}`)
    const answer = await asked(context, () =>
      orders.order(hostId, 'medium.attached', {}, { ...options, key }),
    )
    if (answer === undefined) continue
    hosts.add(hostId)
    attached.push(...answer.media.map(({ mediumId }) => ({ mediumId, hostId })))
  }
  for (const mediumId of await listBusy(catalog.db)) busy.add(mediumId)
  const rows = await listRows(catalog.db, clock.wallMs() - ENDED_WITHIN_MS)
  // One that was plugged while we asked is no loss.
  const before = new Set(known.map((row) => row.id))
  for (const { id } of rows) if (!before.has(id)) busy.add(id)
  return { rows, served, attached, pools, hosts, busy }
}

/** What virtual databases wrote themselves. No version of the row: it is nobody's change. */
async function noteWritten(trx: Trx, media: Result<'medium.served'>['media']): Promise<void> {
  const written = new Map(media.map(({ mediumId, writtenBytes }) => [mediumId, writtenBytes]))
  const rows = await trx
    .selectFrom('virtualDatabase')
    .select(['id', 'mediumId', 'writtenBytes'])
    .where('mediumId', 'is not', null)
    .where('endedAt', 'is', null)
    .execute()
  for (const { id, mediumId, writtenBytes: before } of rows) {
    const writtenBytes = written.get(mediumId!)
    if (writtenBytes === undefined || writtenBytes === before) continue
    await trx.updateTable('virtualDatabase').set({ writtenBytes }).where('id', '=', id).execute()
  }
}

/** A host that does not answer is asked the next time. */
async function asked<T>(context: Context, order: () => Promise<T>): Promise<T | undefined> {
  try {
    return await order()
  } catch (error) {
    context.signal.throwIfAborted()
    const { code, message } = errorToMessage(error)
    context.log('warning', code, message)
    return undefined
  }
}

async function act(services: KindServices, context: Context, action: MediaAction): Promise<void> {
  const { mediumId } = action
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  context.log('info', 'MEDIUM_RECONCILED', `${action.kind} ${mediumId}`)
  if (action.kind === 'withdraw') {
    const { nodeId, poolId } = action
    const key = context.key(`withdraw:${mediumId}`)
    const order = { mediumId, poolId, force: true }
    await asked(context, () =>
      context.orders.order(nodeId, 'medium.withdraw', order, { ...options, key }),
    )
    return
  }
  if (action.kind === 'detach') {
    const key = context.key(`detach:${mediumId}`)
    const order = { mediumId, force: true }
    await asked(context, () =>
      context.orders.order(action.hostId, 'medium.detach', order, { ...options, key }),
    )
    return
  }
  await context.commit((trx) => changeRow(services, trx, context, action))
}

async function changeRow(
  services: KindServices,
  trx: Trx,
  { clock }: Context,
  { kind, mediumId }: MediaAction,
): Promise<void> {
  if (kind === 'orphan') return
  const medium = await loadMedium(trx, mediumId)
  if (kind === 'adopt' && medium.state === 'lost') {
    await changeMedium(trx, mediumId, { state: 'plugged', problemJson: null }, clock)
  }
  if (kind === 'eject') {
    await services.enqueue(trx, ejectRequest(medium, { actor: 'system', force: true }))
  }
  const expected = kind === 'lost' ? 'plugged' : 'plugging'
  if ((kind !== 'lost' && kind !== 'fail') || medium.state !== expected) return
  const error = new MaasError('MEDIUM_ENGINE_UNREACHABLE', 'it is not where it was plugged')
  const problem = problemJson(errorToMessage(error))
  const endedAt = kind === 'fail' ? clock.wallMs() : null
  const state = kind === 'fail' ? 'failed' : 'lost'
  await changeMedium(trx, mediumId, { state, problemJson: problem, endedAt }, clock)
}

export function makeReconcileMedia(services: KindServices): JobDefinition {
  return defineJob<object, { readonly reconcile: Reconciled }>({
    kind: 'reconcile-media',
    params,
    slots: () => ['reconcile-media:'],
    steps: [
      {
        name: 'reconcile',
        run: async (context) => {
          const state = await look(context)
          const actions = planMedia(state)
          for (const action of actions) await act(services, context, action)
          return { actions, askedPools: state.pools.size, askedHosts: state.hosts.size }
        },
      },
    ],
    attemptMax: 2,
    deadlineMs: 30 * 60_000,
    conclude: ({ reconcile }) => ({
      warning: reconcile.actions.some(({ kind }) => kind === 'lost' || kind === 'orphan'),
      result: { ...reconcile, actions: reconcile.actions.slice(0, 1000) },
    }),
  })
}
