/** The audit log. */
import { z } from 'zod'
import { auditEntry, auditExportQuery, auditVerified } from '../resources/audit.ts'
import { lineText, pageOf, time } from '../resources/common.ts'
import { defineRoute, listQuery } from './define-route.ts'

const tag = 'audit'

export const auditRoutes = {
  listAudit: defineRoute({
    method: 'GET',
    path: '/api/v1/audit',
    permission: 'audit.read',
    tag,
    list: true,
    summary: { en: 'Who did what', zh: '审计日志' },
    query: listQuery({
      sorts: ['seq'],
      defaultSort: '-seq',
      filters: {
        actor: lineText.min(1),
        object: lineText.min(1),
        action: lineText.min(1),
        outcome: z.enum(['ok', 'refused', 'failed']),
        from: time,
        until: time,
      },
    }),
    response: { 200: pageOf(auditEntry) },
  }),
  verifyAudit: defineRoute({
    method: 'POST',
    path: '/api/v1/audit/verify',
    permission: 'audit.verify',
    tag,
    rate: 'expensive',
    summary: { en: 'Prove that nobody changed it', zh: '校验审计链' },
    response: { 200: auditVerified },
  }),
  exportAudit: defineRoute({
    method: 'GET',
    path: '/api/v1/audit/export',
    permission: 'audit.export',
    tag,
    rate: 'expensive',
    summary: { en: 'As JSON lines, CSV or syslog', zh: '导出审计日志' },
    query: auditExportQuery,
    response: { 200: { raw: ['application/x-ndjson', 'text/csv', 'text/plain'] } },
  }),
} as const
