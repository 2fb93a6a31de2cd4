/** A monitor on a catalog with rows of its own, and a clock that the test moves. */
import type { PolicySpec } from '@openmaas/api/policy'
import { policySpec } from '@openmaas/api/policy'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import type { Insertable } from 'kysely'
import type { MakeCatalog } from '../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { EventFeed } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { NamedCertificate } from './health.ts'
import { Monitor } from './monitor.ts'

export const GIB = 1024 ** 3
type Row<T extends keyof CatalogTables> = Partial<Insertable<CatalogTables[T]>>

export class MonitoredSite {
  readonly clock: FakeClock
  readonly catalog: Catalog
  readonly events: EventFeed
  readonly monitor: Monitor
  readonly errors: unknown[] = []
  certificates: NamedCertificate[] = []

  constructor(catalog: Catalog, clock: FakeClock) {
    this.clock = clock
    this.catalog = catalog
    const onError = (error: unknown): void => void this.errors.push(error)
    this.events = new EventFeed(catalog, { onError })
    this.monitor = new Monitor({
      catalog,
      clock,
      events: this.events,
      onError,
      random: new SeededRandom(1),
      version: '0.0.0',
      directory: null,
      certificates: () => Promise.resolve(this.certificates),
      metricsPublic: true,
    })
  }

  /** Keys of what fires. */
  async firing(): Promise<string[]> {
    const rows = await this.catalog.db
      .selectFrom('alert')
      .select('key')
      .where('state', '=', 'firing')
      .orderBy('key')
      .execute()
    return rows.map(({ key }) => key)
  }

  /** Time passes, something happens, and the monitor looks. */
  async pass(minutes: number, before?: () => Promise<void>): Promise<void> {
    this.clock.advance(minutes * 60_000)
    await before?.()
    await this.monitor.tick()
  }

  async addHost(row: Row<'host'> = {}): Promise<void> {
    await this.catalog.db
      .insertInto('host')
      .values({
        id: 'hst_1',
        name: 'web',
        kind: 'agent',
        labelsJson: '{}',
        state: 'online',
        drained: 0,
        softwareVersion: '1',
        aboutJson: '{}',
        dataAddress: null,
        certificateSerial: null,
        certificateNotAfter: null,
        clockSkewMs: 0,
        version: 1,
        lastSeenAt: this.clock.wallMs(),
        createdAt: this.clock.wallMs(),
        ...row,
      })
      .execute()
  }

  async addSource(row: Row<'source'> = {}): Promise<void> {
    await this.catalog.db
      .insertInto('source')
      .values({
        id: 'src_1',
        name: 'data',
        hostId: 'hst_1',
        kind: 'files',
        path: '/srv',
        optionsJson: '{}',
        labelsJson: '{"env":"prod"}',
        policyId: null,
        poolId: null,
        paused: 0,
        lastSuccessAt: null,
        lastPointId: null,
        version: 1,
        createdAt: this.clock.wallMs(),
        ...row,
      })
      .execute()
  }

  async addPolicy(spec: Partial<PolicySpec> = {}): Promise<void> {
    await this.catalog.db
      .insertInto('policy')
      .values({
        id: 'plc_1',
        name: 'hourly',
        selectorJson: '{"env":"prod"}',
        priority: 0,
        specJson: JSON.stringify(
          policySpec.parse({
            rpo: '1h',
            ...spec,
          }),
        ),
        enabled: 1,
        createdAt: 0,
        version: 1,
      })
      .execute()
  }

  async addPool(row: Row<'pool'> = {}): Promise<void> {
    await this.catalog.db
      .insertInto('pool')
      .values({
        id: 'pol_1',
        name: 'main',
        nodeId: 'hst_1',
        path: '/pool',
        labelsJson: '{}',
        statsJson: statsJson({}),
        state: 'online',
        seenAt: null,
        createdAt: this.clock.wallMs(),
        version: 1,
        ...row,
      })
      .execute()
  }

  async addPoint(row: Row<'point'> = {}): Promise<void> {
    await this.catalog.db
      .insertInto('point')
      .values({
        id: 'pnt_1',
        sourceId: 'src_1',
        hostId: 'hst_1',
        poolId: 'pol_1',
        snapshotId: row.id ?? 'snp_1',
        kind: 'tree',
        consistency: 'files',
        sizeBytes: 1e3,
        addedBytes: 100,
        itemCount: 1,
        warningCount: 0,
        state: 'available',
        reasonsJson: '[]',
        lockUntil: null,
        verifiedAt: null,
        labelsJson: '{}',
        takenAt: this.clock.wallMs(),
        ...row,
      })
      .execute()
  }

  async addJob(row: Row<'job'> & { readonly id: string }): Promise<void> {
    const now = this.clock.wallMs()
    await this.catalog.db
      .insertInto('job')
      .values({
        kind: 'protect',
        state: 'succeeded',
        phase: '',
        priority: 0,
        activeKey: null,
        sourceId: null,
        hostId: null,
        nodeId: null,
        poolId: null,
        pointId: null,
        mediumId: null,
        policyId: null,
        parentId: null,
        retryOf: null,
        actor: 'system',
        labelsJson: '{}',
        paramsJson: '{}',
        progressJson: '{}',
        resultJson: null,
        problemJson: null,
        attempt: 1,
        attemptMax: 1,
        deadlineAt: null,
        notBefore: now,
        queuedAt: now,
        startedAt: now,
        endedAt: now,
        cancelRequestedAt: null,
        claimedBy: null,
        claimToken: 0,
        claimUntil: null,
        ...row,
      })
      .execute()
  }

  async addMedium(row: Row<'medium'> = {}): Promise<void> {
    await this.catalog.db
      .insertInto('medium')
      .values({
        id: 'mnt_1',
        name: 'try',
        pointId: 'pnt_1',
        sourceId: 'src_1',
        poolId: 'pol_1',
        nodeId: 'hst_1',
        hostId: 'hst_1',
        protocol: 'local',
        readOnly: 1,
        mountPath: null,
        device: null,
        state: 'plugged',
        purpose: '',
        leaseUntil: null,
        quotaBytes: null,
        bytesPerSecond: null,
        poolMediumId: null,
        labelsJson: '{}',
        createdBy: 'user:usr_1',
        endedAt: null,
        problemJson: null,
        version: 1,
        createdAt: this.clock.wallMs(),
        ...row,
      })
      .execute()
  }

  /** As the scheduler does it every ten seconds. */
  async renewLease(): Promise<void> {
    const until = this.clock.wallMs() + 30_000
    await this.catalog.db
      .insertInto('lease')
      .values({ name: 'scheduler', holder: 'test', token: 1, until })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ until }))
      .execute()
  }
}

export function statsJson(stats: {
  readonly sizeBytes?: number
  readonly freeBytes?: number
  readonly badBlocks?: number
}): string {
  const counts = { snapshotCount: 1, packCount: 1, badBlocks: 0 }
  const sizes = { sizeBytes: 1000 * GIB, freeBytes: 600 * GIB }
  return JSON.stringify({
    ...sizes,
    physicalBytes: GIB,
    logicalBytes: 3 * GIB,
    ...counts,
    ...stats,
  })
}

export async function makeSite(make: MakeCatalog): Promise<MonitoredSite> {
  const clock = new FakeClock()
  return new MonitoredSite(await make(clock), clock)
}
