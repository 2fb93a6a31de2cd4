/** Promises made for sources, and how their data behaves. From the board: no query. */
import { HOUR_MS, MINUTE_MS } from '../../policy/zone.ts'
import type { Board, BoardRow } from '../board.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

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
  ],
  find: async (context) => findAll(await context.board()),
}

export const anomalyRules: RuleGroup = { rules: ['source-anomaly'], find: findAnomalies }

function findAll(board: Board): Finding[] {
  const rows = [...board.rows.values()]
  const found = rows.flatMap((row) => findOne(row, board.at))
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

function findOne(row: BoardRow, at: number): Finding[] {
  const about = { subject: row.sourceId, labels: row.labels }
  const names = { source: row.name, host: row.hostName ?? row.hostId }
  const found: Finding[] = []
  // One that waits for its first point is under a promise, and late when that is broken.
  if (
    row.policyId === null &&
    row.state === 'unprotected' &&
    at - row.createdAt > UNPROTECTED_AFTER_MS
  ) {
    found.push({ rule: 'source-unprotected', severity: 'warning', ...about, params: names })
  }
  if (row.state === 'violated') found.push(lateOf(row, at))
  for (const kind of ['verify', 'drill'] as const) {
    const cadence = row[kind]
    if (cadence?.isOverdue !== true) continue
    const rule = kind === 'verify' ? 'verification-overdue' : 'drill-overdue'
    const { everyMs, lastAt } = cadence
    found.push({ rule, severity: 'warning', ...about, params: { ...names, everyMs, lastAt } })
  }
  return found
}

async function findAnomalies(context: RuleContext): Promise<Finding[]> {
  const { rows } = await context.board()
  const found: Finding[] = []
  for (const [subject, anomalies] of await context.anomalies()) {
    const row = rows.get(subject)
    if (row === undefined) continue // It was removed since.
    const { labels } = row
    const names = { source: row.name, host: row.hostName ?? row.hostId }
    for (const { signal: detail, ...of } of anomalies) {
      const params = { ...names, signal: detail, ...of }
      found.push({ rule: 'source-anomaly', detail, severity: 'warning', subject, labels, params })
    }
  }
  return found
}

function lateOf(row: BoardRow, at: number): Finding {
  const { lastSuccessAt, reasons, rpoMs } = row
  const lateMs = at - (lastSuccessAt ?? row.createdAt)
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
