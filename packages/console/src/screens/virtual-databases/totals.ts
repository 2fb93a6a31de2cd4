/** Of several virtual databases: how many, what they may write, when the first one ends. Pure. */
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'

type Own = Pick<VirtualDatabase, 'quotaBytes' | 'leaseUntil'>

export function totalsOf(databases: readonly Own[]) {
  const ends = databases.flatMap(({ leaseUntil }) => (leaseUntil === null ? [] : [leaseUntil]))
  return {
    count: databases.length,
    quotaBytes: databases.reduce((sum, { quotaBytes }) => sum + (quotaBytes ?? 0), 0),
    nextEndAt: ends.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null,
  }
}
