/**
 * Alerts by their cause: sources that miss their promise because their host is away belong to that
 * host's alert; otherwise one rule is one cause.
 */
import type { Alert } from '@openmaas/api/resources/alert'

export interface AlertGroup {
  readonly key: string
  /** What is shown: the cause itself where it has an alert, else the worst and newest. */
  readonly lead: Alert
  readonly others: readonly Alert[]
}

const WORST_FIRST = ['critical', 'warning', 'info']

export function groupAlerts(alerts: readonly Alert[]): AlertGroup[] {
  const groups = new Map<string, Alert[]>()
  for (const alert of alerts) {
    const key = causeOf(alert)
    groups.set(key, [...(groups.get(key) ?? []), alert])
  }
  const found = [...groups].map(([key, members]) => {
    const [lead, ...others] = members.toSorted(byWeight)
    return { key, lead: lead!, others }
  })
  return found.toSorted((first, second) => byWeight(first.lead, second.lead))
}

function causeOf({ rule, state, params }: Alert): string {
  const { host } = params
  const isAway =
    rule === 'agent-offline' || (rule === 'rpo-missed' && params['hostOffline'] === true)
  return isAway && typeof host === 'string' ? `${state} away ${host}` : `${state} ${rule}`
}

function byWeight(first: Alert, second: Alert): number {
  const cause = Number(second.rule === 'agent-offline') - Number(first.rule === 'agent-offline')
  const severity = WORST_FIRST.indexOf(first.severity) - WORST_FIRST.indexOf(second.severity)
  const isOneCause = causeOf(first) === causeOf(second)
  return (isOneCause ? cause : 0) || severity || second.openedAt.localeCompare(first.openedAt)
}

/** Id of what an alert is about → its screen; null where there is none. */
export function screenOf(
  subject: string,
): { readonly route: string; readonly path: string } | null {
  const [prefix] = subject.split('_')
  const screen = SCREENS.find((one) => one.prefix === prefix)
  if (screen === undefined) return null
  return { route: screen.route, path: screen.route.replace(/\$\w+/, subject) }
}

const SCREENS = [
  { prefix: 'src', route: '/sources/$sourceId' },
  { prefix: 'hst', route: '/hosts/$hostId' },
  { prefix: 'pol', route: '/pools/$poolId' },
  { prefix: 'job', route: '/jobs/$jobId' },
  { prefix: 'mnt', route: '/media/$mediumId' },
  { prefix: 'plc', route: '/policies/$policyId' },
] as const
