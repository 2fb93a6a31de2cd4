/**
 * `openmaas catalog rebuild`: what a node's pools know, put back into a catalog that was lost.
 *
 * The newest copy of the catalog that is found in a pool comes back whole; then every snapshot
 * that it does not know becomes a point again, with host, source and policy from its tags
 * (point-tags.ts). What is there already stays: it may run twice, and once for each node.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { toMaasError } from '@openmaas/kernel/error-message'
import { isMaasError } from '@openmaas/kernel/errors'
import type { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import type { OrderGiver, Result, SnapshotRowMessage } from '@openmaas/protocols/channel/orders'
import type { Catalog } from './catalog.ts'
import { fetchCatalogCopy } from './catalog-copy.ts'
import type { CatalogCopy } from './catalog-copy.ts'
import { importCatalog, isUnused } from './import.ts'
import { CATALOG_TAG } from './point-tags.ts'
import { makePendingHost, Rebuilder } from './rebuilder.ts'
import type { RebuildCounts } from './rebuilder.ts'

/** Snapshots of one order; an answer stays below 10 MB. */
const PAGE_LIMIT = 1000
/** In `meta`: host/embedded.ts. */
const EMBEDDED_NODE = 'embedded.node'
const LIST_TIMEOUT_MS = 120_000

export interface RebuildOptions {
  /** Of a node that the catalog does not know: it is added, and waits to come. */
  readonly nodeName?: string
  readonly clock: Clock
  readonly random: Random
  /** Where the copy of the catalog is put for as long as it is read. */
  readonly directory: string
  readonly signal?: AbortSignal
  readonly onProgress?: (done: { readonly snapshots: number }) => void
}

/** With what was added beyond the copy, and points of the copy whose snapshots are no more. */
export interface RebuildResult extends Readonly<RebuildCounts> {
  /** The snapshot of the catalog that was restored, and the rows it had. */
  readonly catalogCopy: { readonly snapshotId: string; readonly rows: number } | null
  readonly pools: number
  readonly snapshots: number
}

interface PoolContent {
  readonly pool: Result<'pool.list'>['pools'][number]
  readonly snapshots: readonly SnapshotRowMessage[]
}

class Reader {
  readonly #orders: OrderGiver
  readonly #nodeId: string
  readonly #options: RebuildOptions
  #order = 0
  #snapshots = 0

  constructor(orders: OrderGiver, nodeId: string, options: RebuildOptions) {
    this.#orders = orders
    this.#nodeId = nodeId
    this.#options = options
  }

  async readPools(): Promise<PoolContent[]> {
    const { pools } = await this.#orders.order(this.#nodeId, 'pool.list', {}, this.#orderOptions())
    const contents: PoolContent[] = []
    for (const pool of pools)
      contents.push({ pool, snapshots: await this.#readSnapshots(pool.poolId) })
    return contents
  }

  /** A key that no other run of a rebuild has used: each asks the node afresh. */
  #orderOptions(): { key: string; timeoutMs: number; signal?: AbortSignal } {
    this.#order += 1
    const { clock, random, signal } = this.#options
    const run = `${clock.wallMs()}-${random.bytes(8).toString('hex')}`
    const key = `rebuild:${run}:${this.#order}`
    return { key, timeoutMs: LIST_TIMEOUT_MS, ...(signal !== undefined && { signal }) }
  }

  fetchCopy(poolId: string, snapshotId: string): Promise<CatalogCopy> {
    const { signal, directory } = this.#options
    signal?.throwIfAborted()
    const place = { orders: this.#orders, nodeId: this.#nodeId, poolId, snapshotId }
    return fetchCatalogCopy(place, directory, () => this.#orderOptions())
  }

  async #readSnapshots(poolId: string): Promise<SnapshotRowMessage[]> {
    const result: SnapshotRowMessage[] = []
    let after: string | null = null
    for (;;) {
      const page: Result<'pool.snapshots'> = await this.#orders.order(
        this.#nodeId,
        'pool.snapshots',
        { poolId, after, limit: PAGE_LIMIT },
        this.#orderOptions(),
      )
      result.push(...page.snapshots)
      this.#snapshots += page.snapshots.length
      this.#options.onProgress?.({ snapshots: this.#snapshots })
      after = page.snapshots.at(-1)?.snapshotId ?? null
      if (!page.more || after === null) return result
    }
  }
}

interface Copy {
  readonly poolId: string
  readonly row: SnapshotRowMessage
}

/** Newest first: a copy that cannot be read whole gives way to the one before it. */
function listCopies(contents: readonly PoolContent[]): Copy[] {
  return contents
    .flatMap(({ pool, snapshots }) => snapshots.map((row) => ({ poolId: pool.poolId, row })))
    .filter(({ row }) => CATALOG_TAG in row.tags)
    .toSorted((a, b) => b.row.takenAt - a.row.takenAt)
}

/**
 * Copies that protect nothing are passed by: a server that has lost its catalog and was started
 * again stores the empty one that it made.
 *
 * @throws MaasError what the newest copy failed with, when none can be restored
 */
async function restoreCopy(
  catalog: Catalog,
  reader: Reader,
  copies: readonly Copy[],
): Promise<RebuildResult['catalogCopy']> {
  const failures: MaasError[] = []
  for (const { poolId, row } of copies) {
    try {
      await using copy = await reader.fetchCopy(poolId, row.snapshotId)
      const rows = await importCatalog(catalog, copy.path, { onlyInUse: true })
      return { snapshotId: row.snapshotId, rows }
    } catch (error) {
      if (!isMaasError(error, 'CATALOG_NOT_EMPTY')) failures.push(toMaasError(error))
    }
  }
  if (failures[0] !== undefined) throw failures[0]
  return null
}

/** Which host of the catalog has the pools: the embedded node that the copy knows, else this. */
async function nodeOf(catalog: Catalog, nodeId: string, options: RebuildOptions): Promise<string> {
  return catalog.transaction(async (trx) => {
    const known = await trx
      .selectFrom('host')
      .select('host.id')
      .where((e) =>
        e.or([
          e('host.id', '=', nodeId),
          e('host.id', 'in', e.selectFrom('meta').select('value').where('key', '=', EMBEDDED_NODE)),
        ]),
      )
      .executeTakeFirst()
    if (known !== undefined || options.nodeName === undefined) return known?.id ?? nodeId
    const row = makePendingHost({ id: nodeId, name: options.nodeName, kind: 'node' }, options.clock)
    await trx.insertInto('host').values(row).execute()
    return nodeId
  })
}

/**
 * @param orders reaches the node, which has its pools open
 * @throws MaasError HOST_OFFLINE and what the node answers; CATALOG_EXPORT_INVALID when there are
 *   copies of the catalog and none can be restored
 */
export async function rebuildCatalog(
  catalog: Catalog,
  orders: OrderGiver,
  nodeId: string,
  options: RebuildOptions,
): Promise<RebuildResult> {
  const reader = new Reader(orders, nodeId, options)
  const contents = await reader.readPools()
  const unused = await isUnused(catalog.db)
  const catalogCopy = unused ? await restoreCopy(catalog, reader, listCopies(contents)) : null
  const rebuilder = new Rebuilder(catalog, await nodeOf(catalog, nodeId, options), options)
  for (const { pool, snapshots } of contents) {
    options.signal?.throwIfAborted()
    await rebuilder.addPool(pool, snapshots)
  }
  const snapshots = contents.reduce((sum, content) => sum + content.snapshots.length, 0)
  return { catalogCopy, pools: contents.length, snapshots, ...rebuilder.counts }
}
