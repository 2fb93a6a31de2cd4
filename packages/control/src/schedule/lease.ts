/** Named leases with a fencing token: one process at a time does a thing. */
import type { Trx } from '../job/definition.ts'

export interface Lease {
  readonly name: string
  readonly holder: string
  readonly token: number
}

/**
 * Takes the lease, or renews it.
 *
 * @returns null while somebody else has it
 */
export async function takeLease(
  trx: Trx,
  of: {
    readonly name: string
    readonly holder: string
    readonly now: number
    readonly durationMs: number
  },
): Promise<Lease | null> {
  const { name, holder, now, durationMs } = of
  const until = now + durationMs
  const row = await trx.selectFrom('lease').selectAll().where('name', '=', name).executeTakeFirst()
  if (row === undefined) {
    await trx.insertInto('lease').values({ name, holder, token: 1, until }).execute()
    return { name, holder, token: 1 }
  }
  // Further ahead than anybody takes it: the clock was set back since.
  const isOver = row.until <= now || row.until > now + 2 * durationMs
  if (row.holder !== holder && !isOver) return null
  const token = row.holder === holder ? row.token : row.token + 1
  await trx.updateTable('lease').set({ holder, token, until }).where('name', '=', name).execute()
  return { name, holder, token }
}

/** True while nobody has taken it over; asked within the transaction that relies on it. */
export async function holdsLease(trx: Trx, lease: Lease): Promise<boolean> {
  const row = await trx
    .selectFrom('lease')
    .select('token')
    .where('name', '=', lease.name)
    .where('holder', '=', lease.holder)
    .executeTakeFirst()
  return row?.token === lease.token
}

/** Lets the next one have it at once. */
export async function dropLease(trx: Trx, lease: Lease): Promise<void> {
  await trx
    .updateTable('lease')
    .set({ until: 0 })
    .where('name', '=', lease.name)
    .where('holder', '=', lease.holder)
    .where('token', '=', lease.token)
    .execute()
}
