/** Media whose lease ends soon, and media that are gone although nobody ejected them. */
import { HOUR_MS } from '../../policy/zone.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

const ENDING_WITHIN_MS = HOUR_MS
/** A lease of an hour is not about to end from its beginning on. */
const ENDING_SHARE = 0.1
const MEDIA_MAX = 2000

export const mediumRules: RuleGroup = {
  rules: ['medium-lease-ending', 'medium-lost'],
  find: findMedia,
}

async function findMedia({ db, now }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('medium')
    .leftJoin('host', 'host.id', 'medium.hostId')
    .selectAll('medium')
    .select('host.name as hostName')
    .where((e) =>
      e.or([
        e('medium.state', '=', 'lost'),
        e.and([
          e('medium.state', '=', 'plugged'),
          e('medium.leaseUntil', '<=', now + ENDING_WITHIN_MS),
        ]),
      ]),
    )
    .limit(MEDIA_MAX)
    .execute()
  return rows.flatMap((row): Finding[] => {
    const { leaseUntil, createdAt } = row
    const labels = JSON.parse(row.labelsJson) as Record<string, string>
    const about = { subject: row.id, labels }
    const names = { medium: row.name, host: row.hostName ?? row.hostId }
    if (row.state === 'lost') {
      return [{ rule: 'medium-lost', severity: 'warning', ...about, params: names }]
    }
    if (leaseUntil === null) return []
    const withinMs = Math.min(ENDING_WITHIN_MS, ENDING_SHARE * (leaseUntil - createdAt))
    if (leaseUntil - now > withinMs) return []
    const params = { ...names, leaseUntil }
    return [{ rule: 'medium-lease-ending', severity: 'info', ...about, params }]
  })
}
