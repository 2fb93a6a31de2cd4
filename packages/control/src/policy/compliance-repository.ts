/** Facts about many sources at once: a handful of queries for a page, whatever its length. */
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import { PROTECT_KINDS } from '../job/kinds/protect-request.ts'
import { judgeCompliance } from './compliance.ts'
import type { Compliance, ComplianceFacts } from './compliance.ts'
import type { Policies } from './resolve.ts'
import { DAY_MS } from './zone.ts'

type Db = Kysely<CatalogTables>

export interface SourceCompliance extends Compliance {
  readonly sourceId: string
  readonly policyId: string | null
  readonly nextRunAt: number | null
}

/** Sources of one call: each is an item of several `in` lists. */
export const COMPLIANCE_BATCH_MAX = 500
/** Measurements of captures that still say something about the next one. */
const CAPTURES_SINCE_MS = 7 * DAY_MS

/** In the order of the ids; a source that has gone is left out. */
export async function loadCompliance(
  db: Db,
  sourceIds: readonly string[],
  options: { readonly policies: Policies; readonly now: number },
): Promise<SourceCompliance[]> {
  const { policies, now } = options
  if (sourceIds.length === 0) return []
  const rows = await listSources(db, sourceIds)
  const active = await mapActive(db, sourceIds)
  const captures = await mapCaptures(db, sourceIds, now)
  const byId = new Map(rows.map((row) => [row.id, row]))
  return sourceIds.flatMap((id) => {
    const row = byId.get(id)
    if (row === undefined) return []
    const labels = JSON.parse(row.labelsJson) as Record<string, string>
    const policy = policies.resolve({ policyId: row.policyId, labels })
    const facts: ComplianceFacts = {
      sourceId: id,
      createdAt: row.createdAt,
      paused: row.paused === 1,
      spec: policy?.spec ?? null,
      lastSuccessAt: row.lastSuccessAt,
      nextRunAt: row.nextRunAt,
      failures: row.failures ?? 0,
      failureCode: row.problemJson === null ? null : codeOf(row.problemJson),
      active: active.get(id) ?? null,
      hostState: row.hostState ?? 'removed',
      hostDrained: row.drained === 1,
      captureMs: captures.get(id) ?? null,
    }
    const judged = judgeCompliance(facts, now)
    return [{ ...judged, sourceId: id, policyId: policy?.id ?? null, nextRunAt: row.nextRunAt }]
  })
}

function codeOf(problemJson: string): string | null {
  const { code } = JSON.parse(problemJson) as { readonly code?: string }
  return code ?? null
}

function listSources(db: Db, ids: readonly string[]) {
  return db
    .selectFrom('source')
    .leftJoin('host', 'host.id', 'source.hostId')
    .leftJoin('schedule', (join) =>
      join.onRef('schedule.sourceId', '=', 'source.id').on('schedule.purpose', '=', 'protect'),
    )
    .select([
      'source.id',
      'source.labelsJson',
      'source.policyId',
      'source.paused',
      'source.createdAt',
      'source.lastSuccessAt',
      'host.state as hostState',
      'host.drained',
      'schedule.nextRunAt',
      'schedule.failures',
    ])
    .select((e) => {
      // Of the newest that failed, whoever asked for it: what is scheduled now may not have ended.
      // Looked for only where something fails, where it is among the newest jobs.
      const problem = e
        .selectFrom('job')
        .select('job.problemJson')
        .whereRef('job.sourceId', '=', 'source.id')
        .where('job.kind', 'in', PROTECT_KINDS)
        .where('job.state', '=', 'failed')
        .orderBy('job.queuedAt', 'desc')
        .orderBy('job.id', 'desc')
        .limit(1)
      return e.case().when('schedule.failures', '>', 0).then(problem).end().as('problemJson')
    })
    .where('source.id', 'in', ids)
    .execute()
}

async function mapActive(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, NonNullable<ComplianceFacts['active']>>> {
  const rows = await db
    .selectFrom('job')
    .select(['sourceId', 'state', 'queuedAt', 'startedAt'])
    .where('kind', 'in', PROTECT_KINDS)
    .where('state', 'in', ['queued', 'running'])
    .where('sourceId', 'in', ids)
    .execute()
  return new Map(
    rows.map((row) => {
      const isRunning = row.state === 'running'
      const since = isRunning ? (row.startedAt ?? row.queuedAt) : row.queuedAt
      return [row.sourceId!, { state: isRunning ? 'running' : 'queued', since }]
    }),
  )
}

/** The longest capture of late. */
export async function mapCaptures(
  db: Db,
  ids: readonly string[],
  now: number,
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('sample')
    .select(['subject', (e) => e.fn.max('value').as('longest')])
    .where('name', '=', 'capture.duration')
    .where('subject', 'in', ids)
    .where('at', '>', now - CAPTURES_SINCE_MS)
    .groupBy('subject')
    .execute()
  return new Map(rows.map((row) => [row.subject, Number(row.longest)]))
}
