/**
 * grow-volume: the volume of a database becomes larger while its standby follows. Where the host
 * grows a file system only between two mounts, the standby stops for the seconds that takes; it
 * goes on where it was, as it does when the volume was full.
 */
import { z } from 'zod'
import { isMaasError } from '@openmaas/kernel/errors'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { appendEvent } from '../../catalog/events.ts'
import { connectionOf, loadSourceDatabase, saveStatus } from '../../database/source-database.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { mountPathOf, notePlugged, type PluggedPlace, plugPlace } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

/** An ext4 is checked before it grows unmounted: minutes for terabytes. */
const REMOUNT_TIMEOUT_MS = 45 * 60_000

const params = z.object({
  sourceId: z.string(),
  engine: z.string(),
  mediumId: z.string(),
  sizeBytes: z.number(),
  /** Nobody asked: it was nearly full. */
  automatic: z.boolean(),
})
type GrowParams = z.infer<typeof params>
interface Results {
  readonly attach: PluggedPlace
  readonly grow: { readonly fromBytes: number | null; readonly sizeBytes: number }
  readonly resize: { readonly online: boolean }
  readonly remount: PluggedPlace | null
  /** Null: there is no standby yet, or it does not answer, and is looked after later. */
  readonly follow: DatabaseStatus | null
}
type Context = StepContext<GrowParams, Results>

export function growVolumeRequest(
  source: { readonly id: string; readonly kind: string; readonly labelsJson: string },
  of: {
    readonly mediumId: string
    readonly hostId: string
    readonly sizeBytes: number
    readonly automatic: boolean
    readonly actor: string
  },
): JobRequest & { readonly activeKey: string } {
  const { mediumId, hostId, sizeBytes, automatic, actor } = of
  return {
    kind: 'grow-volume',
    params: { sourceId: source.id, engine: source.kind, mediumId, sizeBytes, automatic },
    actor,
    // Before points that wait: without room there are none.
    priority: 90,
    activeKey: `grow:${source.id}:${automatic ? 'auto' : sizeBytes}`,
    sourceId: source.id,
    hostId,
    mediumId,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}

async function plug(
  services: KindServices,
  context: Context,
  grow: boolean,
): Promise<PluggedPlace> {
  const { mediumId } = context.params
  const medium = await loadMedium(context.catalog.db, mediumId)
  const { poolId, nodeId, hostId, sourceId, name: sourceName } = medium
  const place = { mediumId, poolId, nodeId, hostId, sourceId, sourceName }
  const wish = { grow, timeoutMs: grow ? REMOUNT_TIMEOUT_MS : ORDER_TIMEOUT_MS }
  // Its node knows what it stands on.
  return plugPlace(services, context, { ...place, snapshotId: '', quotaBytes: null }, wish)
}

async function grow(context: Context): Promise<Results['grow']> {
  const { mediumId, sourceId, sizeBytes } = context.params
  const { poolId, nodeId } = await loadMedium(context.catalog.db, mediumId)
  const { volumeBytes } = await loadSourceDatabase(context.catalog.db, sourceId)
  const grown = await context.orders.order(
    nodeId,
    'medium.grow',
    { mediumId, poolId, sizeBytes: Math.max(sizeBytes, volumeBytes ?? 0) },
    { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
  )
  return { fromBytes: volumeBytes, sizeBytes: grown.sizeBytes }
}

async function resize(context: Context): Promise<Results['resize']> {
  const { mediumId } = context.params
  const { hostId } = await loadMedium(context.catalog.db, mediumId)
  const options = { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  try {
    await context.orders.order(hostId, 'medium.resize', { mediumId }, options)
    return { online: true }
  } catch (error) {
    if (!isMaasError(error, 'MEDIUM_GROW_OFFLINE')) throw error
    context.log('info', error.code, 'the file system grows between two mounts')
    return { online: false }
  }
}

/** Whoever is killed in here leaves a standby that does not run: it is looked after. */
async function remount(services: KindServices, context: Context): Promise<PluggedPlace | null> {
  if (context.results.resize.online) return null
  const { mediumId, engine, sourceId: id } = context.params
  const { hostId } = await loadMedium(context.catalog.db, mediumId)
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const standby = { engine, id, directory: mountPathOf(mediumId), connection: null, forget: false }
  const [stopKey, detachKey] = [context.key('stop'), context.key('detach')]
  await context.orders.order(hostId, 'database.unfollow', standby, { ...options, key: stopKey })
  const detach = { mediumId, force: false }
  await context.orders.order(hostId, 'medium.detach', detach, { ...options, key: detachKey })
  return plug(services, context, true)
}

async function follow(services: KindServices, context: Context): Promise<DatabaseStatus | null> {
  const { sourceId: id, engine, mediumId } = context.params
  const row = await loadSourceDatabase(context.catalog.db, id)
  if (row.seededAt === null) return null
  const { hostId } = await loadMedium(context.catalog.db, mediumId)
  const connection = await connectionOf(row, (secretId) => services.openSecret(secretId))
  const { retainedLimitBytes } = row
  const place = { engine, id, directory: mountPathOf(mediumId) }
  const options = { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const wanted = { ...place, connection, retainedLimitBytes, synchronous: row.synchronous === 1 }
  try {
    return await context.orders.order(hostId, 'database.follow', wanted, options)
  } catch (error) {
    // The volume has grown all the same.
    if (!isMaasError(error) || error.code === 'CANCELLED') throw error
    context.log('warning', error.code, error.message)
    return null
  }
}

async function record(trx: Trx, context: Context, status: DatabaseStatus | null): Promise<void> {
  const { sourceId, mediumId, automatic } = context.params
  const { grow: grown, resize: resized } = context.results
  const { clock } = context
  if (status !== null) await saveStatus(trx, sourceId, status, clock.wallMs())
  const labels = JSON.parse(context.job.labelsJson) as Record<string, string>
  const { online } = resized
  const data = { mediumId, ...grown, automatic, online, jobId: context.job.id }
  const about = { topic: 'sources', type: 'source.volume-grown', subject: sourceId } as const
  await appendEvent(trx, { ...about, labels, data }, clock)
}

export function makeGrowVolume(services: KindServices): JobDefinition {
  return defineJob<GrowParams, Results>({
    kind: 'grow-volume',
    params,
    slots: ({ sourceId }) => [`source:${sourceId}`],
    steps: [
      {
        name: 'attach',
        run: (context) => plug(services, context, false),
        apply: async (trx, { params: { mediumId }, clock }, told) => {
          const { state } = await loadMedium(trx, mediumId)
          if (state !== 'plugged') await notePlugged(trx, mediumId, told, clock)
        },
      },
      {
        name: 'grow',
        run: grow,
        apply: async (trx, { params: { sourceId } }, { sizeBytes: volumeBytes }) => {
          const set = { volumeBytes }
          const query = trx.updateTable('sourceDatabase').set(set)
          await query.where('sourceId', '=', sourceId).execute()
        },
      },
      { name: 'resize', run: resize },
      { name: 'remount', run: (context) => remount(services, context) },
      { name: 'follow', run: (context) => follow(services, context), apply: record },
    ],
    attemptMax: 4,
    deadlineMs: 4 * 3_600_000,
    conclude: ({ grow: { fromBytes, sizeBytes }, resize: { online }, follow: status }) => ({
      warning: status !== null && status.state !== 'following',
      result: { fromBytes, sizeBytes, online, state: status?.state ?? null },
    }),
  })
}
