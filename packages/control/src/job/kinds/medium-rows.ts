/** The row of a medium, and the events that its changes make. */
import type { Kysely, Selectable, Updateable } from 'kysely'
import type { Clock } from '@openmaas/kernel/clock'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { appendEvent } from '../../catalog/events.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import type { Trx } from '../definition.ts'
import { problemJson } from '../end.ts'

export type MediumRow = Selectable<CatalogTables['medium']>

/** @throws MaasError MEDIUM_NOT_FOUND */
export async function loadMedium(db: Kysely<CatalogTables>, id: string): Promise<MediumRow> {
  const row = await db.selectFrom('medium').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw new MaasError('MEDIUM_NOT_FOUND', 'no such medium', { id })
  return row
}

/** Changes the row, counts its version up, and tells about a new state. */
export async function changeMedium(
  trx: Trx,
  id: string,
  changes: Updateable<CatalogTables['medium']>,
  clock: Clock,
): Promise<void> {
  await trx
    .updateTable('medium')
    .set((e) => ({ ...changes, version: e('version', '+', 1) }))
    .where('id', '=', id)
    .execute()
  if (changes.state === undefined) return
  const row = await loadMedium(trx, id)
  const { sourceId, pointId, hostId, device, mountPath, state } = row
  const labels = JSON.parse(row.labelsJson) as Record<string, string>
  const data = { sourceId, pointId, hostId, device, mountPath, state }
  const event = { topic: 'media', type: `medium.${state}`, subject: id, labels, data } as const
  await appendEvent(trx, event, clock)
}

export const problemOf = (problem: ErrorMessage | null): string | null =>
  problem === null ? null : problemJson(problem)
