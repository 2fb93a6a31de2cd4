/** Pools: room, state, damage, and when they will be full. */
import { poolStats } from '@openmaas/api/resources/pool'
import { MINUTE_MS } from '../../policy/zone.ts'
import type { Finding, Severity } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

/** Share used. Collecting needs room to write what it keeps. */
const WARNING_SHARE = 0.85
const CRITICAL_SHARE = 0.95
/** What fires ends this much below, so that it does not come and go. */
const HYSTERESIS = 0.02
const FULL_SOON_DAYS = 14
const FULL_CRITICAL_DAYS = 3
/** Its node is asked twice a minute. */
const OFFLINE_AFTER_MS = 2 * MINUTE_MS

export const poolRules: RuleGroup = {
  rules: ['pool-nearly-full', 'pool-full-soon', 'pool-degraded', 'pool-offline', 'pool-damaged'],
  find: async (context) => {
    const rows = await context.db
      .selectFrom('pool')
      .leftJoin('host', 'host.id', 'pool.nodeId')
      .selectAll('pool')
      .select('host.name as nodeName')
      .execute()
    return rows.flatMap((row) => findOne(context, row))
  },
}

interface PoolFacts {
  readonly id: string
  readonly name: string
  readonly nodeId: string
  readonly nodeName: string | null
  readonly state: 'online' | 'offline' | 'degraded' | 'full'
  readonly statsJson: string
  readonly labelsJson: string
  readonly seenAt: number | null
  readonly createdAt: number
}

function findOne(context: RuleContext, row: PoolFacts): Finding[] {
  const { id: subject, name: pool, state, seenAt } = row
  const about = { subject, labels: JSON.parse(row.labelsJson) as Record<string, string> }
  const found: Finding[] = []
  if (state === 'degraded') {
    found.push({ rule: 'pool-degraded', severity: 'critical', ...about, params: { pool } })
  }
  if (state === 'offline' && context.now - (seenAt ?? row.createdAt) > OFFLINE_AFTER_MS) {
    const params = { pool, node: row.nodeName ?? row.nodeId, seenAt }
    found.push({ rule: 'pool-offline', severity: 'critical', ...about, params })
  }
  const stats = poolStats.safeParse(JSON.parse(row.statsJson))
  if (!stats.success) return found // Its node has not reported yet.
  const { badBlocks } = stats.data
  if (badBlocks > 0) {
    found.push({
      rule: 'pool-damaged',
      severity: 'critical',
      ...about,
      params: { pool, badBlocks },
    })
  }
  return [...found, ...findRoom(context, row, stats.data), ...findForecast(context, row)]
}

function findRoom(
  { firing }: RuleContext,
  row: PoolFacts,
  stats: { readonly sizeBytes: number; readonly freeBytes: number },
): Finding[] {
  const { sizeBytes, freeBytes } = stats
  if (sizeBytes === 0) return []
  const share = 1 - Math.min(freeBytes, sizeBytes) / sizeBytes
  const before = firing.get(`pool-nearly-full:${row.id}`)?.severity
  const isAbove = (limit: number, was: boolean): boolean => share >= limit - (was ? HYSTERESIS : 0)
  const isCritical = row.state === 'full' || isAbove(CRITICAL_SHARE, before === 'critical')
  if (!isCritical && !isAbove(WARNING_SHARE, before !== undefined)) return []
  const severity: Severity = isCritical ? 'critical' : 'warning'
  const usedPercent = Math.floor(share * 100)
  // To whole percents, else it would be another text each minute.
  const params = { pool: row.name, usedPercent, freeBytes: roundTo(freeBytes, sizeBytes / 100) }
  const labels = JSON.parse(row.labelsJson) as Record<string, string>
  return [{ rule: 'pool-nearly-full', severity, subject: row.id, labels, params }]
}

const roundTo = (value: number, step: number): number =>
  Math.round(step <= 1 ? value : Math.round(value / step) * step)

function findForecast({ forecasts }: RuleContext, row: PoolFacts): Finding[] {
  const forecast = forecasts.get(row.id)
  const days = forecast?.daysToFull ?? null
  if (forecast === undefined || days === null || days >= FULL_SOON_DAYS) return []
  const severity: Severity = days < FULL_CRITICAL_DAYS ? 'critical' : 'warning'
  const growthBytesPerDay = Math.round(forecast.growthBytesPerDay)
  const params = { pool: row.name, days: Math.floor(days), growthBytesPerDay }
  const labels = JSON.parse(row.labelsJson) as Record<string, string>
  return [{ rule: 'pool-full-soon', severity, subject: row.id, labels, params }]
}
