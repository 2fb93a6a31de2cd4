/** What a refresh or a reset takes away from a virtual database. Pure. */
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'

export interface Loss {
  /** When it last was as production was, or as a bookmark is. */
  readonly since: string
  /** Null: not measured. */
  readonly bytes: number | null
}

type Facts = Pick<
  VirtualDatabase,
  'liveSync' | 'writtenBytes' | 'lastRefreshAt' | 'readyAt' | 'createdAt'
>

/** @returns null for one that follows production: it has nothing of its own */
export function losesOf(database: Facts): Loss | null {
  const { liveSync, writtenBytes, lastRefreshAt, readyAt, createdAt } = database
  if (liveSync) return null
  return { since: lastRefreshAt ?? readyAt ?? createdAt, bytes: writtenBytes }
}
