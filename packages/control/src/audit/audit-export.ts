/** The audit log for other programs: JSON lines, CSV, syslog. */
import type { AuditRow } from './audit-row.ts'
import { canonicalAudit } from './audit-row.ts'
import { FACILITY, formatSyslog, SEVERITY } from './syslog.ts'

export type AuditFormat = 'json' | 'csv' | 'syslog'

export const AUDIT_TYPES: Readonly<Record<AuditFormat, string>> = {
  json: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8; header=present',
  syslog: 'text/plain; charset=utf-8',
}

const COLUMNS = [
  'seq',
  'at',
  'actor',
  'address',
  'action',
  'object',
  'outcome',
  'reason',
  'requestId',
  'labelsJson',
  'beforeJson',
  'afterJson',
  'previousHash',
  'hash',
] as const satisfies readonly (keyof AuditRow)[]

export async function* exportAudit(
  rows: AsyncIterable<AuditRow>,
  format: AuditFormat,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvLine(COLUMNS.map((column) => column.replace(/Json$/, '')))
  for await (const row of rows) {
    if (format === 'json') yield `${jsonOf(row)}\n`
    else if (format === 'syslog') yield `${auditSyslog(row)}\n`
    else yield csvLine(COLUMNS.map((column) => cellOf(row, column)))
  }
}

/** What was hashed, and the hash: each line can be verified without us. */
function jsonOf(row: AuditRow): string {
  const { hash, ...content } = row
  return canonicalAudit(content).replace(/}$/, `,"hash":"${hash}"}`)
}

function cellOf(row: AuditRow, column: (typeof COLUMNS)[number]): string {
  if (column === 'at') return new Date(row.at).toISOString()
  return String(row[column] ?? '')
}

/** What a spreadsheet takes for a formula (OWASP, "CSV injection"). */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/

/** RFC 4180. */
export function csvLine(cells: readonly string[]): string {
  const safe = cells.map((cell) => (FORMULA.test(cell) ? `'${cell}` : cell))
  return `${safe.map((cell) => quoted(cell)).join(',')}\r\n`
}

function quoted(cell: string): string {
  return /[",\r\n\t']/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

export function auditSyslog(row: AuditRow): string {
  const { seq, actor, address, action, object, outcome, requestId, hash, previousHash } = row
  const fields = { seq, actor, address, action, object, outcome, requestId, hash, previousHash }
  return formatSyslog({
    facility: FACILITY.audit,
    severity: outcome === 'ok' ? SEVERITY.info : SEVERITY.notice,
    atMs: row.at,
    id: 'audit',
    fields,
    text: [actor, action, object, outcome, row.reason].filter((part) => part !== null).join(' '),
  })
}
