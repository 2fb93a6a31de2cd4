/**
 * What a standby that does not follow means for the point that is to be taken: a volume without
 * room is told as such, and a chain that is proven to be broken gives the next run leave to make a
 * new copy. Nothing less does: whatever heals by itself is left alone.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type {
  DatabaseConnection,
  DatabaseStatus,
} from '@openmaas/protocols/channel/database-orders'
import { appendEvent } from '../../catalog/events.ts'
import { saveStatus, type SourceDatabaseRow } from '../../database/source-database.ts'
import type { StepContext } from '../definition.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'

type Context = StepContext<{ readonly sourceId: string }, unknown>

export interface StandbyAsked {
  readonly row: SourceDatabaseRow
  readonly engine: string
  readonly hostId: string
  readonly connection: DatabaseConnection
}

/** @throws MaasError DATABASE_VOLUME_FULL, DATABASE_CHAIN_BROKEN */
export async function requireStandby(
  context: Context,
  asked: StandbyAsked,
  status: DatabaseStatus,
): Promise<void> {
  if (status.state === 'following') return
  const { sourceId } = context.params
  if (status.volume?.full === true && !status.mustReseed) {
    await context.commit((trx) => saveStatus(trx, sourceId, status, context.clock.wallMs()))
    throw new MaasError('DATABASE_VOLUME_FULL', status.reason, { sourceId, ...status.volume })
  }
  // What is less than broken is told by the mark, which knows how far the standby has come.
  if (status.mustReseed) await noteBroken(context, asked, status)
}

async function noteBroken(
  context: Context,
  asked: StandbyAsked,
  status: DatabaseStatus,
): Promise<never> {
  const { sourceId } = context.params
  const { reason } = status
  const identity = await identityOf(context, asked)
  const known = asked.row.identity
  const reseeds = identity !== null && (known === '' || identity === known)
  const labels = JSON.parse(context.job.labelsJson) as Record<string, string>
  await context.commit(async (trx) => {
    await saveStatus(trx, sourceId, status, context.clock.wallMs())
    if (reseeds) {
      const query = trx.updateTable('sourceDatabase').set({ seededAt: null })
      await query.where('sourceId', '=', sourceId).execute()
    }
    const about = { topic: 'sources', type: 'source.chain-broken', subject: sourceId } as const
    const data = { reason, reseeds, jobId: context.job.id }
    await appendEvent(trx, { ...about, labels, data }, context.clock)
  })
  const message = `the chain of points is broken: ${reason}; ${nextOf(reseeds, identity)}`
  throw new MaasError('DATABASE_CHAIN_BROKEN', message, { sourceId, reason, reseeds })
}

function nextOf(reseeds: boolean, identity: string | null): string {
  if (reseeds) return 'the next run makes a new copy, and the points that there are stay'
  if (identity === null) return 'a new copy is made once production answers'
  return 'another database answers there, of which no copy is made: protect it as a new source'
}

/** Who answers there now: a copy of another database would go on under this one's name. */
async function identityOf(
  context: Context,
  { engine, hostId, connection }: StandbyAsked,
): Promise<string | null> {
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const key = context.key('identity')
  try {
    const order = { engine, connection }
    return (await context.orders.order(hostId, 'database.check', order, { ...options, key }))
      .identity
  } catch (error) {
    if (!(error instanceof MaasError) || error.code === 'CANCELLED') throw error
    context.log('warning', error.code, error.message)
    return null
  }
}
