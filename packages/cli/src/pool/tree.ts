/** The files of a point: opening its tree, finding a path in it. */
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { splitPath, TreeReader } from '@openmaas/pool/tree/tree-reader'
import type { Point } from './points.ts'

/** @throws MaasError POINT_HAS_NO_FILES for a volume */
export function openTree(source: ChunkSource, point: Point): TreeReader {
  const { row } = point
  if (row.kind !== 'tree') {
    throw new MaasError('POINT_HAS_NO_FILES', `${row.id} is a volume, not a tree of files`, {
      point: row.id,
    })
  }
  return new TreeReader(source, Buffer.from(row.root, 'hex'))
}

export interface Found {
  /** Names joined by "/", from the root of the point. */
  readonly path: Buffer
  readonly entry: TreeEntry
}

/**
 * Finds a path as people give it: from the root of the point, or as it was on the source's
 * machine.
 *
 * @throws MaasError RESTORE_NOT_IN_POINT
 */
export function findPath(tree: TreeReader, point: Point, text: string): Found {
  for (const candidate of spellings(point, text)) {
    const path = Buffer.concat(joined(splitPath(Buffer.from(candidate))))
    const entry = tree.lookup(path)
    if (entry !== undefined) return { path, entry }
  }
  throw new MaasError('RESTORE_NOT_IN_POINT', `"${text}" is not in ${point.row.id}`, {
    path: text,
    point: point.row.id,
  })
}

function spellings(point: Point, text: string): string[] {
  const home = point.manifest.source.path.replace(/\/+$/, '')
  const within = text === home || text.startsWith(`${home}/`)
  return within && text.startsWith('/') ? [text, text.slice(home.length)] : [text]
}

function joined(names: readonly Buffer[]): Buffer[] {
  return names.flatMap((name, index) => (index === 0 ? [name] : [Buffer.from('/'), name]))
}
