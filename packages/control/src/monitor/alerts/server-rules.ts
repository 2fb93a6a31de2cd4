/** The server itself: its schedule, its clock, its catalog, its disk. The dead man's switch. */
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../policy/zone.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

const about = { subject: 'server', labels: {} } as const

/** A leader that died is followed after 30 s; a tick that has much to do takes its time. */
const STALLED_AFTER_MS = 2 * MINUTE_MS
/** Due runs are begun within seconds. */
const OVERDUE_AFTER_MS = 5 * MINUTE_MS
const JUMP_SHOWN_MS = HOUR_MS
/** Copies are made every six hours. */
const BACKUP_OLD_MS = DAY_MS
const DISK_WARNING_SHARE = 0.9
const DISK_CRITICAL_SHARE = 0.97
const HYSTERESIS = 0.01

export const serverRules: RuleGroup = {
  rules: ['scheduler-stalled', 'clock-jumped', 'catalog-backup-old'],
  find: async (context) => [
    ...(await findStalled(context)),
    ...(await findJump(context)),
    ...(await findOldBackup(context)),
  ],
}

export const diskRules: RuleGroup = { rules: ['server-disk-full'], find: findDisk }

async function findStalled({ db, now, upMs, firing }: RuleContext): Promise<Finding[]> {
  const isKnown = firing.has('scheduler-stalled:server')
  if (upMs < STALLED_AFTER_MS && !isKnown) return [] // It comes up at the same time as we do.
  const lease = await db
    .selectFrom('lease')
    .select('until')
    .where('name', '=', 'scheduler')
    .executeTakeFirst()
  const sinceAt = lease?.until ?? null
  // A leader renews it: one that is over by that much has none.
  if (sinceAt === null || now - sinceAt > STALLED_AFTER_MS) {
    const params = { sinceAt: sinceAt === 0 ? null : sinceAt, overdue: 0 }
    return [{ rule: 'scheduler-stalled', severity: 'critical', ...about, params }]
  }
  // Or it leads and does nothing.
  const due = await db
    .selectFrom('schedule')
    .innerJoin('source', 'source.id', 'schedule.sourceId')
    .innerJoin('host', 'host.id', 'source.hostId')
    .select((e) => [e.fn.countAll<number>().as('count'), e.fn.min('nextRunAt').as('first')])
    .where('schedule.nextRunAt', '<', now - OVERDUE_AFTER_MS)
    .where('source.paused', '=', 0)
    .where('host.drained', '=', 0)
    .where('host.state', '!=', 'removed')
    .executeTakeFirstOrThrow()
  const overdue = Number(due.count)
  if (overdue === 0) return []
  const params = { sinceAt: Number(due.first), overdue }
  return [{ rule: 'scheduler-stalled', severity: 'critical', ...about, params }]
}

async function findJump({ db, now }: RuleContext): Promise<Finding[]> {
  const event = await db
    .selectFrom('event')
    .select(['at', 'dataJson'])
    .where('topic', '=', 'alerts')
    .where('type', '=', 'clock.jumped')
    .where('at', '>', now - JUMP_SHOWN_MS)
    .where('at', '<=', now)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (event === undefined) return []
  const { byMs } = JSON.parse(event.dataJson) as { readonly byMs?: unknown }
  const params = { byMs: Number(byMs), at: event.at }
  return [{ rule: 'clock-jumped', severity: 'warning', ...about, params }]
}

async function findOldBackup({ db, now }: RuleContext): Promise<Finding[]> {
  const pool = await db
    .selectFrom('pool')
    .select((e) => e.fn.min('createdAt').as('since'))
    .executeTakeFirst()
  // Without a pool there is nowhere to put it, and nothing to lose yet.
  if (pool === undefined || pool.since === null) return []
  const job = await db
    .selectFrom('job')
    .select((e) => e.fn.max('endedAt').as('at'))
    .where('kind', '=', 'catalog-backup')
    .where('state', '=', 'succeeded')
    .executeTakeFirst()
  const lastAt = job?.at ?? null
  if (now - (lastAt ?? Number(pool.since)) <= BACKUP_OLD_MS) return []
  return [{ rule: 'catalog-backup-old', severity: 'warning', ...about, params: { lastAt } }]
}

async function findDisk(context: RuleContext): Promise<Finding[]> {
  const { firing } = context
  const disk = await context.disk()
  if (disk === null || disk.sizeBytes === 0) return []
  const { sizeBytes, freeBytes } = disk
  const share = 1 - freeBytes / sizeBytes
  const before = firing.get('server-disk-full:server')?.severity
  const isAbove = (limit: number, was: boolean): boolean => share >= limit - (was ? HYSTERESIS : 0)
  const isCritical = isAbove(DISK_CRITICAL_SHARE, before === 'critical')
  if (!isCritical && !isAbove(DISK_WARNING_SHARE, before !== undefined)) return []
  const step = Math.max(1, sizeBytes / 100)
  const params = {
    usedPercent: Math.floor(share * 100),
    freeBytes: Math.round(Math.round(freeBytes / step) * step),
  }
  const severity = isCritical ? 'critical' : 'warning'
  return [{ rule: 'server-disk-full', severity, ...about, params }]
}
