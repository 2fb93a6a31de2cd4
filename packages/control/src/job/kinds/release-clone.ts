/**
 * One that was promoted runs on its local directory: the clone that it came from is let go. What
 * of it cannot go now is left to reconciliation.
 */
import { errorToMessage } from '@openmaas/kernel/error-message'
import { loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { changeVirtualDatabase } from '../../virtual-database/rows.ts'
import type { StepContext, Trx } from '../definition.ts'
import { noteEjected, unplugPlace } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'

type Context = StepContext<{ readonly virtualDatabaseId: string }, unknown>

export interface Released {
  readonly mediumId: string | null
  readonly left: boolean
}

export async function releaseClone(context: Context): Promise<Released> {
  const { db } = context.catalog
  const row = await loadVirtualDatabase(db, context.params.virtualDatabaseId)
  const { mediumId, directory } = row
  if (directory === null || mediumId === null) return { mediumId: null, left: false }
  const { poolId, nodeId, hostId } = await loadMedium(db, mediumId)
  try {
    await unplugPlace(context, { mediumId, poolId, nodeId, hostId }, { force: true })
    return { mediumId, left: false }
  } catch (error) {
    context.signal.throwIfAborted()
    const { code, message } = errorToMessage(error)
    context.log('warning', code, message)
    return { mediumId, left: true }
  }
}

export async function noteReleased(
  trx: Trx,
  { params: { virtualDatabaseId: id }, clock }: Context,
  { mediumId }: Released,
): Promise<void> {
  if (mediumId === null) return
  await noteEjected(trx, mediumId, clock)
  await changeVirtualDatabase(trx, id, { mediumId: null }, clock)
}
