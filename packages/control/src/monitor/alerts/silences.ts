/**
 * Silence: nothing is sent about an alert for a while. It belongs to the key of the alert, so that
 * what resolves and comes again is silent too, and it ends by itself: a row whose time has passed
 * says nothing any more, and goes when the next is written.
 *
 *   told ──silence──▶ silent until T ──T, still firing──▶ what waited is sent
 *                         └──resolved──▶ what waited is dropped
 */
import type { Kysely, Selectable } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'

type Db = Kysely<CatalogTables>
export type Silence = Selectable<CatalogTables['alertSilence']>

/** Silences that hold now, of these keys. */
export async function mapSilences(
  db: Db,
  keys: readonly string[],
  now: number,
): Promise<ReadonlyMap<string, Silence>> {
  if (keys.length === 0) return new Map()
  const rows = await db
    .selectFrom('alertSilence')
    .selectAll()
    .where('key', 'in', keys)
    .where('until', '>', now)
    .execute()
  return new Map(rows.map((row) => [row.key, row]))
}

export async function findSilence(db: Db, key: string, now: number): Promise<Silence | undefined> {
  return (await mapSilences(db, [key], now)).get(key)
}

/** In the transaction of the caller. What waits to be sent about it waits for the end. */
export async function saveSilence(trx: Db, silence: Silence): Promise<void> {
  const { key, createdAt: now, ...set } = silence
  await trx.deleteFrom('alertSilence').where('until', '<=', now).execute()
  await trx
    .insertInto('alertSilence')
    .values(silence)
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ ...set, createdAt: now }))
    .execute()
  await moveWaiting(trx, key, { before: silence.until, to: silence.until })
}

/** Also before its time. @returns false when there was none */
export async function endSilence(trx: Db, key: string, now: number): Promise<boolean> {
  const silence = await findSilence(trx, key, now)
  if (silence === undefined) return false
  await trx.deleteFrom('alertSilence').where('key', '=', key).execute()
  // What has another time of its own (a digest in the morning) keeps it.
  await moveWaiting(trx, key, { before: silence.until + 1, to: now })
  return true
}

async function moveWaiting(
  trx: Db,
  key: string,
  time: { readonly before: number; readonly to: number },
): Promise<void> {
  const alerts = trx.selectFrom('alert').select('id').where('key', '=', key)
  await trx
    .updateTable('notification')
    .set({ nextAt: time.to })
    .where('alertId', 'in', alerts)
    .where('state', '=', 'waiting')
    .where('nextAt', '<', time.before)
    .execute()
}
