/** Standbys that fall behind, cost production its disk, or are of no use; databases that end. */
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { shareOfMaximum, usedBytesOf } from '../../database/room.ts'
import { type SourceDatabaseRow, statusOf } from '../../database/source-database.ts'
import { HOUR_MS, MINUTE_MS } from '../../policy/zone.ts'
import { FULL_CODE, fullProblem } from '../../virtual-database/room.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

/** A busy minute of production is no fault of the standby. */
const BEHIND_AFTER_MS = 5 * MINUTE_MS
const RETAINED_SHARE = 0.8
/** Of the most room that a volume may have by itself. */
const VOLUME_SHARE = 0.8
/** The standby stops a little before all of it is written. */
const VOLUME_CRITICAL_SHARE = 0.92
const ENDING_WITHIN_MS = HOUR_MS
/** A lifetime of an hour is not about to end from its beginning on. */
const ENDING_SHARE = 0.1
const ROWS_MAX = 2000

export const databaseRules: RuleGroup = {
  rules: [
    'standby-behind',
    'standby-retention',
    'standby-volume',
    'standby-log-cut',
    'standby-must-reseed',
    'virtual-database-ending',
    'virtual-database-lost',
    'virtual-database-full',
  ],
  find: async (context) => [...(await findStandbys(context)), ...(await findInstances(context))],
}

async function findStandbys({ db }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('sourceDatabase')
    .innerJoin('source', 'source.id', 'sourceDatabase.sourceId')
    .leftJoin('host', 'host.id', 'source.hostId')
    .selectAll('sourceDatabase')
    .select(['source.name', 'source.hostId', 'source.labelsJson', 'source.paused'])
    .select('source.lastSuccessAt')
    .select('host.name as hostName')
    .where('sourceDatabase.statusJson', 'is not', null)
    .limit(ROWS_MAX)
    .execute()
  return rows.flatMap((row): Finding[] => {
    const status = statusOf(row)
    if (status === null) return []
    const labels = JSON.parse(row.labelsJson) as Record<string, string>
    const about = { subject: row.sourceId, labels }
    const names = { source: row.name, host: row.hostName ?? row.hostId }
    const { reason, lagMs, retainedBytes } = status
    if (status.mustReseed) {
      const params = { ...names, reason }
      return [{ rule: 'standby-must-reseed', severity: 'critical', ...about, params }]
    }
    const found: Finding[] = []
    const isBehind = (lagMs ?? 0) > BEHIND_AFTER_MS
    // Whoever paused it knows; what it costs production or the volume goes on all the same.
    if (row.paused === 0 && (isBehind || status.state !== 'following')) {
      const params = { ...names, state: status.state, lagMs, reason }
      found.push({ rule: 'standby-behind', severity: 'warning', ...about, params })
    }
    const limitBytes = status.retainedLimitBytes ?? row.retainedLimitBytes
    if (retainedBytes !== null && retainedBytes >= RETAINED_SHARE * limitBytes) {
      const params = { ...names, retainedBytes, limitBytes }
      found.push({ rule: 'standby-retention', severity: 'critical', ...about, params })
    }
    found.push(...findRoom(row, status, { ...about, names }))
    if (typeof status.logCutAtMs === 'number') {
      const params = { ...names, at: status.logCutAtMs, lastPointAt: row.lastSuccessAt }
      found.push({ rule: 'standby-log-cut', severity: 'warning', ...about, params })
    }
    return found
  })
}

/** What is nearly full and may grow does so by itself: nobody needs to know. */
function findRoom(
  row: SourceDatabaseRow,
  { volume }: DatabaseStatus,
  about: {
    readonly subject: string
    readonly labels: Readonly<Record<string, string>>
    readonly names: { readonly source: string; readonly host: string }
  },
): Finding[] {
  if (volume === undefined) return []
  const share = shareOfMaximum(row, volume)
  if (share < VOLUME_SHARE) return []
  const { names, ...rest } = about
  const { sizeBytes } = volume
  const maxBytes = Math.max(row.volumeMaxBytes ?? 0, row.volumeBytes ?? 0)
  const params = { ...names, usedBytes: usedBytesOf(volume), sizeBytes, maxBytes }
  const severity = share < VOLUME_CRITICAL_SHARE ? 'warning' : 'critical'
  return [{ rule: 'standby-volume', severity, ...rest, params }]
}

async function findInstances({ db, now }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('virtualDatabase')
    .leftJoin('host', 'host.id', 'virtualDatabase.hostId')
    .selectAll('virtualDatabase')
    .select('host.name as hostName')
    .where('virtualDatabase.endedAt', 'is', null)
    .where((e) =>
      e.or([
        e('virtualDatabase.state', '=', 'lost'),
        e('virtualDatabase.problemJson', 'like', `%"${FULL_CODE}"%`),
        e('virtualDatabase.leaseUntil', '<=', now + ENDING_WITHIN_MS),
      ]),
    )
    .limit(ROWS_MAX)
    .execute()
  return rows.flatMap((row): Finding[] => {
    const { leaseUntil, createdAt, kept } = row
    const labels = JSON.parse(row.labelsJson) as Record<string, string>
    const about = { subject: row.id, labels }
    const names = { database: row.name, host: row.hostName ?? row.hostId }
    const full = fullProblem(row)
    if (full !== null && !full.over) {
      const params = { ...names, limit: full.limit, quotaBytes: row.quotaBytes }
      return [{ rule: 'virtual-database-full', severity: 'warning', ...about, params }]
    }
    if (row.state === 'lost') {
      return [{ rule: 'virtual-database-lost', severity: 'warning', ...about, params: names }]
    }
    if (leaseUntil === null || kept === 1) return []
    const withinMs = Math.min(ENDING_WITHIN_MS, ENDING_SHARE * (leaseUntil - createdAt))
    if (leaseUntil - now > withinMs) return []
    const params = { ...names, leaseUntil }
    return [{ rule: 'virtual-database-ending', severity: 'info', ...about, params }]
  })
}
