/**
 * The first step of protect: everything that is decided before anything is read. It is journalled,
 * so a resumed job asks for the very same capture.
 */
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { sourceOptions } from '@openmaas/api/resources/source'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { makePointTags } from '../../catalog/point-tags.ts'
import type { PolicyTag } from '../../catalog/point-tags.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import { bandwidthAt, stricterLimit } from '../../policy/bandwidth.ts'
import { loadPolicies } from '../../policy/resolve.ts'
import type { Policy } from '../../policy/resolve.ts'
import { DAY_MS } from '../../policy/zone.ts'
import type { StepContext } from '../definition.ts'
import { choosePool } from './choose-pool.ts'

export const protectParams = z.object({
  sourceId: z.string(),
  hostId: z.string(),
  poolId: z.string().nullable(),
  /** On top of what the policy locks. */
  lockUntil: z.number().nullable(),
  labels: z.record(z.string(), z.string()),
  /** For a virtual database, not for the policy: kept for a short time, and in no rule's place. */
  onDemand: z.boolean().default(false),
  /** Production is gone: a point of what its standby has received. */
  receivedOnly: z.boolean().default(false),
  /** Of a group: its log has to reach beyond that moment. */
  afterMs: z.number().nullable().default(null),
  /** A transaction or a place in the log: no point is taken that cannot have it. */
  wanted: z.string().nullable().default(null),
})
export type ProtectParams = z.infer<typeof protectParams>

export interface Prepared {
  readonly poolId: string
  readonly nodeId: string
  readonly policyId: string | null
  readonly sourceName: string
  readonly kind: 'files' | 'disk'
  readonly path: string
  readonly rules: {
    readonly include: string[]
    readonly exclude: string[]
    readonly oneFileSystem: boolean
  }
  readonly channels: number
  readonly bytesPerSecond: number | null
  readonly parentSnapshotId: string | null
  readonly lockUntil: number | null
  readonly tags: Record<string, string>
  readonly labels: Record<string, string>
}
/** @throws MaasError OBJECT_NOT_FOUND, HOST_DRAINED, SOURCE_HAS_NO_POOL */
export async function prepareCapture(
  context: StepContext<ProtectParams, unknown>,
): Promise<Prepared> {
  const { db } = context.catalog
  const { sourceId } = context.params
  const source = await loadSource(db, sourceId)
  const { kind } = source
  assert(kind === 'files' || kind === 'disk', 'a database is protected by a job of its own')
  const labels = JSON.parse(source.labelsJson) as Record<string, string>
  const options = sourceOptions.parse(JSON.parse(source.optionsJson))
  const policies = await loadPolicies(db)
  const policy = policies.resolve({ policyId: source.policyId, labels })
  const host = await db
    .selectFrom('host')
    .select(['name', 'drained'])
    .where('id', '=', source.hostId)
    .executeTakeFirst()
  if (host === undefined) throw notFound('host', source.hostId)
  if (host.drained === 1) {
    throw new MaasError('HOST_DRAINED', 'the host takes no new work', { hostId: source.hostId })
  }
  const place = await choosePool(db, source)
  const now = context.clock.wallMs()
  const lockDays = policy?.spec.lockDays ?? 0
  const lockUntil = Math.max(
    lockDays > 0 ? now + lockDays * DAY_MS : 0,
    context.params.lockUntil ?? 0,
  )
  const { include, exclude, oneFileSystem, channels } = options
  const limit = policy === null ? null : bandwidthAt(policy.spec, now)
  return {
    ...place,
    policyId: policy?.id ?? null,
    sourceName: source.name,
    kind,
    path: source.path,
    rules: { include, exclude, oneFileSystem },
    channels,
    bytesPerSecond: stricterLimit(limit, options.bytesPerSecond),
    parentSnapshotId: await findParent(db, sourceId, place.poolId),
    lockUntil: lockUntil > 0 ? lockUntil : null,
    tags: makePointTags({
      sourceId,
      sourceName: source.name,
      sourcePath: source.path,
      sourceOptions: options,
      hostId: source.hostId,
      hostName: host.name,
      labels,
      pinnedPolicy: source.policyId !== null,
      policy: policy === null ? null : tagOf(policy),
    }),
    labels: { ...labels, ...context.params.labels },
  }
}

function tagOf({ id, name, selector, priority, spec }: Policy): PolicyTag {
  return { id, name, selector: selector as PolicyTag['selector'], priority, spec }
}

async function loadSource(db: Kysely<CatalogTables>, sourceId: string) {
  const row = await db
    .selectFrom('source')
    .selectAll()
    .where('id', '=', sourceId)
    .executeTakeFirst()
  if (row === undefined) throw notFound('source', sourceId)
  return row
}

function notFound(noun: string, id: string): MaasError {
  return new MaasError('OBJECT_NOT_FOUND', `there is no such ${noun}`, { id })
}

/** The newest point that can be built upon. */
async function findParent(
  db: Kysely<CatalogTables>,
  sourceId: string,
  poolId: string,
): Promise<string | null> {
  const row = await db
    .selectFrom('point')
    .select('snapshotId')
    .where('sourceId', '=', sourceId)
    .where('poolId', '=', poolId)
    .where('state', '=', 'available')
    .orderBy('takenAt', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.snapshotId ?? null
}
