/** Promises made for sources, and how their data behaves. All from the board: no query. */
import { HOUR_MS, MINUTE_MS } from '../../policy/zone.ts'
import type { BoardRow } from '../board.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-groups.ts'

/** Who adds a source gives it labels or a policy a moment later. */
const UNPROTECTED_AFTER_MS = 10 * MINUTE_MS
/** From so many promises late on it is worse than an outage of a while. */
const CRITICAL_FACTOR = 3
/** Fewer than that say nothing about the server. */
const ALL_COUNT_MIN = 3
/** After so long a late source is critical, however long its promise. */
const CRITICAL_AFTER_MS = 24 * HOUR_MS

export const sourceRules: RuleGroup = {
  rules: [
    'source-unprotected',
    'rpo-missed',
    'nothing-succeeds',
    'verification-overdue',
    'drill-overdue',
    'source-anomaly',
  ],
  find: (context) => Promise.resolve(findAll(context)),
}

function findAll(context: RuleContext): Finding[] {
  const rows = [...context.board.rows.values()]
  const found = rows.flatMap((row) => findOne(context, row))
  const promised = rows.filter((row) => row.rpoMs !== null && row.state !== 'paused')
  const isAllLate = promised.every((row) => row.state === 'violated')
  if (promised.length >= ALL_COUNT_MIN && isAllLate) {
    const times = promised.flatMap(({ lastSuccessAt }) => lastSuccessAt ?? [])
    const lastSuccessAt = times.length === 0 ? null : times.reduce((a, b) => Math.max(a, b))
    const params = { count: promised.length, lastSuccessAt }
    const about = { severity: 'critical', subject: 'server', labels: {} } as const
    found.push({ rule: 'nothing-succeeds', ...about, params })
  }
  return found
}

function findOne(context: RuleContext, row: BoardRow): Finding[] {
  const about = { subject: row.sourceId, labels: row.labels }
  const names = { source: row.name, host: row.hostName ?? row.hostId }
  const found: Finding[] = []
  if (row.state === 'unprotected' && context.board.at - row.createdAt > UNPROTECTED_AFTER_MS) {
    found.push({ rule: 'source-unprotected', severity: 'warning', ...about, params: names })
  }
  if (row.state === 'violated') found.push(lateOf(context, row))
  for (const kind of ['verify', 'drill'] as const) {
    const cadence = row[kind]
    if (cadence?.isOverdue !== true) continue
    const rule = kind === 'verify' ? 'verification-overdue' : 'drill-overdue'
    const { everyMs, lastAt } = cadence
    found.push({ rule, severity: 'warning', ...about, params: { ...names, everyMs, lastAt } })
  }
  for (const { signal, day, value, usual } of context.anomalies.get(row.sourceId) ?? []) {
    const params = { ...names, signal, day, value, usual }
    const severity = 'warning' as const
    found.push({ rule: 'source-anomaly', detail: signal, severity, ...about, params })
  }
  return found
}

function lateOf({ board }: RuleContext, row: BoardRow): Finding {
  const { lastSuccessAt, reasons, rpoMs } = row
  const lateMs = board.at - (lastSuccessAt ?? row.createdAt)
  const criticalMs = Math.min(CRITICAL_FACTOR * rpoMs!, rpoMs! + CRITICAL_AFTER_MS)
  const failure = reasons.find(({ code }) => code === 'LAST_FAILURE')?.params['code']
  return {
    rule: 'rpo-missed',
    severity: lateMs > criticalMs ? 'critical' : 'warning',
    subject: row.sourceId,
    labels: row.labels,
    params: {
      source: row.name,
      host: row.hostName ?? row.hostId,
      rpoMs: rpoMs!,
      lastSuccessAt,
      failureCode: typeof failure === 'string' ? failure : null,
      hostOffline: reasons.some(({ code }) => code === 'HOST_OFFLINE'),
    },
  }
}
