/**
 * Media below databases: the volume that a standby lives on, and the clones of virtual databases.
 * No lease ends them and nobody ejects them by hand: what stands on them does that.
 *
 * On the node's own machine they are disks of its engine, which a restart of the server does not
 * touch; on others they are attached over NBD, and wait while the node is away.
 */
import type { Insertable } from 'kysely'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type { CatalogTables } from '../../catalog/schema.ts'
import type { StepContext, Trx } from '../definition.ts'
import { changeMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

export const VOLUME_PURPOSE = 'volume'
export const CLONE_PURPOSE = 'virtual-database'
/** The log of a later point, beside a clone while that is recovered. */
export const LOG_PURPOSE = 'virtual-database-log'
/** Their states are those of what stands on them: reconcile-databases looks after them. */
export const DATABASE_PURPOSES: readonly string[] = [VOLUME_PURPOSE, CLONE_PURPOSE, LOG_PURPOSE]

/** A directory of its own for each medium, wherever it is attached. */
const MOUNT_ROOT = '/mnt/openmaas'
export const mountPathOf = (mediumId: string): string => `${MOUNT_ROOT}/${mediumId}`

export interface MediumPlace {
  readonly mediumId: string
  readonly poolId: string
  readonly nodeId: string
  readonly hostId: string
  readonly sourceId: string
  readonly sourceName: string
  readonly snapshotId: string
  readonly quotaBytes: number | null
}

export interface PluggedPlace {
  readonly poolMediumId: string
  readonly device: string
  readonly protocol: 'local' | 'nbd'
}

type AnyContext = StepContext<unknown, unknown>

export interface PlugWish {
  /** A file system on a disk that holds nothing yet. */
  readonly format?: 'auto'
  /** The file system takes all of the disk, also one that grows only before it is mounted. */
  readonly grow?: boolean
  /** Of the attaching. */
  readonly timeoutMs?: number
  /** Of the keys, where a step plugs the same medium more than once. */
  readonly suffix?: string
}

/**
 * Served and mounted when this answers. What is so already is left as it is; what a crash or a
 * boot has interrupted is done again.
 */
export async function plugPlace(
  services: KindServices,
  context: AnyContext,
  place: MediumPlace,
  { format, grow = false, timeoutMs: attachMs = ORDER_TIMEOUT_MS, suffix = '' }: PlugWish = {},
): Promise<PluggedPlace> {
  const { mediumId, poolId, nodeId, hostId, sourceId } = place
  const { snapshotId, sourceName, quotaBytes } = place
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const isLocal = services.targets.isLocal(hostId, nodeId)
  const served = await context.orders.order(
    nodeId,
    'medium.serve',
    {
      mediumId,
      poolId,
      snapshotId,
      sourceName,
      // Also where only a log is read: the journal of its file system is played back first.
      readOnly: false,
      quotaBytes,
      bytesPerSecond: null,
      local: isLocal ? { mountPath: null } : null,
    },
    { ...options, key: context.key(`serve:${mediumId}${suffix}`) },
  )
  const exportName = served.exportName ?? mediumId
  const wanted = { hostId, nodeId, poolId, sourceId, mediumId, exportName }
  const nbd = isLocal ? null : await services.targets.medium(wanted)
  const attached = await context.orders.order(
    hostId,
    'medium.attach',
    {
      mediumId,
      readOnly: false,
      mountPath: mountPathOf(mediumId),
      format: format ?? null,
      grow,
      nbd,
    },
    { ...options, timeoutMs: attachMs, key: context.key(`attach:${mediumId}${suffix}`) },
  )
  const protocol = isLocal ? 'local' : 'nbd'
  return { poolMediumId: served.poolMediumId, device: attached.device, protocol }
}

/** @param suffix of the keys, where a step takes the same medium away more than once */
export async function unplugPlace(
  context: AnyContext,
  place: Pick<MediumPlace, 'mediumId' | 'poolId' | 'nodeId' | 'hostId'>,
  options: { readonly force: boolean; readonly suffix?: string },
): Promise<void> {
  const { mediumId, poolId, nodeId, hostId } = place
  const { force, suffix = '' } = options
  const timeoutMs = ORDER_TIMEOUT_MS
  try {
    await context.orders.order(
      hostId,
      'medium.detach',
      { mediumId, force },
      { timeoutMs, key: context.key(`detach:${mediumId}${suffix}`) },
    )
  } catch (error) {
    // A host that is gone cannot let go; when it comes back, reconciliation detaches it.
    if (!force || !isMaasError(error, 'HOST_OFFLINE')) throw error
    context.log('warning', error.code, error.message)
  }
  await context.orders.order(
    nodeId,
    'medium.withdraw',
    { mediumId, poolId, force: true },
    { timeoutMs, key: context.key(`withdraw:${mediumId}${suffix}`) },
  )
}

/** The row, before anything of it is made: whoever reconciles knows then whose it is. */
export async function insertMedium(
  trx: Trx,
  place: MediumPlace,
  more: {
    readonly name: string
    readonly purpose: string
    readonly pointId: string
    readonly labelsJson: string
    readonly createdBy: string
    readonly clock: Clock
  },
): Promise<void> {
  const { clock, ...rest } = more
  const { mediumId: id, poolId, nodeId, hostId, sourceId, quotaBytes } = place
  const row: Insertable<CatalogTables['medium']> = {
    ...rest,
    id,
    poolId,
    nodeId,
    hostId,
    sourceId,
    quotaBytes,
    protocol: 'nbd',
    readOnly: 0,
    mountPath: mountPathOf(id),
    device: null,
    state: 'plugging',
    leaseUntil: null,
    bytesPerSecond: null,
    poolMediumId: null,
    createdAt: clock.wallMs(),
    endedAt: null,
    problemJson: null,
    version: 1,
  }
  await trx
    .insertInto('medium')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export function notePlugged(
  trx: Trx,
  mediumId: string,
  told: PluggedPlace,
  clock: Clock,
): Promise<void> {
  const changes = { ...told, state: 'plugged', problemJson: null, endedAt: null } as const
  return changeMedium(trx, mediumId, changes, clock)
}

export function noteEjected(trx: Trx, mediumId: string, clock: Clock): Promise<void> {
  const changes = { state: 'ejected', device: null, endedAt: clock.wallMs() } as const
  return changeMedium(trx, mediumId, changes, clock)
}

/** @throws MaasError OBJECT_IN_USE: what stands on it ends it */
export function requireFreeMedium(medium: { readonly id: string; readonly purpose: string }): void {
  if (!DATABASE_PURPOSES.includes(medium.purpose)) return
  const message = 'a database stands on the medium: drop or unprotect that instead'
  throw new MaasError('OBJECT_IN_USE', message, { mediumId: medium.id, purpose: medium.purpose })
}
