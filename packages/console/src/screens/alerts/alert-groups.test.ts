import type { Alert } from '@openmaas/api/resources/alert'
import { expect, test } from 'vitest'
import { groupAlerts, screenOf } from './alert-groups.ts'

function alertOf(id: string, rule: string, more: Partial<Alert> = {}): Alert {
  const at = '2026-11-22T10:00:00.000Z'
  return {
    id,
    rule,
    severity: 'warning',
    state: 'firing',
    subject: 'src_1',
    labels: {},
    params: {},
    title: id,
    cause: '',
    nextStep: '',
    openedAt: at,
    seenAt: at,
    resolvedAt: null,
    silence: null,
    acknowledgedBy: null,
    acknowledgedAt: null,
    ...more,
  }
}

test('sources of a host that is away are one group below the host', () => {
  const missed = (id: string) =>
    alertOf(id, 'rpo-missed', { severity: 'critical', params: { host: 'db1', hostOffline: true } })
  const groups = groupAlerts([
    missed('a'),
    missed('b'),
    alertOf('host', 'agent-offline', { params: { host: 'db1' } }),
    alertOf('else', 'rpo-missed', { params: { host: 'db2', hostOffline: false } }),
  ])
  expect(groups.map(({ lead, others }) => [lead.id, others.length])).toEqual([
    ['host', 2],
    ['else', 0],
  ])
})

test('the worst cause comes first, and of one rule the newest', () => {
  const groups = groupAlerts([
    alertOf('old', 'pool-degraded'),
    alertOf('new', 'pool-degraded', { openedAt: '2026-11-22T11:00:00.000Z' }),
    alertOf('worst', 'nothing-succeeds', { severity: 'critical' }),
  ])
  expect(groups.map(({ lead }) => lead.id)).toEqual(['worst', 'new'])
})

test('an alert that is over stands apart from one that is open', () => {
  const groups = groupAlerts([
    alertOf('open', 'pool-degraded'),
    alertOf('over', 'pool-degraded', { state: 'resolved' }),
  ])
  expect(groups).toHaveLength(2)
})

test('an object leads to its screen, what is none leads nowhere', () => {
  expect(screenOf('src_01')?.path).toBe('/sources/src_01')
  expect(screenOf('server')).toBeNull()
})
