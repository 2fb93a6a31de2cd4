/** Rows of a small site with two tenants, for tests of scope. */
import type { Insertable } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
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
}

function hostRow(id: string, name: string, labelsJson: string, at: number): Row<'host'> {
  return {
    ...{ id, name, labelsJson, kind: 'agent', state: 'online', drained: 0, createdAt: at },
    ...{ softwareVersion: '0.1.0', aboutJson: '{}', dataAddress: null, version: 1 },
    ...{ certificateSerial: null, certificateNotAfter: null, lastSeenAt: at, clockSkewMs: 0 },
  }
}

/** @param owner the one who made job and medium */
export async function addTenant(
  site: TestServer,
  tenant: string,
  owner = 'user:usr_owner',
): Promise<Tenant> {
  const { clock, catalog } = site
  const at = clock.wallMs()
  const ids: Tenant = {
    host: site.id('host'),
    pool: site.id('point').replace('pnt_', 'pol_'),
    source: site.id('source'),
    point: site.id('point'),
    job: site.id('job'),
    medium: site.id('medium'),
    alert: site.id('alert'),
  }
  const labelsJson = JSON.stringify({ tenant })
  const { host: hostId, pool: poolId, source: sourceId, point: pointId } = ids
  await catalog.transaction(async (trx) => {
    const host = hostRow(hostId, `${tenant}-host`, labelsJson, at)
    await trx.insertInto('host').values(host).execute()
    const pool: Row<'pool'> = {
      ...{ id: poolId, name: `${tenant}-pool`, nodeId: hostId, path: '/pool', labelsJson },
      ...{ state: 'online', statsJson: '{}', seenAt: at, createdAt: at, version: 1 },
    }
    await trx.insertInto('pool').values(pool).execute()
    const source: Row<'source'> = {
      ...{ id: sourceId, name: `${tenant}-source`, hostId, kind: 'files', path: '/srv', poolId },
      ...{ optionsJson: '{}', labelsJson, policyId: null, paused: 0, createdAt: at, version: 1 },
      ...{ lastSuccessAt: at, lastPointId: pointId },
    }
    await trx.insertInto('source').values(source).execute()
    const point: Row<'point'> = {
      ...{ id: pointId, sourceId, hostId, poolId, snapshotId: 'snp_1', kind: 'tree', labelsJson },
      ...{ consistency: 'files', takenAt: at, sizeBytes: 1, addedBytes: 1, itemCount: 1 },
      ...{ warningCount: 0, state: 'available', reasonsJson: '["daily"]' },
      ...{ lockUntil: null, verifiedAt: null },
    }
    await trx.insertInto('point').values(point).execute()
    await trx
      .insertInto('job')
      .values(jobRow(ids, labelsJson, owner, at))
      .execute()
    const medium: Row<'medium'> = {
      ...{ id: ids.medium, name: `${tenant}-medium`, pointId, sourceId, poolId, hostId },
      ...{ nodeId: hostId, protocol: 'local', readOnly: 0, mountPath: '/mnt', device: null },
      ...{ state: 'plugged', purpose: '', leaseUntil: null, quotaBytes: null, labelsJson },
      ...{ bytesPerSecond: null, poolMediumId: null, createdBy: owner, createdAt: at },
      ...{ endedAt: null, problemJson: null, version: 1 },
    }
    await trx.insertInto('medium').values(medium).execute()
    const alert: Row<'alert'> = {
      ...{ id: ids.alert, rule: 'host.offline', key: ids.alert, severity: 'warning', labelsJson },
      ...{ state: 'firing', subject: hostId, paramsJson: '{}', openedAt: at, seenAt: at },
      ...{ resolvedAt: null, acknowledgedBy: null, acknowledgedAt: null },
    }
    await trx.insertInto('alert').values(alert).execute()
  })
  return ids
}

function jobRow(ids: Tenant, labelsJson: string, actor: string, at: number): Row<'job'> {
  return {
    ...{ id: ids.job, kind: 'protect', state: 'running', phase: 'capture', priority: 0, actor },
    ...{ activeKey: null, sourceId: ids.source, hostId: ids.host, nodeId: null, labelsJson },
    ...{ poolId: ids.pool, pointId: null, mediumId: null, policyId: null, parentId: null },
    ...{ retryOf: null, paramsJson: '{}', progressJson: '{}', resultJson: null, attempt: 1 },
    ...{ problemJson: null, attemptMax: 3, notBefore: at, queuedAt: at, startedAt: at },
    ...{ endedAt: null, deadlineAt: null, cancelRequestedAt: null, claimedBy: 'engine' },
    ...{ claimToken: 1, claimUntil: at + 60_000 },
  }
}
