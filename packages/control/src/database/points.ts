/** Points of a database: what they know of the log, in the catalog and as a tag in the pool. */
import { z } from 'zod'
import type { Selectable } from 'kysely'
import type { PointDatabase } from '@openmaas/api/resources/database'
import type { CatalogTables } from '../catalog/schema.ts'
import { timeOrNull } from '../http/columns.ts'
import type { Db } from '../http/handler-context.ts'

/** Of a snapshot: what a rebuild of the catalog needs to make the point again. */
export const DATABASE_TAG = 'openmaas.database'

/** Kept as JSON with the point, and in the tag. Times in milliseconds since 1970. */
export const databaseMark = z.object({
  engine: z.string(),
  engineVersion: z.string(),
  position: z.string(),
  detail: z.string(),
  /** By the clock of production, as the plug-in told it. */
  atMs: z.number(),
  logFromMs: z.number().nullable(),
  consistency: z.enum(['application', 'crash']),
  /** Taken for a virtual database, not by the policy. */
  onDemand: z.boolean().optional(),
  /** Of production, without the user's password: a rebuilt source asks for it again. */
  connection: z
    .object({
      host: z.string(),
      port: z.number(),
      user: z.string(),
      tls: z.enum(['off', 'require', 'verify']),
      ca: z.string().nullable().default(null),
    })
    .optional(),
})
export type DatabaseMark = z.infer<typeof databaseMark>

/** What the orders carry per tag (channel/orders.ts). */
const TAG_LENGTH_MAX = 4096

/** Without production's place where it does not fit; nothing when it still does not. */
export function makeDatabaseTag(mark: DatabaseMark): Record<string, string> {
  const { connection, ...facts } = mark
  const full = JSON.stringify({ ...facts, connection })
  const text = full.length <= TAG_LENGTH_MAX ? full : JSON.stringify(facts)
  return text.length <= TAG_LENGTH_MAX ? { [DATABASE_TAG]: text } : {}
}

export interface DatabasePoint {
  readonly id: string
  readonly poolId: string
  readonly snapshotId: string
  readonly takenAt: number
  readonly sizeBytes: number
  readonly mark: DatabaseMark
}

/** A tag that another version wrote, or that was damaged, is none. */
export function parseMark(text: string | null | undefined): DatabaseMark | null {
  if (text === null || text === undefined) return null
  try {
    return databaseMark.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null // No JSON: not what we write.
  }
}

export function showMark(
  row: Pick<Selectable<CatalogTables['point']>, 'databaseJson'>,
): PointDatabase | null {
  const mark = parseMark(row.databaseJson)
  if (mark === null) return null
  const { engine, engineVersion, position, detail } = mark
  return { engine, engineVersion, position, detail, logFromAt: timeOrNull(mark.logFromMs) }
}

/** A source with a point a minute for a month. */
const POINTS_MAX = 50_000

/** Those that can be cloned, the oldest first. */
export async function listDatabasePoints(db: Db, sourceId: string): Promise<DatabasePoint[]> {
  const rows = await db
    .selectFrom('point')
    .select(['id', 'poolId', 'snapshotId', 'takenAt', 'sizeBytes', 'databaseJson'])
    .where('sourceId', '=', sourceId)
    .where('state', '=', 'available')
    .where('databaseJson', 'is not', null)
    .orderBy('takenAt', 'desc')
    .orderBy('id', 'desc')
    .limit(POINTS_MAX)
    .execute()
  return rows.toReversed().flatMap(({ databaseJson, ...row }) => {
    const mark = parseMark(databaseJson)
    return mark === null ? [] : [{ ...row, mark }]
  })
}
