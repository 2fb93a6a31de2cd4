/**
 * From the events about alerts to the queue: each event once, in the order of the outbox, with the
 * place where it stood in the same transaction as the rows it made.
 *
 * Whoever opens or resolves an alert writes an event of topic `alerts` with the alert's id as its
 * subject, and type `alert.opened` or `alert.resolved`; other types are passed over.
 */
import type { Kysely } from 'kysely'
import type { Catalog } from '../../catalog/catalog.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import { queueOpened, queueResolved } from './queue.ts'
import type { QueueContext } from './queue.ts'

type Db = Kysely<CatalogTables>

const KEY = 'notify.seq'
/** Of one transaction: nobody waits long for the writer. */
const BATCH_EVENT_COUNT = 100

export const ALERT_OPENED = 'alert.opened'
export const ALERT_RESOLVED = 'alert.resolved'

/** @returns when all events are queued */
export async function queueFromEvents(catalog: Catalog, context: QueueContext): Promise<void> {
  if (!(await isBehind(catalog.db))) return
  for (;;) {
    const count = await catalog.transaction((trx) => queueBatch(trx, context))
    if (count < BATCH_EVENT_COUNT) return
  }
}

/** Without the writer: most ticks find nothing new. */
async function isBehind(db: Db): Promise<boolean> {
  const seq = await loadSeq(db)
  return seq === undefined || (await loadEvents(db, seq, 1)).length > 0
}

async function queueBatch(trx: Db, context: QueueContext): Promise<number> {
  const seq = await loadSeq(trx)
  // At the very first start, what happened before is no news.
  if (seq === undefined) {
    await saveSeq(trx, await loadNewest(trx))
    return 0
  }
  const events = await loadEvents(trx, seq, BATCH_EVENT_COUNT)
  for (const { type, subject } of events) {
    if (type !== ALERT_OPENED && type !== ALERT_RESOLVED) continue
    const alert = await trx
      .selectFrom('alert')
      .selectAll()
      .where('id', '=', subject)
      .executeTakeFirst()
    if (alert === undefined) continue
    if (type === ALERT_OPENED) await queueOpened(trx, context, alert)
    else await queueResolved(trx, context, alert)
  }
  const last = events.at(-1)
  if (last !== undefined) await saveSeq(trx, last.seq)
  return events.length
}

function loadEvents(db: Db, seq: number, limit: number) {
  return db
    .selectFrom('event')
    .select(['seq', 'type', 'subject'])
    .where('topic', '=', 'alerts')
    .where('seq', '>', seq)
    .orderBy('seq')
    .limit(limit)
    .execute()
}

async function loadNewest(db: Db): Promise<number> {
  const row = await db
    .selectFrom('event')
    .select((eb) => eb.fn.max('seq').as('seq'))
    .executeTakeFirst()
  return row?.seq ?? 0
}

async function loadSeq(db: Db): Promise<number | undefined> {
  const row = await db.selectFrom('meta').select('value').where('key', '=', KEY).executeTakeFirst()
  return row === undefined ? undefined : Number(row.value)
}

async function saveSeq(trx: Db, seq: number): Promise<void> {
  const value = String(seq)
  await trx
    .insertInto('meta')
    .values({ key: KEY, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute()
}
