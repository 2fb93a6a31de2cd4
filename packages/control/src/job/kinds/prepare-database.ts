/** The first step of protect-database: everything that is decided before anything is done. */
import { makeControlId } from '@openmaas/api/ids'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { sourceOptions } from '@openmaas/api/resources/source'
import { makePointTags } from '../../catalog/point-tags.ts'
import { requireFit } from '../../database/look.ts'
import {
  connectionOf,
  loadSourceDatabase,
  type SourceDatabaseRow,
  standbyHostOf,
  statusOf,
} from '../../database/source-database.ts'
import { loadPolicies } from '../../policy/resolve.ts'
import { DAY_MS } from '../../policy/zone.ts'
import type { StepContext } from '../definition.ts'
import { choosePool, nodeOfPool } from './choose-pool.ts'
import { mountPathOf } from './database-media.ts'
import type { ProtectParams } from './prepare-capture.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

export interface PreparedDatabase {
  readonly poolId: string
  readonly nodeId: string
  readonly hostId: string
  readonly policyId: string | null
  readonly sourceName: string
  readonly engine: string
  readonly mediumId: string
  readonly directory: string
  /** The volume is to be made; its size then. */
  readonly newVolumeBytes: number | null
  /** What the medium stands on: known to its node already, unless it is new. */
  readonly snapshotId: string
  readonly isSeeded: boolean
  /** The chain was broken: the copy that is there is of no use. */
  readonly renews: boolean
  readonly engineVersion: string
  readonly identity: string
  readonly lockUntil: number | null
  readonly tags: Record<string, string>
  readonly labels: Record<string, string>
}

const GIB = 1024 ** 3
/** Below it a file system has no room for the log of a busy minute. */
const VOLUME_BYTES_MIN = 4 * GIB

/** Three times the database: room for its growth and for the log between two points. */
export function volumeBytesFor(sizeBytes: number): number {
  return Math.max(VOLUME_BYTES_MIN, Math.ceil((3 * sizeBytes) / GIB) * GIB)
}

/** @throws MaasError OBJECT_NOT_FOUND, HOST_DRAINED, SOURCE_HAS_NO_POOL, DATABASE_UNFIT */
export async function prepareDatabase(
  services: KindServices,
  context: StepContext<ProtectParams, unknown>,
): Promise<PreparedDatabase> {
  const { db } = context.catalog
  const { sourceId } = context.params
  const source = await loadSource(context)
  const row = await loadSourceDatabase(db, sourceId)
  const hostId = standbyHostOf(row, source)
  const host = await loadHost(context, hostId)
  const labels = JSON.parse(source.labelsJson) as Record<string, string>
  const policies = await loadPolicies(db)
  const policy = policies.resolve({ policyId: source.policyId, labels })
  const place = await placeOf(context, source, row)
  const checked =
    row.mediumId === null
      ? await check(services, context, { engine: source.kind, hostId, row })
      : null
  const now = context.clock.wallMs()
  // A point for a virtual database goes when that has gone, not when the policy's own may.
  const lockDays = context.params.onDemand ? 0 : (policy?.spec.lockDays ?? 0)
  const lockMs = Math.max(lockDays > 0 ? now + lockDays * DAY_MS : 0, context.params.lockUntil ?? 0)
  const mediumId = row.mediumId ?? makeControlId('medium', context.clock, services.random)
  return {
    poolId: place.poolId,
    nodeId: place.nodeId,
    snapshotId: place.snapshotId,
    hostId,
    policyId: policy?.id ?? null,
    sourceName: source.name,
    engine: source.kind,
    mediumId,
    directory: mountPathOf(mediumId),
    newVolumeBytes:
      checked === null ? null : (row.volumeBytes ?? volumeBytesFor(checked.sizeBytes)),
    isSeeded: row.seededAt !== null,
    renews: row.seededAt === null && statusOf(row)?.mustReseed === true,
    engineVersion: checked?.version ?? row.engineVersion,
    identity: checked?.identity ?? row.identity,
    lockUntil: lockMs > 0 ? lockMs : null,
    tags: makePointTags({
      sourceId,
      sourceName: source.name,
      sourcePath: source.path,
      sourceOptions: sourceOptions.parse(JSON.parse(source.optionsJson)),
      hostId: source.hostId,
      hostName: host.name,
      labels,
      pinnedPolicy: source.policyId !== null,
      policy:
        policy === null
          ? null
          : {
              id: policy.id,
              name: policy.name,
              selector: policy.selector as Record<string, string> | null,
              priority: policy.priority,
              spec: policy.spec,
            },
    }),
    labels: { ...labels, ...context.params.labels },
  }
}

async function loadSource(context: StepContext<ProtectParams, unknown>) {
  const { sourceId: id } = context.params
  const row = await context.catalog.db
    .selectFrom('source')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) throw new MaasError('OBJECT_NOT_FOUND', 'there is no such source', { id })
  assert(isDatabaseKind(row.kind), 'this job is for databases')
  return row
}

async function loadHost(context: StepContext<ProtectParams, unknown>, hostId: string) {
  const row = await context.catalog.db
    .selectFrom('host')
    .select(['name', 'drained'])
    .where('id', '=', hostId)
    .executeTakeFirst()
  if (row === undefined) {
    throw new MaasError('OBJECT_NOT_FOUND', 'there is no such host', { id: hostId })
  }
  if (row.drained === 0) return row
  throw new MaasError('HOST_DRAINED', 'the host takes no new work', { hostId })
}

/** A volume stays in its pool; a new one goes where any new source goes. */
async function placeOf(
  context: StepContext<ProtectParams, unknown>,
  source: { readonly id: string; readonly poolId: string | null },
  row: SourceDatabaseRow,
) {
  const { db } = context.catalog
  if (row.mediumId === null) return { ...(await choosePool(db, source)), snapshotId: '' }
  const medium = await db
    .selectFrom('medium')
    .leftJoin('point', 'point.id', 'medium.pointId')
    .select(['medium.poolId', 'point.snapshotId'])
    .where('medium.id', '=', row.mediumId)
    .executeTakeFirstOrThrow()
  const { poolId, snapshotId } = medium
  // One without a point stands on the empty volume, which its node knows by itself.
  return { poolId, nodeId: await nodeOfPool(db, poolId), snapshotId: snapshotId ?? '' }
}

async function check(
  services: KindServices,
  context: StepContext<ProtectParams, unknown>,
  of: { readonly engine: string; readonly hostId: string; readonly row: SourceDatabaseRow },
): Promise<Result<'database.check'>> {
  const connection = await connectionOf(of.row, (id) => services.openSecret(id))
  const answer = await context.orders.order(
    of.hostId,
    'database.check',
    { engine: of.engine, connection },
    { key: context.key('check'), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
  )
  requireFit(answer)
  return answer
}
