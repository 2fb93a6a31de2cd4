/**
 * Work on media whose mounts may be lost: one that a crash has unmounted, or whose file system met
 * an error and takes no writes until it is mounted anew. What runs on them is stopped, they are
 * detached and plugged again, and the work is done once more. What fails again is the job's.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import type { StepContext } from '../definition.ts'
import { type MediumPlace, mountPathOf, plugPlace } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

type AnyContext = StepContext<unknown, unknown>

/**
 * Of the keys of what one attempt does and undoes: of the next attempt, which has the keys of this
 * one after a lost answer, it is something else.
 */
export const attemptOf = ({ job }: Pick<AnyContext, 'job'>): string => `:${job.attempt}`
/** Of the keys of what is done for the second time within an attempt. */
export const againOf = (context: Pick<AnyContext, 'job'>): string => `:again${attemptOf(context)}`

export interface OnMedia {
  readonly media: () => Promise<readonly MediumPlace[]>
  /** Whatever runs on them; under a key of its own. */
  readonly stop: () => Promise<unknown>
}

/** @param work  given the suffix of its keys */
export async function withMounts<T>(
  services: KindServices,
  context: AnyContext,
  { media, stop }: OnMedia,
  work: (suffix: string) => Promise<T>,
): Promise<T> {
  try {
    return await work('')
  } catch (error) {
    if (!isMaasError(error, 'MEDIUM_MOUNT_LOST')) throw error
    context.log('warning', error.code, `${error.message}: it is mounted anew`)
  }
  await stop()
  const suffix = againOf(context)
  for (const place of await media()) {
    const { mediumId, hostId } = place
    const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
    const key = context.key(`detach:${mediumId}${suffix}`)
    // By force: what could not be written back is lost already, and the engine recovers from it.
    const order = { mediumId, force: true }
    await context.orders.order(hostId, 'medium.detach', order, { ...options, key })
    await plugPlace(services, context, place, { suffix })
  }
  return work(suffix)
}

/** Its node knows the medium already, and what it stands on. */
export async function knownPlace(context: AnyContext, mediumId: string): Promise<MediumPlace> {
  const medium = await loadMedium(context.catalog.db, mediumId)
  const { poolId, nodeId, hostId, sourceId, quotaBytes, name: sourceName } = medium
  return { mediumId, poolId, nodeId, hostId, sourceId, sourceName, quotaBytes, snapshotId: '' }
}

/** The volume that a standby stands on. */
export function onVolume(
  context: AnyContext,
  of: {
    readonly engine: string
    readonly id: string
    readonly hostId: string
    readonly mediumId: string
  },
): OnMedia {
  const { engine, id, hostId, mediumId } = of
  const place = { engine, id, directory: mountPathOf(mediumId) }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const key = context.key(`stop:${mediumId}${againOf(context)}`)
  const order = { ...place, connection: null, forget: false }
  return {
    media: async () => [await knownPlace(context, mediumId)],
    stop: () => context.orders.order(hostId, 'database.unfollow', order, { ...options, key }),
  }
}
