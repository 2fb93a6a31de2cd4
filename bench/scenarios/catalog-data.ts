/** A catalog of a large site, by seed: sources, points, jobs, events and audit rows. */
import type { Insertable } from 'kysely'
import type { Catalog } from '@openmaas/control/catalog/catalog'
import type { CatalogTables } from '@openmaas/control/catalog/schema'
import { SeededRandom } from '@openmaas/kernel/random'
import { say } from '../output.ts'

export interface Counts {
  readonly hosts: number
  readonly pools: number
  readonly sources: number
  readonly points: number
  readonly jobs: number
  readonly events: number
}

type Row<T extends keyof CatalogTables> = Insertable<CatalogTables[T]>

export const DAY_MS = 86_400_000
/** Of the newest row. */
export const NOW = Date.UTC(2026, 10, 22)
const HISTORY_MS = 365 * DAY_MS
/** Columns times rows stay below the 32,766 parameters of SQLite. */
const BATCH_ROWS = 500
const ENVIRONMENTS = ['prod', 'stage', 'test', 'dev']
const TEAMS = ['shop', 'pay', 'data', 'infra', 'web']

export const idOf = (prefix: string, number: number): string =>
  `${prefix}_01${String(number).padStart(24, '0')}`

async function insertAll<T extends keyof CatalogTables>(
  catalog: Catalog,
  table: T,
  count: number,
  make: (number: number) => Row<T>,
): Promise<void> {
  for (let first = 0; first < count; first += BATCH_ROWS * 40) {
    const end = Math.min(count, first + BATCH_ROWS * 40)
    await catalog.transaction(async (trx) => {
      for (let i = first; i < end; i += BATCH_ROWS) {
        const length = Math.min(BATCH_ROWS, end - i)
        const rows = Array.from({ length }, (_, offset) => make(i + offset))
        await trx.insertInto(table).values(rows).execute()
      }
    })
  }
  say(`${count.toLocaleString('en')} rows in ${table}`)
}

function makeLabels(random: SeededRandom): string {
  const env = ENVIRONMENTS[random.below(ENVIRONMENTS.length)]
  return JSON.stringify({ env, team: TEAMS[random.below(TEAMS.length)] })
}

async function fillSites(catalog: Catalog, counts: Counts, random: SeededRandom): Promise<void> {
  const first = { labelsJson: '{}', createdAt: NOW - HISTORY_MS, version: 1 }
  await insertAll(catalog, 'host', counts.hosts, (number): Row<'host'> => ({
    ...first,
    id: idOf('hst', number),
    name: `host-${number}`,
    kind: 'agent',
    state: random.below(20) === 0 ? 'offline' : 'online',
    drained: 0,
    softwareVersion: '0.1.0',
    aboutJson: '{}',
    clockSkewMs: 0,
  }))
  await insertAll(catalog, 'pool', counts.pools, (number): Row<'pool'> => ({
    ...first,
    id: idOf('pol', number),
    name: `pool-${number}`,
    nodeId: idOf('hst', 0),
    path: `/srv/pool-${number}`,
    state: 'online',
    statsJson: '{}',
  }))
  await insertAll(catalog, 'source', counts.sources, (number): Row<'source'> => ({
    ...first,
    id: idOf('src', number),
    name: `source-${random.below(1e6)}-${number}`,
    hostId: idOf('hst', number % counts.hosts),
    kind: 'files',
    path: `/srv/${number}`,
    optionsJson: '{}',
    labelsJson: makeLabels(random),
    poolId: idOf('pol', number % counts.pools),
    paused: random.below(50) === 0 ? 1 : 0,
    lastSuccessAt: random.below(30) === 0 ? null : NOW - random.below(2 * DAY_MS),
  }))
}

export async function fillLargeCatalog(catalog: Catalog, counts: Counts): Promise<void> {
  const random = new SeededRandom(2026)
  await fillSites(catalog, counts, random)
  await insertAll(catalog, 'point', counts.points, (number): Row<'point'> => {
    const source = random.below(counts.sources)
    return {
      id: idOf('pnt', number),
      sourceId: idOf('src', source),
      hostId: idOf('hst', source % counts.hosts),
      poolId: idOf('pol', source % counts.pools),
      snapshotId: idOf('snp', number),
      kind: 'tree',
      consistency: 'files',
      takenAt: NOW - HISTORY_MS + Math.floor((number / counts.points) * HISTORY_MS),
      sizeBytes: random.below(2 ** 30) * 100,
      addedBytes: random.below(2 ** 30),
      itemCount: random.below(1e6),
      warningCount: 0,
      state: random.below(100) === 0 ? 'deleted' : 'available',
      reasonsJson: '["daily 2026-11-22"]',
      lockUntil: null,
      verifiedAt: null,
      labelsJson: makeLabels(random),
    }
  })
  await insertAll(catalog, 'job', counts.jobs, (number) => makeJob(number, counts, random))
  await insertAll(catalog, 'event', counts.events, (number): Row<'event'> => ({
    at: NOW - counts.events + number,
    topic: number % 3 === 0 ? 'points' : 'jobs',
    type: 'job.ended',
    subject: idOf('job', number % counts.jobs),
    labelsJson: '{}',
    dataJson: '{"state":"succeeded"}',
  }))
}

function makeJob(number: number, counts: Counts, random: SeededRandom): Row<'job'> {
  const source = random.below(counts.sources)
  // The newest ones run and wait; of the others one in fifty has failed.
  const state =
    number > counts.jobs - 20
      ? 'running'
      : number > counts.jobs - 500
        ? 'queued'
        : random.below(50) === 0
          ? 'failed'
          : 'succeeded'
  const queuedAt = NOW - 30 * DAY_MS + Math.floor((number / counts.jobs) * 30 * DAY_MS)
  return {
    id: idOf('job', number),
    kind: 'protect',
    state,
    phase: '',
    priority: random.below(3),
    activeKey: state === 'running' || state === 'queued' ? `protect:${number}` : null,
    sourceId: idOf('src', source),
    hostId: idOf('hst', source % counts.hosts),
    poolId: idOf('pol', source % counts.pools),
    actor: 'system',
    labelsJson: makeLabels(random),
    paramsJson: '{}',
    progressJson: '{}',
    attempt: 1,
    attemptMax: 3,
    notBefore: queuedAt,
    queuedAt,
    startedAt: state === 'queued' ? null : queuedAt + 100,
    endedAt: state === 'queued' || state === 'running' ? null : queuedAt + 60_000,
    claimToken: 1,
  }
}
