/** Names that people gave: unique within their noun. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Db } from './handler-context.ts'

/** Tables whose rows a person names. */
type Named = 'consistencyGroup' | 'host' | 'policy' | 'pool' | 'source' | 'webhook'

/** Where the noun is called otherwise than its table. */
const NOUN: Partial<Record<Named, string>> = { consistencyGroup: 'group' }

/**
 * In the transaction of the change, before it.
 *
 * @param ownId the row that is to have the name, where it may be there already
 * @throws MaasError NAME_TAKEN
 */
export async function requireNameFree(
  db: Db,
  table: Named,
  name: string,
  ownId?: string,
): Promise<void> {
  // A host that was removed is history, and its name free for the machine that follows it.
  const other =
    table === 'host'
      ? await db
          .selectFrom('host')
          .select('id')
          .where('name', '=', name)
          .where('state', '<>', 'removed')
          .executeTakeFirst()
      : await db.selectFrom(table).select('id').where('name', '=', name).executeTakeFirst()
  if (other === undefined || other.id === ownId) return
  throw new MaasError('NAME_TAKEN', `another ${NOUN[table] ?? table} is called ${name}`, {
    pointer: '/name',
  })
}
