/** Names that people gave: of letters that a name has, and unique within their noun. */
import { isObjectName, OBJECT_NAME_RULE } from '@openmaas/api/object-name'
import { MaasError } from '@openmaas/kernel/errors'
import type { Db } from './handler-context.ts'

/** Tables whose rows a person names. */
type Named = 'consistencyGroup' | 'host' | 'policy' | 'pool' | 'source' | 'webhook'

/** Where the noun is called otherwise than its table. */
const NOUN: Partial<Record<Named, string>> = { consistencyGroup: 'group' }

/** Those whose names have a rule; the others are called as their machines or owners call them. */
const RULED: ReadonlySet<Named> = new Set(['consistencyGroup', 'policy', 'source'])

/**
 * Of a name that is given now: one that is there from before there was a rule stays.
 *
 * @throws MaasError REQUEST_INVALID
 */
export function requireName(name: string): void {
  if (isObjectName(name)) return
  throw new MaasError('REQUEST_INVALID', OBJECT_NAME_RULE, { pointer: '/name', name, rule: 'name' })
}

/**
 * In the transaction of the change, before it.
 *
 * @param ownId the row that is to have the name, where it may be there already
 * @throws MaasError NAME_TAKEN, REQUEST_INVALID
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
  if (other !== undefined && other.id === ownId) return
  if (RULED.has(table)) requireName(name)
  if (other === undefined) return
  throw new MaasError('NAME_TAKEN', `another ${NOUN[table] ?? table} is called ${name}`, {
    pointer: '/name',
  })
}
