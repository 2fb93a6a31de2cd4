/** Media: reading what the catalog has of them. Plugging and ejecting: handlers.ts. */
import type { Selectable } from 'kysely'
import { ownerOf, seesOwnOnly } from '@openmaas/api/permissions'
import type { Medium } from '@openmaas/api/resources/medium'
import type { CatalogTables } from '../catalog/schema.ts'
import { type HandlerRequest, type Handlers, objectNotFound } from '../http/handler.ts'
import { failureOf, labelsOf, timeOf, timeOrNull } from '../http/columns.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { readPage, whereVisible } from '../http/list-query.ts'

export type MediumRow = Selectable<CatalogTables['medium']>
type MediumContext = Pick<HandlerContext, 'catalog'>

export function makeMediumListHandlers(context: MediumContext) {
  return {
    listMedia: (request) => listMedia(context, request),
    getMedium: async ({ params }) => {
      const row = await loadMedium(context.catalog.db, params.mediumId)
      return { body: showMedium(row), etag: row.version }
    },
  } satisfies Handlers
}

export async function loadMedium(db: Db, id: string): Promise<MediumRow> {
  const row = await db.selectFrom('medium').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('medium', id)
  return row
}

export function showMedium(row: MediumRow): Medium {
  const { id, name, pointId, sourceId, poolId, nodeId, hostId, protocol, mountPath, device } = row
  const { state, purpose, quotaBytes, bytesPerSecond, createdBy, version } = row
  return {
    id,
    name,
    pointId,
    sourceId,
    poolId,
    nodeId,
    hostId,
    protocol,
    mountPath,
    device,
    state,
    purpose,
    quotaBytes,
    bytesPerSecond,
    createdBy,
    version,
    readOnly: row.readOnly === 1,
    leaseUntil: timeOrNull(row.leaseUntil),
    labels: labelsOf(row.labelsJson),
    createdAt: timeOf(row.createdAt),
    endedAt: timeOrNull(row.endedAt),
    problem: failureOf(row.problemJson),
  }
}

const NAMES = ['name', 'hostId', 'sourceId', 'pointId'] as const

async function listMedia(context: MediumContext, request: HandlerRequest<'listMedia'>) {
  const { query, principal } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('medium').selectAll(), 'medium', context.catalog, request)
  // A volume is a medium like others once it stands on a point.
  rows = rows.where('pointId', '!=', '')
  if (seesOwnOnly(principal, 'medium.read')) {
    rows = rows.where('createdBy', '=', ownerOf(principal))
  }
  for (const name of NAMES) {
    const value = query[`filter[${name}]`]
    if (value !== undefined) rows = rows.where(name, '=', value)
  }
  const states = query['filter[state]']?.split(',') as MediumRow['state'][] | undefined
  if (states !== undefined) rows = rows.where('state', 'in', states)
  const page = await readPage(rows, query, { table: 'medium', nullable: ['leaseUntil'] })
  return { body: { items: page.rows.map((row) => showMedium(row)), next: page.next } }
}
