/** Points of databases that were started on a clone and found wanting: what the evidence says. */
import { DAY_MS } from '../../policy/zone.ts'
import { showVerification } from '../../points/verification.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

/** Older evidence is history: the source is gone, or somebody has looked at it long since. */
const SINCE_MS = 30 * DAY_MS
/** Points with evidence of one look; a source that verifies each minute has 43,200 a month. */
const POINTS_MAX = 5000

export const verificationRules: RuleGroup = {
  rules: ['database-unverified'],
  find: findFailed,
}

/** The newest verification of each source says how it stands now. */
async function findFailed({ db, now }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('point')
    .innerJoin('source', 'source.id', 'point.sourceId')
    .leftJoin('host', 'host.id', 'source.hostId')
    .select(['point.id', 'point.sourceId', 'point.verificationJson', 'source.name'])
    .select(['source.labelsJson', 'source.hostId', 'host.name as hostName'])
    .where('point.verificationJson', 'is not', null)
    .where('point.databaseJson', 'is not', null)
    .where('point.takenAt', '>', now - SINCE_MS)
    .orderBy('point.takenAt', 'desc')
    .limit(POINTS_MAX)
    .execute()
  const newest = new Map<string, { readonly at: number; readonly finding: Finding | null }>()
  for (const row of rows) {
    const shown = showVerification(row, false)
    if (shown === null || shown.by !== 'database') continue
    const at = Date.parse(shown.at)
    if (at <= (newest.get(row.sourceId)?.at ?? 0)) continue
    const { reason, jobId } = shown
    const names = { source: row.name, host: row.hostName ?? row.hostId }
    const finding: Finding = {
      rule: 'database-unverified',
      severity: 'critical',
      subject: row.sourceId,
      labels: JSON.parse(row.labelsJson) as Record<string, string>,
      params: { ...names, pointId: row.id, jobId, at, reason },
    }
    newest.set(row.sourceId, { at, finding: shown.state === 'failed' ? finding : null })
  }
  return [...newest.values()].flatMap(({ finding }) => (finding === null ? [] : [finding]))
}
