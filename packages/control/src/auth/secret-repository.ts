/** Secrets of protected systems: anybody with the permission puts them in, only jobs read them. */
import type { Kysely } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import type { CatalogTables } from '../catalog/schema.ts'
import type { SecretOpener, SecretSealer } from './secret-vault.ts'

type Db = Kysely<CatalogTables>

/** @returns id of the secret, for the row of what it opens */
export async function saveSecret(
  trx: Db,
  context: { readonly clock: Clock; readonly random: Random; readonly sealer: SecretSealer },
  secret: { readonly name: string; readonly plain: string },
): Promise<string> {
  const { clock, random, sealer } = context
  const id = makeControlId('secret', clock, random)
  const sealed = sealer.seal(id, secret.plain)
  const row = { id, name: secret.name, sealed, createdAt: clock.wallMs() }
  await trx.insertInto('secret').values(row).execute()
  return id
}

/**
 * On the side of the jobs.
 *
 * @throws MaasError SECRET_NOT_FOUND, SEALED_INVALID
 */
export async function openSecret(db: Db, id: string, opener: SecretOpener): Promise<string> {
  const row = await db.selectFrom('secret').select('sealed').where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw new MaasError('SECRET_NOT_FOUND', 'no such secret', { secretId: id })
  return opener.open(id, row.sealed)
}

export async function deleteSecret(trx: Db, id: string): Promise<void> {
  await trx.deleteFrom('secret').where('id', '=', id).execute()
}
