/** Reading the audit log: by filters, in pages, or all of it in order. */
import { z } from 'zod'
import type { LabelSelector } from '@openmaas/api/permissions'
import type { AuditEntry } from '@openmaas/api/resources/audit'
import { labelsWhere } from '../auth/labels-where.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { loadPage } from '../catalog/page.ts'
import type { Page } from '../catalog/page.ts'
import type { AuditRow } from './audit-row.ts'

export interface AuditFilter {
  readonly actor?: string | undefined
  readonly object?: string | undefined
  readonly action?: string | undefined
  readonly outcome?: AuditRow['outcome'] | undefined
  /** Milliseconds; the first that is in. */
  readonly from?: number | undefined
  /** Milliseconds; the first that is out. */
  readonly until?: number | undefined
  readonly scope?: LabelSelector | null
}

export interface AuditPageRequest {
  readonly descending: boolean
  readonly limit: number
  readonly cursor?: string | undefined
}

/** Rows of one query while all of it is read. */
const BATCH_ROW_COUNT = 500

function filtered(catalog: Catalog, filter: AuditFilter) {
  const { actor, object, action, outcome, from, until, scope = null } = filter
  let rows = catalog.db.selectFrom('audit').selectAll()
  if (actor !== undefined) rows = rows.where('actor', '=', actor)
  if (object !== undefined) rows = rows.where('object', '=', object)
  if (action !== undefined) rows = rows.where('action', '=', action)
  if (outcome !== undefined) rows = rows.where('outcome', '=', outcome)
  if (from !== undefined) rows = rows.where('at', '>=', from)
  if (until !== undefined) rows = rows.where('at', '<', until)
  return scope === null ? rows : rows.where(labelsWhere('labelsJson', scope, catalog.dialect))
}

export function loadAuditPage(
  catalog: Catalog,
  filter: AuditFilter,
  page: AuditPageRequest,
): Promise<Page<AuditRow>> {
  const request = { table: 'audit', sort: 'seq', tie: 'seq', ...page } as const
  return loadPage(filtered(catalog, filter), request)
}

/** In the order of the chain, from after that number. */
export async function* readAudit(
  catalog: Catalog,
  filter: AuditFilter,
  afterSeq = 0,
): AsyncGenerator<AuditRow> {
  let seq = afterSeq
  for (;;) {
    const rows = await filtered(catalog, filter)
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(BATCH_ROW_COUNT)
      .execute()
    yield* rows
    if (rows.length < BATCH_ROW_COUNT) return
    seq = rows.at(-1)!.seq
  }
}

const labelsText = z.record(z.string(), z.string())
const stateOf = (text: string | null) => (text === null ? null : (JSON.parse(text) as unknown))

export function showAudit(row: AuditRow): AuditEntry {
  const { beforeJson, afterJson, labelsJson, at, ...shown } = row
  return {
    ...shown,
    at: new Date(at).toISOString(),
    labels: labelsText.parse(JSON.parse(labelsJson)),
    before: stateOf(beforeJson),
    after: stateOf(afterJson),
  }
}
