/** What happened to one virtual database, as its own timeline shows it: the newest first. */
import type { Bookmark, VirtualDatabase } from '@openmaas/api/resources/virtual-database'

type Named = Pick<VirtualDatabase, 'id' | 'name' | 'state' | 'createdAt' | 'bookmarkId' | 'endedAt'>

export type Moment =
  /** How it is now. */
  | { readonly kind: 'now' }
  | { readonly kind: 'bookmark'; readonly at: string; readonly bookmark: Bookmark }
  | { readonly kind: 'branch'; readonly at: string; readonly child: Named }
  | { readonly kind: 'refreshed'; readonly at: string }
  /** From production, or from another virtual database. */
  | { readonly kind: 'made'; readonly at: string }

/** A refresh that ends with the making is the making. */
const SAME_MS = 1000

/** @param children those that were branched from it */
export function momentsOf(
  database: Pick<VirtualDatabase, 'createdAt' | 'readyAt' | 'lastRefreshAt' | 'endedAt'>,
  bookmarks: readonly Bookmark[],
  children: readonly Named[],
): Moment[] {
  const { createdAt, readyAt, lastRefreshAt, endedAt } = database
  const isRefreshed =
    lastRefreshAt !== null &&
    readyAt !== null &&
    Date.parse(lastRefreshAt) - Date.parse(readyAt) > SAME_MS
  const dated: Exclude<Moment, { readonly kind: 'now' }>[] = [
    { kind: 'made', at: createdAt },
    ...(isRefreshed ? [{ kind: 'refreshed' as const, at: lastRefreshAt }] : []),
    ...bookmarks.map((bookmark) => {
      return { kind: 'bookmark' as const, at: bookmark.takenAt ?? bookmark.createdAt, bookmark }
    }),
    ...children.map((child) => ({ kind: 'branch' as const, at: child.createdAt, child })),
  ]
  const sorted = dated.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))
  return endedAt === null ? [{ kind: 'now' }, ...sorted] : sorted
}
