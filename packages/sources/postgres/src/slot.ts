/**
 * The replication slot on production: it keeps the log that a standby has not yet received.
 * What it keeps lies on production's disk, so it is given up rather than let it fill (guard.ts).
 */
import { lsn } from './lsn.ts'
import { type Queries, sqlstateOf } from './connection.ts'

export interface Slot {
  readonly active: boolean
  /** Null: it keeps nothing yet, or has lost what it kept. */
  readonly restartLsn: bigint | null
  /** `reserved`, `extended`, `unreserved`, `lost`; null before it is used. */
  readonly walStatus: string | null
  readonly retainedBytes: number
}

const READ = `
  select active, restart_lsn, wal_status,
         greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8 as retained
    from pg_replication_slots where slot_name = $1 and slot_type = 'physical'`

/** @returns null when there is none */
export async function readSlot(production: Queries, name: string): Promise<Slot | null> {
  const [row] = await production.rows(READ, [name])
  if (row === undefined) return null
  const restart = row['restart_lsn']
  return {
    active: row['active'] === true,
    restartLsn: typeof restart === 'string' ? lsn(restart) : null,
    walStatus: typeof row['wal_status'] === 'string' ? row['wal_status'] : null,
    retainedBytes: Number(row['retained'] ?? 0),
  }
}

/** Keeps the log from now on. */
export async function createSlot(production: Queries, name: string): Promise<void> {
  await production.rows('select pg_create_physical_replication_slot($1, true)', [name])
}

/** Only one that nobody uses can be dropped: its standby is stopped first. */
export async function dropSlot(production: Queries, name: string): Promise<boolean> {
  const sql = `
    select pg_drop_replication_slot(slot_name)
      from pg_replication_slots where slot_name = $1 and not active`
  return (await production.rows(sql, [name])).length > 0
}

/** After a failover the new primary has none; one that lost its log is of no use. */
export async function ensureSlot(queries: Queries, name: string): Promise<void> {
  const slot = await readSlot(queries, name)
  if (slot?.walStatus === 'lost') await dropSlot(queries, name)
  else if (slot !== null) return
  try {
    await createSlot(queries, name)
  } catch (error) {
    if (sqlstateOf(error) !== '42710') throw error // Somebody else has just made it.
  }
}
