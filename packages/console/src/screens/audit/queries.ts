import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const OUTCOMES = ['ok', 'refused', 'failed'] as const
const TEXT_LENGTH_MAX = 200
const text = z.string().min(1).max(TEXT_LENGTH_MAX)

const list = listSearch({
  sorts: ['seq'],
  filters: { actor: text, object: text, action: text, outcome: z.enum(OUTCOMES) },
})
/** `entry` is the number of the one that is open. */
export const auditSearch = list.extend({
  entry: z.number().int().min(0).optional().catch(undefined),
})
export type AuditSearch = z.infer<typeof auditSearch>

export function toAuditQuery({ entry: _, ...search }: AuditSearch): QueryFor<'listAudit'> {
  return toListQuery(search) as QueryFor<'listAudit'>
}

export function auditQuery(search: AuditSearch) {
  return apiQuery('listAudit', { query: toAuditQuery(search) })
}
