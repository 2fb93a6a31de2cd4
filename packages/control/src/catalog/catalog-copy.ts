/** Fetches a copy of the catalog out of a pool, by orders to the node that has the pool. */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'

/** What `point.read` gives at most. */
const PIECE_LENGTH = 1 << 20
/** A million points and a hundred thousand jobs make about 1 GB. */
const COPY_SIZE_MAX = 64 * 2 ** 30

export interface CopyPlace {
  readonly orders: OrderGiver
  readonly nodeId: string
  readonly poolId: string
  readonly snapshotId: string
}
interface OrderOptions {
  readonly key: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface CatalogCopy extends AsyncDisposable {
  readonly path: string
}

function invalid(place: CopyPlace, why: string): MaasError {
  const { poolId, snapshotId } = place
  const message = `the copy of the catalog ${why}`
  return new MaasError('CATALOG_EXPORT_INVALID', message, { poolId, snapshotId })
}

/** The one file of the snapshot, wherever the node put it. */
async function findFile(place: CopyPlace, options: () => OrderOptions): Promise<string> {
  const { orders, nodeId, poolId, snapshotId } = place
  let path = ''
  for (;;) {
    const params = { poolId, snapshotId, path, after: null, limit: 2 }
    const { entries } = await orders.order(nodeId, 'point.list', params, options())
    const [entry] = entries
    if (entry === undefined || entries.length > 1) throw invalid(place, 'is not one file')
    path = path === '' ? entry.name : `${path}/${entry.name}`
    if (entry.kind === 'file') return path
    if (entry.kind !== 'directory') throw invalid(place, 'is not a file')
  }
}

/**
 * @param options a fresh key for each order
 * @throws MaasError CATALOG_EXPORT_INVALID, FS_…, and what the node answers
 */
export async function fetchCatalogCopy(
  place: CopyPlace,
  directory: string,
  options: () => OrderOptions,
): Promise<CatalogCopy> {
  const { orders, nodeId, poolId, snapshotId } = place
  const name = await findFile(place, options)
  const path = join(directory, `catalog-${snapshotId}.jsonl`)
  const dispose = (): Promise<void> => rm(path, { force: true })
  await dispose()
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw toMaasError(error)
  })
  try {
    let offset = 0
    for (;;) {
      const params = { poolId, snapshotId, path: name, offset, length: PIECE_LENGTH }
      const piece = await orders.order(nodeId, 'point.read', params, options())
      const bytes = Buffer.from(piece.data, 'base64')
      await file.writeFile(bytes)
      offset += bytes.length
      if (piece.size > COPY_SIZE_MAX) throw invalid(place, 'is too long to be one')
      if (offset >= piece.size) break
      if (bytes.length === 0) throw invalid(place, 'cannot be read to its end')
    }
  } catch (error) {
    await dispose()
    throw toMaasError(error)
  } finally {
    await file.close()
  }
  return { path, [Symbol.asyncDispose]: dispose }
}
