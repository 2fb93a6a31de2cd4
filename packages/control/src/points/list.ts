/** Recovery points: reading what the catalog has of them. */
import type { Selectable } from 'kysely'
import { type Point, point } from '@openmaas/api/resources/point'
import { MaasError } from '@openmaas/kernel/errors'
import { showMark } from '../database/points.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { type HandlerRequest, type Handlers, objectNotFound } from '../http/handler.ts'
import { labelsOf, timeOf, timeOrNull } from '../http/columns.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { showVerification } from './verification.ts'
import { readPage, readTime, whereVisible } from '../http/list-query.ts'

export type PointRow = Selectable<CatalogTables['point']>
type PointContext = Pick<HandlerContext, 'catalog' | 'clock'>

export function makePointListHandlers(context: PointContext) {
  return {
    listPoints: (request) => listPoints(context, request),
    getPoint: async ({ params }) => ({
      body: showPoint(await loadPoint(context.catalog.db, params.pointId), true),
    }),
  } satisfies Handlers
}

export async function loadPoint(db: Db, id: string): Promise<PointRow> {
  const row = await db.selectFrom('point').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('point', id)
  return row
}

/** @throws MaasError POINT_NOT_AVAILABLE: it is being deleted, was, or its pool is away */
export function requireAvailable(row: PointRow): void {
  if (row.state === 'available') return
  const details = { pointId: row.id, state: row.state }
  throw new MaasError('POINT_NOT_AVAILABLE', 'the point is not available', details)
}

/** @param full with the evidence of its verification */
export function showPoint(row: PointRow, full = false): Point {
  const { id, sourceId, hostId, poolId, snapshotId, kind, consistency, state } = row
  const { sizeBytes, addedBytes, itemCount, warningCount } = row
  return {
    id,
    sourceId,
    hostId,
    poolId,
    snapshotId,
    kind,
    consistency,
    state,
    sizeBytes,
    addedBytes,
    itemCount,
    warningCount,
    takenAt: timeOf(row.takenAt),
    reasons: point.shape.reasons.parse(JSON.parse(row.reasonsJson)),
    lockUntil: timeOrNull(row.lockUntil),
    verifiedAt: timeOrNull(row.verifiedAt),
    verification: showVerification(row, full),
    database: showMark(row),
    labels: labelsOf(row.labelsJson),
  }
}

const NAMES = ['sourceId', 'hostId', 'poolId', 'state'] as const

async function listPoints(context: PointContext, request: HandlerRequest<'listPoints'>) {
  const { query } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('point').selectAll(), 'point', context.catalog, request)
  for (const name of NAMES) {
    const value = query[`filter[${name}]`]
    if (value !== undefined) rows = rows.where(name, '=', value)
  }
  // What was deleted is history; it is shown to whoever asks for it.
  if (query['filter[state]'] === undefined) rows = rows.where('state', '<>', 'deleted')
  const from = readTime(query['filter[from]'])
  const until = readTime(query['filter[until]'])
  if (from !== undefined) rows = rows.where('takenAt', '>=', from)
  if (until !== undefined) rows = rows.where('takenAt', '<', until)
  const verified = query['filter[verified]']
  const locked = query['filter[locked]']
  if (verified !== undefined) {
    rows = rows.where('verifiedAt', verified === 'true' ? 'is not' : 'is', null)
  }
  const now = context.clock.wallMs()
  if (locked === 'true') rows = rows.where('lockUntil', '>', now)
  if (locked === 'false') {
    rows = rows.where((e) => e.or([e('lockUntil', 'is', null), e('lockUntil', '<=', now)]))
  }
  const page = await readPage(rows, query, { table: 'point' })
  return { body: { items: page.rows.map((row) => showPoint(row)), next: page.next } }
}
