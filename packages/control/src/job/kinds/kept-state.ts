/** Bookmarks as what a clone is made of. */
import { MaasError } from '@openmaas/kernel/errors'
import type { StepContext } from '../definition.ts'

/** @throws MaasError POINT_NOT_AVAILABLE */
export async function loadKeptState(
  { catalog }: Pick<StepContext<unknown, unknown>, 'catalog'>,
  bookmarkId: string,
): Promise<{
  readonly poolId: string
  readonly snapshotId: string
  readonly takenAt: number | null
}> {
  const row = await catalog.db
    .selectFrom('bookmark')
    .select(['poolId', 'snapshotId', 'takenAt', 'state'])
    .where('id', '=', bookmarkId)
    .executeTakeFirst()
  if (row?.state === 'available' && row.snapshotId !== null) {
    return { ...row, snapshotId: row.snapshotId }
  }
  throw new MaasError('POINT_NOT_AVAILABLE', 'the bookmark is not available', { bookmarkId })
}
