/** A label selector as a condition of SQL, on both dialects. */
import { sql } from 'kysely'
import type { RawBuilder, SqlBool } from 'kysely'
import type { LabelSelector } from '@openmaas/api/permissions'
import type { CatalogDialect } from '../catalog/catalog.ts'

/**
 * The same answer as `matchesLabels`.
 *
 * @param column as the query names it: `labelsJson`, `source.labelsJson`
 */
export function labelsWhere(
  column: string,
  selector: LabelSelector | null,
  dialect: CatalogDialect,
): RawBuilder<SqlBool> {
  const conditions = Object.entries(selector ?? {}).map(([key, wanted]) => {
    const values = typeof wanted === 'string' ? [wanted] : wanted
    if (values.length === 0) return sql<SqlBool>`1 = 0`
    const label =
      dialect === 'sqlite'
        ? sql`json_extract(${sql.ref(column)}, ${`$.${JSON.stringify(key)}`})`
        : sql`(${sql.ref(column)}::jsonb ->> ${key}::text)`
    return sql<SqlBool>`${label} in (${sql.join(values)})`
  })
  if (conditions.length === 0) return sql<SqlBool>`1 = 1`
  return sql<SqlBool>`(${sql.join(conditions, sql` and `)})`
}
