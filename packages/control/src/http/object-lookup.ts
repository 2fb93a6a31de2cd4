/** Labels and owners of the objects that requests name: what scopes are judged by. */
import type { Labels } from '@openmaas/api/permissions'
import type { ScopedNoun } from '@openmaas/api/routes/define-route'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { CatalogTables } from '../catalog/schema.ts'

export interface ObjectFacts {
  readonly labels: Labels
  /** As `ownerOf` spelt it, where the noun has one. */
  readonly createdBy?: string
}

const labelsSchema = z.record(z.string(), z.string())
const parseLabels = (text: string): Labels => labelsSchema.parse(JSON.parse(text))

/** @returns undefined: there is none */
export async function findObject(
  db: Kysely<CatalogTables>,
  noun: ScopedNoun,
  id: string,
): Promise<ObjectFacts | undefined> {
  if (noun === 'medium') {
    const row = await db
      .selectFrom('medium')
      .select(['labelsJson', 'createdBy'])
      .where('id', '=', id)
      .executeTakeFirst()
    return row && { labels: parseLabels(row.labelsJson), createdBy: row.createdBy }
  }
  if (noun === 'job') {
    const row = await db
      .selectFrom('job')
      .select(['labelsJson', 'actor'])
      .where('id', '=', id)
      .executeTakeFirst()
    return row && { labels: parseLabels(row.labelsJson), createdBy: row.actor }
  }
  if (noun === 'virtualDatabase') {
    const row = await db
      .selectFrom('virtualDatabase')
      .select(['labelsJson', 'createdBy'])
      .where('id', '=', id)
      .executeTakeFirst()
    return row && { labels: parseLabels(row.labelsJson), createdBy: row.createdBy }
  }
  const row = await db.selectFrom(noun).select('labelsJson').where('id', '=', id).executeTakeFirst()
  return row && { labels: parseLabels(row.labelsJson) }
}
