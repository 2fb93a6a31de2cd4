/** Rows of a small site with two tenants, for tests of scope. */
import type { Insertable } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import type { Clock } from '@openmaas/kernel/clock'
import type { TestServer } from './server.test-support.ts'

type Row<T extends keyof CatalogTables> = Insertable<CatalogTables[T]>

export interface Tenant {
  readonly host: string
  readonly pool: string
  readonly source: string
  readonly point: string
  readonly job: string
  readonly medium: string
  readonly alert: string
  readonly virtualDatabase: string
  readonly bookmark: string
  readonly consistencyGroup: string
}

function hostRow(id: string, name: string, labelsJson: string, at: number): Row<'host'> {
  return {
    id,
    name,
    labelsJson,
    kind: 'agent',
    state: 'online',
    drained: 0,
    createdAt: at,
    softwareVersion: '0.1.0',
    aboutJson: '{}',
    dataAddress: null,
    version: 1,
    certificateSerial: null,
    certificateNotAfter: null,
    lastSeenAt: at,
    clockSkewMs: 0,
  }
}

/** What the rows of one tenant have in common. */
interface Common extends Tenant {
  readonly name: string
  readonly labelsJson: string
  readonly at: number
  readonly owner: string
}

function poolRow(common: Common): Row<'pool'> {
  const { host: hostId, pool: poolId, labelsJson, at, name: tenant } = common
  return {
    id: poolId,
    name: `${tenant}-pool`,
    nodeId: hostId,
    path: '/pool',
    labelsJson,
    state: 'online',
    statsJson: '{}',
    seenAt: at,
    createdAt: at,
    version: 1,
  }
}

function sourceRow(common: Common): Row<'source'> {
  const {
    host: hostId,
    pool: poolId,
    source: sourceId,
    point: pointId,
    labelsJson,
    at,
    name: tenant,
  } = common
  return {
    id: sourceId,
    name: `${tenant}-source`,
    hostId,
    kind: 'files',
    path: '/srv',
    poolId,
    optionsJson: '{}',
    labelsJson,
    policyId: null,
    paused: 0,
    createdAt: at,
    version: 1,
    lastSuccessAt: at,
    lastPointId: pointId,
  }
}

function pointRow(common: Common): Row<'point'> {
  const { host: hostId, pool: poolId, source: sourceId, point: pointId, labelsJson, at } = common
  return {
    id: pointId,
    sourceId,
    hostId,
    poolId,
    snapshotId: 'snp_1',
    kind: 'tree',
    labelsJson,
    consistency: 'files',
    takenAt: at,
    sizeBytes: 1,
    addedBytes: 1,
    itemCount: 1,
    warningCount: 0,
    state: 'available',
    reasonsJson: '["daily"]',
    lockUntil: null,
    verifiedAt: null,
  }
}

function mediumRow(common: Common): Row<'medium'> {
  const {
    host: hostId,
    pool: poolId,
    source: sourceId,
    point: pointId,
    labelsJson,
    at,
    owner,
    name: tenant,
  } = common
  return {
    id: common.medium,
    name: `${tenant}-medium`,
    pointId,
    sourceId,
    poolId,
    hostId,
    nodeId: hostId,
    protocol: 'local',
    readOnly: 0,
    mountPath: '/mnt',
    device: null,
    state: 'plugged',
    purpose: '',
    leaseUntil: null,
    quotaBytes: null,
    labelsJson,
    bytesPerSecond: null,
    poolMediumId: null,
    createdBy: owner,
    createdAt: at,
    endedAt: null,
    problemJson: null,
    version: 1,
  }
}

function alertRow(common: Common): Row<'alert'> {
  const { host: hostId, labelsJson, at } = common
  return {
    id: common.alert,
    rule: 'host.offline',
    key: common.alert,
    severity: 'warning',
    labelsJson,
    state: 'firing',
    subject: hostId,
    paramsJson: '{}',
    openedAt: at,
    seenAt: at,
    resolvedAt: null,
    acknowledgedBy: null,
    acknowledgedAt: null,
  }
}

function virtualDatabaseRow(common: Common): Row<'virtualDatabase'> {
  const { host: hostId, pool: poolId, source: sourceId, point: pointId, medium: mediumId } = common
  const { labelsJson, at, owner, name: tenant } = common
  return {
    id: common.virtualDatabase,
    name: `${tenant}-virtual-database`,
    engine: 'postgres',
    engineVersion: '15.1',
    sourceId,
    parentId: null,
    pointId,
    bookmarkId: null,
    targetJson: '{"kind":"point"}',
    hostId,
    poolId,
    nodeId: hostId,
    mediumId,
    state: 'running',
    dataAt: at,
    position: '0/1',
    address: '127.0.0.1',
    port: 5433,
    userName: 'openmaas',
    secretId: 'sec_none',
    databasesJson: '[]',
    listenJson: '["127.0.0.1"]',
    settingsJson: '{}',
    leaseUntil: null,
    quotaBytes: null,
    writtenBytes: null,
    autoRefreshJson: null,
    nextRefreshAt: null,
    lastRefreshAt: null,
    liveSync: 0,
    kept: 0,
    directory: null,
    purpose: '',
    labelsJson,
    createdBy: owner,
    createdAt: at,
    readyAt: at,
    endedAt: null,
    problemJson: null,
    version: 1,
  }
}

function bookmarkRow(common: Common): Row<'bookmark'> {
  const { bookmark: id, virtualDatabase: virtualDatabaseId, pool: poolId, at, owner } = common
  return {
    id,
    virtualDatabaseId,
    name: `${common.name}-bookmark`,
    state: 'available',
    poolId,
    snapshotId: 'snp_2',
    takenAt: at,
    sizeBytes: 1,
    addedBytes: 1,
    createdBy: owner,
    createdAt: at,
    problemJson: null,
  }
}

function groupRow(common: Common): Row<'consistencyGroup'> {
  const { consistencyGroup: id, labelsJson, at, owner, name: tenant } = common
  return {
    id,
    name: `${tenant}-group`,
    policyId: null,
    clockLimitMs: 1000,
    labelsJson,
    nextRunAt: null,
    lastDueAt: null,
    lastJobId: null,
    problemJson: null,
    createdBy: owner,
    createdAt: at,
    version: 1,
  }
}

/** @param owner the one who made job and medium */
export async function addTenant(
  site: Pick<TestServer, 'catalog' | 'id'> & { readonly clock: Clock },
  tenant: string,
  owner = 'user:usr_owner',
): Promise<Tenant> {
  const ids: Tenant = {
    host: site.id('host'),
    pool: site.id('point').replace('pnt_', 'pol_'),
    source: site.id('source'),
    point: site.id('point'),
    job: site.id('job'),
    medium: site.id('medium'),
    alert: site.id('alert'),
    virtualDatabase: site.id('virtualDatabase'),
    bookmark: site.id('bookmark'),
    consistencyGroup: site.id('consistencyGroup'),
  }
  const at = site.clock.wallMs()
  const labelsJson = JSON.stringify({ tenant })
  const common: Common = { ...ids, name: tenant, labelsJson, at, owner }
  await site.catalog.transaction(async (trx) => {
    const host = hostRow(ids.host, `${tenant}-host`, labelsJson, at)
    await trx.insertInto('host').values(host).execute()
    await trx.insertInto('pool').values(poolRow(common)).execute()
    await trx.insertInto('source').values(sourceRow(common)).execute()
    await trx.insertInto('point').values(pointRow(common)).execute()
    await trx
      .insertInto('job')
      .values(jobRow(ids, labelsJson, owner, at))
      .execute()
    await trx.insertInto('medium').values(mediumRow(common)).execute()
    await trx.insertInto('alert').values(alertRow(common)).execute()
    await trx.insertInto('virtualDatabase').values(virtualDatabaseRow(common)).execute()
    await trx.insertInto('bookmark').values(bookmarkRow(common)).execute()
    await trx.insertInto('consistencyGroup').values(groupRow(common)).execute()
  })
  return ids
}

function jobRow(ids: Tenant, labelsJson: string, actor: string, at: number): Row<'job'> {
  const { source: sourceId, host: hostId, pool: poolId } = ids
  const params = { sourceId, hostId, poolId, lockUntil: null, labels: {} }
  return {
    id: ids.job,
    kind: 'protect',
    state: 'running',
    phase: 'capture',
    priority: 0,
    actor,
    activeKey: null,
    sourceId: ids.source,
    hostId: ids.host,
    nodeId: null,
    labelsJson,
    poolId: ids.pool,
    pointId: null,
    mediumId: null,
    policyId: null,
    parentId: null,
    retryOf: null,
    paramsJson: JSON.stringify(params),
    progressJson: '{}',
    resultJson: null,
    attempt: 1,
    problemJson: null,
    attemptMax: 3,
    notBefore: at,
    queuedAt: at,
    startedAt: at,
    endedAt: null,
    deadlineAt: null,
    cancelRequestedAt: null,
    claimedBy: 'engine',
    claimToken: 1,
    claimUntil: at + 6e4,
  }
}
