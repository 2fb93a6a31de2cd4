/** Looking into points without plugging them: directories, search, bytes of a file. */
import type { Entry } from '@openmaas/api/resources/host'
import type { OrderGiver, Result } from '@openmaas/protocols/channel/orders'
import { auditChange } from '../audit/audited.ts'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { labelsOf, timeOf } from '../http/columns.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { loadPoint, requireAvailable } from './list.ts'
import type { PointRow } from './list.ts'
import { MaasError } from '@openmaas/kernel/errors'
import { nodeOfPool } from '../job/kinds/choose-pool.ts'

export interface BrowseContext extends HandlerContext {
  readonly orders: OrderGiver
}

/** A node answers from its cache; a pool of slow disks takes some seconds. */
const LOOK_TIMEOUT_MS = 30_000
/** A search reads every directory of every point. */
const FIND_TIMEOUT_MS = 120_000
/** As the order takes; older points are searched by naming one. */
const FIND_POINTS_MAX = 1000
const PIECE_BYTES = 1 << 20

type EntryMessage = Result<'point.list'>['entries'][number]

export function makeBrowseHandlers(context: BrowseContext) {
  return {
    listEntries: (request) => listEntries(context, request),
    findInPoints: (request) => findInPoints(context, request),
    getContent: (request) => getContent(context, request),
  } satisfies Handlers
}

function showEntry(message: EntryMessage): Entry {
  const { name, kind, size, mtimeMs, mode, owner, target } = message
  const modifiedAt = timeOf(mtimeMs)
  const shown = { name, kind, sizeBytes: size, modifiedAt, mode, owner }
  return target === undefined ? shown : { ...shown, target }
}

/** Orders that only look are never asked again under the same key. */
function options(context: BrowseContext, what: string, signal: AbortSignal) {
  const timeoutMs = what === 'find' ? FIND_TIMEOUT_MS : LOOK_TIMEOUT_MS
  return { key: `${what}:${context.random.bytes(12).toString('hex')}`, timeoutMs, signal }
}

async function listEntries(context: BrowseContext, request: HandlerRequest<'listEntries'>) {
  const { query, params, signal } = request
  const { db } = context.catalog
  const point = await loadPoint(db, params.pointId)
  requireAvailable(point)
  const { poolId, snapshotId } = point
  const order = { poolId, snapshotId, path: query.path, after: query.after ?? null }
  const { entries, more } = await context.orders.order(
    await nodeOfPool(db, poolId),
    'point.list',
    { ...order, limit: query.limit },
    options(context, 'list', signal),
  )
  return { body: { items: entries.map((entry) => showEntry(entry)), more } }
}

async function findInPoints(context: BrowseContext, request: HandlerRequest<'findInPoints'>) {
  const { query, signal } = request
  const points = await searched(context.catalog.db, query)
  const byPool = Map.groupBy(points, ({ poolId }) => poolId)
  const items: { pointId: string; takenAt: string; path: string; entry: Entry }[] = []
  let more = points.length === FIND_POINTS_MAX
  for (const [poolId, rows] of byPool) {
    const limit = query.limit - items.length
    if (limit <= 0) return { body: { items, more: true } }
    const found = await context.orders.order(
      await nodeOfPool(context.catalog.db, poolId),
      'point.find',
      {
        poolId,
        pattern: query.pattern,
        limit,
        snapshotIds: rows.map(({ snapshotId }) => snapshotId),
      },
      options(context, 'find', signal),
    )
    more ||= found.more
    const bySnapshot = new Map(rows.map((row) => [row.snapshotId, row]))
    for (const { snapshotId, path, entry } of found.found) {
      const row = bySnapshot.get(snapshotId)
      if (row === undefined) continue
      items.push({ pointId: row.id, takenAt: timeOf(row.takenAt), path, entry: showEntry(entry) })
    }
  }
  return { body: { items, more } }
}

/** The newest first, since what was lost is looked for backwards. */
async function searched(
  db: Db,
  by: { readonly sourceId?: string | undefined; readonly pointId?: string | undefined },
): Promise<PointRow[]> {
  let query = db.selectFrom('point').selectAll().where('state', '=', 'available')
  if (by.pointId !== undefined) query = query.where('id', '=', by.pointId)
  if (by.sourceId !== undefined) query = query.where('sourceId', '=', by.sourceId)
  return query.orderBy('takenAt', 'desc').limit(FIND_POINTS_MAX).execute()
}

async function getContent(context: BrowseContext, request: HandlerRequest<'getContent'>) {
  const { params, query, signal } = request
  const { db } = context.catalog
  const point = await loadPoint(db, params.pointId)
  requireAvailable(point)
  const { poolId, snapshotId } = point
  const nodeId = await nodeOfPool(db, poolId)
  const read = (offset: number, length: number): Promise<Result<'point.read'>> =>
    context.orders.order(
      nodeId,
      'point.read',
      { poolId, snapshotId, path: query.path, offset, length },
      options(context, 'read', signal),
    )
  // Read before anything is sent, so that a file that is not there is a problem and no torn body.
  const first = await read(query.offset, Math.min(PIECE_BYTES, query.length ?? PIECE_BYTES))
  const end = Math.min(first.size, query.offset + (query.length ?? first.size))
  await context.catalog.transaction((trx) =>
    auditChange(trx, context.clock, request, {
      action: 'getContent',
      object: point.id,
      labels: labelsOf(point.labelsJson),
      after: {
        path: query.path,
        offset: query.offset,
        end,
      },
    }),
  )
  const name = encodeURIComponent(query.path.split('/').at(-1) ?? 'content')
  return {
    body: readAll(read, first, { offset: query.offset, end }),
    contentType: 'application/octet-stream',
    headers: {
      'content-disposition': `attachment; filename*=UTF-8''${name}`,
      'content-length': String(Math.max(0, end - query.offset)),
    },
  }
}

async function* readAll(
  read: (offset: number, length: number) => Promise<Result<'point.read'>>,
  first: Result<'point.read'>,
  range: { readonly offset: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  let piece = Buffer.from(first.data, 'base64')
  let { offset } = range
  while (offset < range.end) {
    if (piece.length === 0) throw new MaasError('TREE_INVALID', 'the file ends before its size')
    yield piece.subarray(0, range.end - offset)
    offset += piece.length
    if (offset >= range.end) return
    const { data } = await read(offset, Math.min(PIECE_BYTES, range.end - offset))
    piece = Buffer.from(data, 'base64')
  }
}
