/** What a search found, as rows: one for each path, of the newest point that has it. */
import type { AnswerOf } from '@openmaas/api/routes/routes'
import type { FileRow } from './FileTable.tsx'
import { fromRoot } from './paths.ts'

export type FoundItem = AnswerOf<'findInPoints'>['items'][number]

export interface FoundRow extends FileRow {
  readonly versions: number
}

/** @param items newest point first, as the API answers */
export function foundRows(items: readonly FoundItem[], sourceId: string): FoundRow[] {
  return [...Map.groupBy(items, ({ path }) => path)].map(([found, own]) => {
    const newest = own.reduce((a, b) => (b.takenAt > a.takenAt ? b : a))
    const path = fromRoot(found)
    const { pointId, takenAt, entry } = newest
    return { key: path, pointId, takenAt, sourceId, path, label: path, entry, versions: own.length }
  })
}
