/** Virtual databases: reading what the catalog has of them. */
import { ownerOf, seesOwnOnly } from '@openmaas/api/permissions'
import type { HandlerContext } from '../http/handler-context.ts'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { readPage, whereVisible } from '../http/list-query.ts'
import {
  loadVirtualDatabase,
  showBookmark,
  showVirtualDatabase,
  type VirtualDatabaseRow,
} from './rows.ts'

type ListContext = Pick<HandlerContext, 'catalog'>

export function makeVirtualDatabaseListHandlers(context: ListContext) {
  return {
    listVirtualDatabases: (request) => list(context, request),
    getVirtualDatabase: async ({ params }) => {
      const row = await loadVirtualDatabase(context.catalog.db, params.virtualDatabaseId)
      return { body: showVirtualDatabase(row), etag: row.version }
    },
    listBookmarks: (request) => listBookmarks(context, request),
  } satisfies Handlers
}

const NAMES = ['name', 'sourceId', 'hostId', 'parentId'] as const

async function list({ catalog }: ListContext, request: HandlerRequest<'listVirtualDatabases'>) {
  const { query, principal } = request
  const all = catalog.db.selectFrom('virtualDatabase').selectAll()
  let rows = whereVisible(all, 'virtualDatabase', catalog, request)
  if (seesOwnOnly(principal, 'virtual-database.read')) {
    rows = rows.where('createdBy', '=', ownerOf(principal))
  }
  for (const name of NAMES) {
    const value = query[`filter[${name}]`]
    if (value !== undefined) rows = rows.where(name, '=', value)
  }
  const states = query['filter[state]']?.split(',') as VirtualDatabaseRow['state'][] | undefined
  if (states !== undefined) rows = rows.where('state', 'in', states)
  const active = query['filter[active]']
  if (active !== undefined) rows = rows.where('endedAt', active === 'true' ? 'is' : 'is not', null)
  const page = await readPage(rows, query, { table: 'virtualDatabase', nullable: ['leaseUntil'] })
  return { body: { items: page.rows.map((row) => showVirtualDatabase(row)), next: page.next } }
}

async function listBookmarks({ catalog }: ListContext, request: HandlerRequest<'listBookmarks'>) {
  const { query, params } = request
  const rows = catalog.db
    .selectFrom('bookmark')
    .selectAll()
    .where('virtualDatabaseId', '=', params.virtualDatabaseId)
  const page = await readPage(rows, query, { table: 'bookmark' })
  return { body: { items: page.rows.map((row) => showBookmark(row)), next: page.next } }
}
