/** A snapshot's manifest: JSON in one chunk of type manifest. */
import { MaasError } from '@openmaas/kernel/errors'
import type { SnapshotRow, StoredManifest } from './types.ts'

/** @throws MaasError TREE_INVALID when it is not the manifest of that snapshot */
export function parseManifest(raw: Buffer, row?: Pick<SnapshotRow, 'id' | 'root'>): StoredManifest {
  const invalid = (what: string, cause?: unknown) =>
    new MaasError(
      'TREE_INVALID',
      `a manifest ${what}`,
      { ...(row && { snapshot: row.id }) },
      {
        cause,
      },
    )
  let manifest: StoredManifest
  try {
    manifest = JSON.parse(raw.toString('utf8')) as StoredManifest
  } catch (cause) {
    throw invalid('is not JSON', cause)
  }
  const whole =
    typeof manifest.root === 'string' &&
    (manifest.kind === 'tree' || manifest.kind === 'volume') &&
    typeof manifest.snapshot?.id === 'string'
  if (!whole) throw invalid('lacks a field')
  if (row !== undefined && (manifest.snapshot.id !== row.id || manifest.root !== row.root)) {
    throw invalid('is that of another snapshot')
  }
  return manifest
}
