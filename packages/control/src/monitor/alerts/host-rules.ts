/** Agents and nodes: connected, with a certificate that lasts and a clock that is right. */
import { CLOCK_SKEW_MAX_MS, LOST_AFTER_MS } from '@openmaas/protocols/channel/frames'
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'
import { DAY_MS } from '../../policy/zone.ts'
import type { Finding, Severity } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

/** A reboot takes less. */
export const OFFLINE_AFTER_MS = 90_000
/** Certificates of hosts live 30 days and renew with 10 left. */
const EXPIRY_WARNING_MS = 7 * DAY_MS
const EXPIRY_CRITICAL_MS = DAY_MS

export const hostRules: RuleGroup = {
  rules: ['agent-offline', 'certificate-expiring', 'clock-skew'],
  find: findHosts,
}

export const listenerRules: RuleGroup = {
  rules: ['certificate-expiring'],
  find: async (context) =>
    (await context.certificates()).flatMap((certificate) =>
      expiryOf({ ...certificate, subject: 'server', labels: {} }, context.now),
    ),
}

async function findHosts({ db, now }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('host')
    .selectAll()
    .where('state', 'in', ['online', 'offline'])
    .execute()
  const offline = rows.filter(({ state }) => state === 'offline')
  const left = await mapLeft(
    db,
    offline.map(({ id }) => id),
  )
  const found: Finding[] = []
  for (const row of rows) {
    const { id: subject, name, kind: role, certificateNotAfter, clockSkewMs } = row
    const labels = JSON.parse(row.labelsJson) as Record<string, string>
    const about = { subject, labels }
    // `lastSeenAt` is written once a minute; the event knows better.
    const leftAt = left.get(subject)
    const seenAt = row.lastSeenAt ?? row.createdAt
    const sinceAt = leftAt === undefined ? seenAt : Math.max(seenAt, leftAt - LOST_AFTER_MS)
    if (row.state === 'offline' && now - sinceAt > OFFLINE_AFTER_MS) {
      const severity = role === 'node' ? 'critical' : 'warning'
      found.push({
        rule: 'agent-offline',
        severity,
        ...about,
        params: { host: name, role, sinceAt },
      })
    }
    if (certificateNotAfter !== null) {
      found.push(...expiryOf({ ...about, name, notAfter: certificateNotAfter }, now))
    }
    if (row.state === 'online' && Math.abs(clockSkewMs) > CLOCK_SKEW_MAX_MS) {
      const skewMs = Math.round(clockSkewMs / 1000) * 1000
      const params = { host: name, skewMs }
      found.push({ rule: 'clock-skew', severity: 'warning', ...about, params })
    }
  }
  return found
}

/** When they were found to be gone. */
async function mapLeft(
  db: Kysely<CatalogTables>,
  ids: readonly string[],
): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('event')
    .select((e) => ['subject', e.fn.max('at').as('at')])
    .where('topic', '=', 'hosts')
    .where('type', '=', 'host.offline')
    .where('subject', 'in', ids)
    .groupBy('subject')
    .execute()
  return new Map(rows.map((row) => [row.subject, Number(row.at)]))
}

function expiryOf(
  of: {
    readonly name: string
    readonly notAfter: number
    readonly subject: string
    readonly labels: Readonly<Record<string, string>>
  },
  now: number,
): Finding[] {
  const { name, notAfter, subject, labels } = of
  const leftMs = notAfter - now
  if (leftMs > EXPIRY_WARNING_MS) return []
  const severity: Severity = leftMs > EXPIRY_CRITICAL_MS ? 'warning' : 'critical'
  const detail = subject === 'server' ? { detail: name } : {}
  const params = { name, notAfter }
  return [{ rule: 'certificate-expiring', ...detail, severity, subject, labels, params }]
}
