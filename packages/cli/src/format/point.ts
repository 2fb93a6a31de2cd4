/** A recovery point as JSON, and its figures. */
import type { Point } from '../pool/points.ts'

/** Shape of a point in the output of --json. */
export interface PointJson {
  readonly id: string
  readonly createdAt: string
  readonly name: string
  readonly host: string
  readonly path: string
  readonly kind: 'tree' | 'volume'
  /** Bytes of the files, or of the volume. */
  readonly size: number
  readonly files: number | null
  /** Bytes this run added to the pool. */
  readonly storedBytes: number | null
  readonly status: 'complete' | 'warnings'
  readonly warningCount: number
  readonly parent: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly lockUntil: string | null
}

export function pointJson({ row, manifest }: Point): PointJson {
  const { summary, source } = manifest
  return {
    id: row.id,
    createdAt: row.createdAt.toISOString(),
    name: source.name,
    host: source.host,
    path: source.path,
    kind: row.kind,
    size: pointSize({ row, manifest }),
    files: summary['files'] ?? null,
    storedBytes: summary['storedBytes'] ?? null,
    status: manifest.status,
    warningCount: manifest.warnings?.count ?? 0,
    parent: row.parent ?? null,
    tags: manifest.tags ?? {},
    lockUntil: manifest.lockedUntil ?? null,
  }
}

export function pointSize({ manifest }: Point): number {
  return manifest.volume?.size ?? manifest.summary['bytes'] ?? 0
}
