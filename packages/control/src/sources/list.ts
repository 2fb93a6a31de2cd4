/** Sources: reading what the catalog has of them. */
import type { Selectable } from 'kysely'
import { hasLimitedPlug } from '@openmaas/api/permissions'
import { isDatabaseKind, type Source, sourceOptions } from '@openmaas/api/resources/source'
import type { CatalogTables } from '../catalog/schema.ts'
import { showDatabase } from '../database/source-database.ts'
import { labelsOf, objectOf, timeOf, timeOrNull } from '../http/columns.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { type HandlerRequest, type Handlers, objectNotFound } from '../http/handler.ts'
import { readPage, whereVisible } from '../http/list-query.ts'
import { type Policies, loadPolicies } from '../policy/resolve.ts'

export type SourceRow = Selectable<CatalogTables['source']>
type SourceContext = Pick<HandlerContext, 'catalog'>

export function makeSourceListHandlers(context: SourceContext) {
  return {
    listSources: (request) => listSources(context, request),
    getSource: async ({ params, principal }) => {
      const row = await loadSource(context.catalog.db, params.sourceId)
      const full = !hasLimitedPlug(principal)
      return { body: await showSource(context.catalog.db, row, full), etag: row.version }
    },
  } satisfies Handlers
}

export async function loadSource(db: Db, id: string): Promise<SourceRow> {
  const row = await db.selectFrom('source').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('source', id)
  return row
}

function sourceView(
  row: SourceRow,
  policies: Policies,
  nextRunAt: number | null,
  database: Source['database'],
): Source {
  const labels = labelsOf(row.labelsJson)
  return {
    id: row.id,
    name: row.name,
    hostId: row.hostId,
    kind: row.kind,
    path: row.path,
    options: sourceOptions.parse(objectOf(row.optionsJson)),
    database,
    labels,
    policyId: row.policyId,
    effectivePolicyId: policies.resolve({ policyId: row.policyId, labels })?.id ?? null,
    poolId: row.poolId,
    paused: row.paused === 1,
    lastSuccessAt: timeOrNull(row.lastSuccessAt),
    lastPointId: row.lastPointId,
    nextRunAt: row.paused === 1 ? null : timeOrNull(nextRunAt),
    createdAt: timeOf(row.createdAt),
    version: row.version,
  }
}

/**
 * Many at once, with one query for their policies and one for their schedules.
 *
 * @param full false for one who may only make virtual databases: not how production is reached
 */
export async function showSources(
  db: Db,
  rows: readonly SourceRow[],
  full = true,
): Promise<Source[]> {
  if (rows.length === 0) return []
  const policies = await loadPolicies(db)
  const due = await db
    .selectFrom('schedule')
    .select(['sourceId', 'nextRunAt'])
    .where('purpose', '=', 'protect')
    .where(
      'sourceId',
      'in',
      rows.map(({ id }) => id),
    )
    .execute()
  const nextRuns = new Map(due.map((row) => [row.sourceId, row.nextRunAt]))
  const ids = rows.filter(({ kind }) => isDatabaseKind(kind)).map(({ id }) => id)
  const databases =
    ids.length === 0
      ? []
      : await db.selectFrom('sourceDatabase').selectAll().where('sourceId', 'in', ids).execute()
  const known = new Map(databases.map((row) => [row.sourceId, row]))
  return rows.map((row) => {
    const database = known.get(row.id)
    const shown = database === undefined ? null : showDatabase(database, row, full)
    return sourceView(row, policies, nextRuns.get(row.id) ?? null, shown)
  })
}

export async function showSource(db: Db, row: SourceRow, full = true): Promise<Source> {
  const [shown] = await showSources(db, [row], full)
  return shown!
}

async function listSources(context: SourceContext, request: HandlerRequest<'listSources'>) {
  const { query, principal } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('source').selectAll(), 'source', context.catalog, request)
  const ids = query['filter[id]']?.split(',')
  const name = query['filter[name]']
  const kind = query['filter[kind]']
  const hostId = query['filter[hostId]']
  const policyId = query['filter[policyId]']
  const paused = query['filter[paused]']
  if (ids !== undefined) rows = rows.where('id', 'in', ids)
  if (name !== undefined) rows = rows.where('name', '=', name)
  if (kind !== undefined) rows = rows.where('kind', '=', kind)
  if (hostId !== undefined) rows = rows.where('hostId', '=', hostId)
  if (policyId !== undefined) rows = rows.where('policyId', '=', policyId)
  if (paused !== undefined) rows = rows.where('paused', '=', paused === 'true' ? 1 : 0)
  const page = await readPage(rows, query, { table: 'source', nullable: ['lastSuccessAt'] })
  const full = !hasLimitedPlug(principal)
  return { body: { items: await showSources(db, page.rows, full), next: page.next } }
}
