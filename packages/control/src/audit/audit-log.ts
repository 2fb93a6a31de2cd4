/**
 * Appending to the audit log, in the transaction of the change. Two writers never extend the
 * same head: the catalog's transactions follow one another (catalog.ts).
 */
import { z } from 'zod'
import type { Kysely } from 'kysely'
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import type { CatalogTables } from '../catalog/schema.ts'
import { GENESIS_HASH, makeAuditRow } from './audit-row.ts'
import type { AuditEntry, AuditRow } from './audit-row.ts'

const HEAD_KEY = 'audit.head'
/** A clock that NTP slews goes back by less; more is somebody's hand. */
const CLOCK_BACK_TOLERANCE_MS = 2000

const headSchema = z.object({ seq: z.number(), hash: z.string(), at: z.number() })
/** The newest row, kept beside the table: a row removed at the end is missed. */
export type AuditHead = z.infer<typeof headSchema>

/** Null before the first row. */
export async function loadAuditHead(db: Kysely<CatalogTables>): Promise<AuditHead | null> {
  const row = await db
    .selectFrom('meta')
    .select('value')
    .where('key', '=', HEAD_KEY)
    .executeTakeFirst()
  return row === undefined ? null : headSchema.parse(JSON.parse(row.value))
}

/** @param trx the transaction of the change that it tells about */
export async function appendAudit(
  trx: Kysely<CatalogTables>,
  entry: AuditEntry,
  clock: Clock,
): Promise<AuditRow> {
  assert(trx.isTransaction, 'an audit row is written in the transaction of its change')
  const at = clock.wallMs()
  let head = await loadAuditHead(trx)
  if (head !== null && at < head.at - CLOCK_BACK_TOLERANCE_MS) {
    head = await extend(trx, head, clockBack(head.at, at), at)
  }
  return extend(trx, head, entry, at)
}

async function extend(
  trx: Kysely<CatalogTables>,
  head: AuditHead | null,
  entry: AuditEntry,
  at: number,
): Promise<AuditRow> {
  const place = { seq: (head?.seq ?? 0) + 1, at, previousHash: head?.hash ?? GENESIS_HASH }
  const row = makeAuditRow(entry, place)
  await trx.insertInto('audit').values(row).execute()
  const value = JSON.stringify({ seq: row.seq, hash: row.hash, at })
  await trx
    .insertInto('meta')
    .values({ key: HEAD_KEY, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute()
  return row
}

function clockBack(previousAt: number, at: number): AuditEntry {
  return {
    actor: 'system',
    address: '',
    action: 'clock.back',
    object: 'server',
    outcome: 'failed',
    requestId: '',
    before: { at: new Date(previousAt).toISOString() },
    after: { at: new Date(at).toISOString() },
    reason: 'the clock of the server went back: order by number, not by time',
  }
}
