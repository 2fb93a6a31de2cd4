/**
 * What a fault report needs: one gzipped JSON document. What people and pools are called is in
 * it; no secret is. Rows are chosen column by column, so that a new column stays out until
 * somebody thinks of it; then the text is looked through once more for what looks like a secret.
 */
import { arch, cpus, freemem, loadavg, platform, release, totalmem, uptime } from 'node:os'
import process from 'node:process'
import { gzipSync } from 'node:zlib'
import type { Kysely } from 'kysely'
import type { Clock } from '@openmaas/kernel/clock'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { EXPORTED_TABLES } from '../catalog/tables.ts'
import type { ExportedTable } from '../catalog/tables.ts'
import type { Handlers } from '../http/handler.ts'
import { scrub } from './scrub.ts'

/** What only the composition root knows. */
export interface SupportSources {
  /** Effective settings, without secrets. */
  readonly settings: () => object
  /** The last lines of the log. */
  readonly logLines: () => readonly string[]
}

export interface SupportContext {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly version: string
  readonly support: SupportSources
  /** As /readyz asks. */
  readonly checks: Readonly<Record<string, () => Promise<boolean>>>
}

/** The newest; older failures are in the catalog's backup. */
const FAILURE_COUNT_MAX = 200
const JOB_LOG_LINES_MAX = 2000
const ROW_COUNT_MAX = 1000

export function makeSupportHandlers(context: SupportContext): Handlers {
  return {
    getSupportBundle: async () => {
      const text = scrub(JSON.stringify(await collect(context), null, 1))
      return { body: gzipSync(text), contentType: 'application/gzip' }
    },
  }
}

async function collect({ catalog, clock, version, support, checks }: SupportContext) {
  const { db } = catalog
  return {
    madeAt: new Date(clock.wallMs()).toISOString(),
    versions: { openmaas: version, ...process.versions },
    machine: describeMachine(),
    settings: support.settings(),
    health: await ask(checks),
    catalog: { dialect: catalog.dialect, rows: await countRows(db) },
    hosts: await db
      .selectFrom('host')
      .select(['id', 'name', 'kind', 'state', 'drained', 'softwareVersion', 'lastSeenAt'])
      .select(['clockSkewMs', 'certificateNotAfter', 'aboutJson'])
      .limit(ROW_COUNT_MAX)
      .execute(),
    pools: await db
      .selectFrom('pool')
      .select(['id', 'name', 'nodeId', 'state', 'statsJson', 'seenAt'])
      .limit(ROW_COUNT_MAX)
      .execute(),
    alerts: await db
      .selectFrom('alert')
      .selectAll()
      .where('resolvedAt', 'is', null)
      .limit(ROW_COUNT_MAX)
      .execute(),
    media: await db
      .selectFrom('medium')
      .select(['id', 'state', 'protocol', 'hostId', 'nodeId', 'leaseUntil', 'problemJson'])
      .where('endedAt', 'is', null)
      .limit(ROW_COUNT_MAX)
      .execute(),
    jobs: await loadJobs(db),
    log: support.logLines(),
  }
}

function describeMachine() {
  return {
    platform: `${platform()} ${release()} ${arch()}`,
    cpuCount: cpus().length,
    load: loadavg(),
    memory: { total: totalmem(), free: freemem(), ...process.memoryUsage() },
    uptimeSeconds: { machine: Math.round(uptime()), server: Math.round(process.uptime()) },
  }
}

/** A check that throws is one that failed: the bundle is wanted most when much is broken. */
async function ask(checks: SupportContext['checks']): Promise<Record<string, boolean | string>> {
  const rows = Object.entries(checks).map(async ([name, check]) => {
    return [name, await check().catch((error: unknown) => String(error))] as const
  })
  return Object.fromEntries(await Promise.all(rows))
}

async function countRows(db: Kysely<CatalogTables>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of Object.keys(EXPORTED_TABLES) as ExportedTable[]) {
    const query = db.selectFrom(table).select((e) => e.fn.countAll<number>().as('count'))
    counts[table] = Number((await query.executeTakeFirstOrThrow()).count)
  }
  return counts
}

/** Without parameters and results: they are the customer's business. */
async function loadJobs(db: Kysely<CatalogTables>) {
  const active = await db
    .selectFrom('job')
    .select(['id', 'kind', 'state', 'phase', 'attempt', 'queuedAt', 'startedAt', 'claimUntil'])
    .where('endedAt', 'is', null)
    .limit(ROW_COUNT_MAX)
    .execute()
  const failed = await db
    .selectFrom('job')
    .select(['id', 'kind', 'state', 'phase', 'attempt', 'queuedAt', 'startedAt', 'endedAt'])
    .select(['hostId', 'nodeId', 'poolId', 'sourceId', 'problemJson'])
    .where('state', 'in', ['failed', 'warning'])
    .orderBy('endedAt', 'desc')
    .limit(FAILURE_COUNT_MAX)
    .execute()
  const log = await db
    .selectFrom('jobLog')
    .innerJoin('job', 'job.id', 'jobLog.jobId')
    .select(['jobLog.jobId', 'jobLog.at', 'jobLog.level', 'jobLog.code', 'jobLog.text'])
    .where('job.state', 'in', ['failed', 'warning', 'running'])
    .orderBy('jobLog.seq', 'desc')
    .limit(JOB_LOG_LINES_MAX)
    .execute()
  return { active, failed, log }
}
