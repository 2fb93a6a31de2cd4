/** What each source did per day: three samples, added to by every capture in its transaction. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'
import { DAY_MS } from '../../policy/zone.ts'
import { HISTORY_DAYS_MAX } from './anomaly.ts'
import type { SourceDay } from './anomaly.ts'

type Db = Kysely<CatalogTables>

const ADDED = 'source.day.added'
const READ = 'source.day.read'
const SIZE = 'source.day.size'
const NAMES = [ADDED, READ, SIZE]
/** Shown in charts; the comparison needs less. */
const KEPT_MS = 400 * DAY_MS
/** Samples of single captures: what plans and promises look back. */
const RAW_NAMES = ['point.added', 'point.size', 'capture.duration']
const RAW_KEPT_MS = 35 * DAY_MS

export const dayOf = (at: number): number => Math.floor(at / DAY_MS) * DAY_MS

/** @param trx the transaction that enters the point */
export async function recordSourceDay(
  trx: Db,
  of: {
    readonly sourceId: string
    readonly at: number
    readonly addedBytes: number
    readonly readBytes: number
    readonly sizeBytes: number
  },
): Promise<void> {
  const { sourceId: subject, addedBytes, readBytes, sizeBytes } = of
  const at = dayOf(of.at)
  await trx
    .insertInto('sample')
    .values([
      { name: ADDED, subject, at, value: addedBytes },
      { name: READ, subject, at, value: readBytes },
    ])
    .onConflict((conflict) =>
      conflict
        .columns(['name', 'subject', 'at'])
        .doUpdateSet({ value: sql<number>`sample.value + excluded.value` }),
    )
    .execute()
  await trx
    .insertInto('sample')
    .values({ name: SIZE, subject, at, value: sizeBytes })
    .onConflict((conflict) =>
      conflict.columns(['name', 'subject', 'at']).doUpdateSet({ value: sizeBytes }),
    )
    .execute()
}

/** Days of these sources, oldest first, as far back as a comparison looks. */
export async function loadSourceDays(
  db: Db,
  sourceIds: readonly string[],
  now: number,
): Promise<Map<string, SourceDay[]>> {
  const rows = await db
    .selectFrom('sample')
    .select(['name', 'subject', 'at', 'value'])
    .where('name', 'in', NAMES)
    .where('subject', 'in', sourceIds)
    // Yesterday is judged too, against the days before it.
    .where('at', '>=', dayOf(now) - (HISTORY_DAYS_MAX + 1) * DAY_MS)
    .where('at', '<=', now)
    .orderBy('at')
    .execute()
  const days = new Map<string, Map<number, { [name: string]: number }>>()
  for (const { name, subject, at, value } of rows) {
    const ofSource = days.get(subject) ?? new Map<number, { [name: string]: number }>()
    days.set(subject, ofSource)
    const ofDay = ofSource.get(at) ?? {}
    ofSource.set(at, ofDay)
    ofDay[name] = value
  }
  const shown = ([day, of]: [number, { readonly [name: string]: number }]): SourceDay => ({
    day,
    addedBytes: of[ADDED] ?? 0,
    readBytes: of[READ] ?? 0,
    sizeBytes: of[SIZE] ?? 0,
  })
  return new Map(
    [...days].map(([subject, ofSource]) => [subject, [...ofSource].map((one) => shown(one))]),
  )
}

/** Sources that captured anything since then. */
export async function listActive(db: Db, since: number): Promise<string[]> {
  const rows = await db
    .selectFrom('sample')
    .select('subject')
    .distinct()
    .where('name', '=', ADDED)
    .where('at', '>=', since)
    .execute()
  return rows.map(({ subject }) => subject)
}

/** Old samples of these sources; a few hundred at a time, for one statement each. */
export async function thinSources(
  db: Db,
  sourceIds: readonly string[],
  now: number,
): Promise<void> {
  const ages = [
    [NAMES, KEPT_MS],
    [RAW_NAMES, RAW_KEPT_MS],
  ] as const
  for (const [names, keptMs] of ages) {
    await db
      .deleteFrom('sample')
      .where('name', 'in', names)
      .where('subject', 'in', sourceIds)
      .where('at', '<', now - keptMs)
      .execute()
  }
}
