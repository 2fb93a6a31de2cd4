/** A database that is protected no longer: standby, slot and volume go; its points stay. */
import { standbyHostOf, findSourceDatabase } from './source-database.ts'
import type { HandlerContext, Trx } from '../http/handler-context.ts'
import { unprotectDatabaseRequest } from '../job/kinds/unprotect-database.ts'
import type { SourceRow } from '../sources/list.ts'

/** In the transaction that deletes the source, before it: the job knows all that it needs. */
export async function requestUnprotect(
  trx: Trx,
  { jobs }: Pick<HandlerContext, 'jobs'>,
  source: SourceRow,
  wish: { readonly actor: string; readonly force: boolean },
): Promise<void> {
  const row = await findSourceDatabase(trx, source.id)
  if (row === undefined) return
  const { mediumId, secretId, connectionJson } = row
  const hostId = standbyHostOf(row, source)
  const of = { engine: source.kind, mediumId, secretId, connectionJson, hostId }
  await jobs.enqueue(trx, unprotectDatabaseRequest(source, { ...of, ...wish }))
}
