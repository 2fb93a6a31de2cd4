/** What the API shows of the audit log. */
import type { Clock } from '@openmaas/kernel/clock'
import type { Catalog } from '../catalog/catalog.ts'
import type { Handlers } from '../http/handler.ts'
import { AUDIT_TYPES, exportAudit } from './audit-export.ts'
import { loadAuditPage, readAudit, showAudit } from './audit-repository.ts'
import { verifyAudit } from './audit-verify.ts'
import type { AuditAnchor } from './audit-verify.ts'
import { auditChange } from './audited.ts'

export interface AuditContext {
  readonly catalog: Catalog
  readonly clock: Clock
  /** `AuditAnchors.read`. */
  readonly anchors: () => readonly AuditAnchor[]
}

const timeOf = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text))

export function auditHandlers(context: AuditContext): Handlers {
  const { catalog, clock, anchors } = context
  return {
    listAudit: async ({ query, principal }) => {
      const { sort, limit, cursor } = query
      const filter = {
        actor: query['filter[actor]'],
        object: query['filter[object]'],
        action: query['filter[action]'],
        outcome: query['filter[outcome]'],
        from: timeOf(query['filter[from]']),
        until: timeOf(query['filter[until]']),
        scope: principal.scope,
      }
      const page = { descending: sort.startsWith('-'), limit, cursor }
      const { rows, next } = await loadAuditPage(catalog, filter, page)
      return { body: { items: rows.map((row) => showAudit(row)), next } }
    },
    verifyAudit: async (request) => {
      const found = await verifyAudit(catalog.db, anchors(), request.signal)
      const { intact, checked, head, brokenAt, problem, since } = found
      await catalog.transaction((trx) => {
        const after = { intact, checked, brokenAt, problem }
        return auditChange(trx, clock, request, { action: 'verifyAudit', object: 'audit', after })
      })
      const body = {
        intact,
        checked,
        headSeq: head?.seq ?? null,
        headHash: head?.hash ?? null,
        brokenAt,
        problem,
        since: since === null ? null : new Date(since).toISOString(),
      }
      return { body }
    },
    exportAudit: async (request) => {
      const { format, from, until, actor, object } = request.query
      await catalog.transaction((trx) => {
        const after = { format, from, until, actor, object }
        return auditChange(trx, clock, request, { action: 'exportAudit', object: 'audit', after })
      })
      const filter = { actor, object, from: timeOf(from), until: timeOf(until) }
      const rows = readAudit(catalog, { ...filter, scope: request.principal.scope })
      return { body: exportAudit(rows, format), contentType: AUDIT_TYPES[format] }
    },
  }
}
