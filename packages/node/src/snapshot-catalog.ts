/**
 * What the manifests of a pool's snapshots say, kept in memory: reading one costs a chunk, and
 * lists are asked for often. About 1 KB per snapshot.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { SnapshotRow, StoredManifest } from '@openmaas/pool/pool/types'
import type { SnapshotRowMessage } from '@openmaas/protocols/channel/orders'

/** Set by the node itself, never taken from an agent: whose snapshot it is, of which request. */
export const SOURCE_TAG = 'openmaas.source'
export const REQUEST_TAG = 'openmaas.request'
/** The medium that a point was sealed from, as control calls it. */
export const MEDIUM_TAG = 'openmaas.medium'
/** Copies of the catalog. */
export const CATALOG_TAG = 'openmaas.catalog'

type Known = Pick<
  StoredManifest,
  'kind' | 'source' | 'summary' | 'tags' | 'warnings' | 'users' | 'groups' | 'startedAt'
>

export class SnapshotCatalog {
  readonly #pool: Pool
  readonly #manifests = new Map<string, Known | undefined>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Oldest first, with what is known of each; undefined when its manifest cannot be read. */
  list(): { row: SnapshotRow; manifest: Known | undefined }[] {
    const rows = this.#pool.snapshots()
    if (this.#manifests.size > rows.length * 2 + 64) this.#forget(rows)
    return rows.map((row) => ({ row, manifest: this.#read(row) }))
  }

  find(id: string): { row: SnapshotRow; manifest: Known | undefined } | undefined {
    const row = this.#pool.snapshots().find((each) => each.id === id)
    return row && { row, manifest: this.#read(row) }
  }

  /** The snapshot that this request of this source has made already. */
  ofRequest(sourceId: string, requestId: string): SnapshotRow | undefined {
    return this.list().findLast(
      ({ manifest }) =>
        manifest?.tags?.[REQUEST_TAG] === requestId && manifest.tags[SOURCE_TAG] === sourceId,
    )?.row
  }

  /** The point that this request has made of a medium, or the volume that it has made. */
  ofMedium(mediumId: string | undefined, requestId: string): SnapshotRow | undefined {
    return this.list().findLast(
      ({ row, manifest }) =>
        row.kind === 'volume' &&
        manifest?.tags?.[REQUEST_TAG] === requestId &&
        manifest.tags[MEDIUM_TAG] === mediumId,
    )?.row
  }

  /** The parent that control names, when it is there and of that source: else there is none. */
  parentOf(sourceId: string, id: string | null): SnapshotRow | undefined {
    const found = id === null ? undefined : this.find(id)
    return found?.manifest?.tags?.[SOURCE_TAG] === sourceId ? found.row : undefined
  }

  /** As it crosses the channel. */
  describe(row: SnapshotRow, manifest = this.#read(row)): SnapshotRowMessage {
    const { bytes = 0, storedBytes = 0, names = 1 } = manifest?.summary ?? {}
    return {
      snapshotId: row.id,
      kind: row.kind,
      takenAt: manifest === undefined ? row.createdAt.getTime() : Date.parse(manifest.startedAt),
      host: manifest?.source.host ?? '',
      sourceName: manifest?.source.name ?? '',
      sizeBytes: bytes,
      addedBytes: storedBytes,
      itemCount: names,
      warningCount: manifest?.warnings?.count ?? 0,
      lockUntil: this.#lockDate(row),
      tags: { ...manifest?.tags },
    }
  }

  /** The lock counts in pool time, which never runs ahead of the clock: no date is promised. */
  #lockDate({ lockUntil }: SnapshotRow): number | null {
    if (lockUntil === undefined) return null
    const { time, deps } = this.#pool.core
    const leftMs = lockUntil - time.now()
    return leftMs <= 0 ? null : Math.ceil(deps.clock.wallMs() + leftMs)
  }

  #read(row: SnapshotRow): Known | undefined {
    if (this.#manifests.has(row.id)) return this.#manifests.get(row.id)
    try {
      const manifest = this.#pool.manifest(row)
      this.#manifests.set(row.id, manifest)
      return manifest
    } catch (error) {
      // fsck names it; a list of the others is what people need then. Not remembered: it may heal.
      if (isMaasError(error) && error.category === 'corrupt') return undefined
      throw error
    }
  }

  #forget(rows: readonly SnapshotRow[]): void {
    const live = new Set<SnapshotId | string>(rows.map(({ id }) => id))
    for (const id of this.#manifests.keys()) if (!live.has(id)) this.#manifests.delete(id)
  }
}
