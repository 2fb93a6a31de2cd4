/** The calendar of jobs: what ran by hour and host, and what schedules foresee. */
import { expect, test } from 'vitest'
import { SYSTEM, type Principal } from '@openmaas/api/permissions'
import type { Catalog } from '../catalog/catalog.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { HandlerRequest } from '../http/handler.ts'
import { HOUR_MS, MINUTE_MS } from '../policy/zone.ts'
import { makeJobCalendarHandlers } from './calendar.ts'
import { addHost, addPolicy, addSource } from './kinds/hosts.test-support.ts'

const ID = (prefix: string, n: number): string => `${prefix}_${String(n).padStart(26, '0')}`
const HOST = ID('hst', 1)

async function addJob(
  catalog: Catalog,
  n: number,
  of: {
    readonly startedAt: number
    readonly endedAt: number | null
    readonly state: 'failed' | 'running' | 'succeeded'
  },
): Promise<void> {
  await catalog.db
    .insertInto('job')
    .values({
      id: ID('job', n),
      kind: 'protect',
      phase: '',
      priority: 0,
      hostId: HOST,
      actor: n % 2 === 0 ? 'user:usr_1' : 'system',
      labelsJson: '{}',
      paramsJson: '{}',
      progressJson: '{}',
      attempt: 1,
      attemptMax: 1,
      notBefore: 0,
      queuedAt: of.startedAt,
      claimToken: 0,
      ...of,
    })
    .execute()
}

function ask(catalog: Catalog, from: number, until: number, principal: Principal = SYSTEM) {
  const { getJobCalendar } = makeJobCalendarHandlers({ catalog, clock: catalog.clock })
  const query = { from: new Date(from).toISOString(), until: new Date(until).toISOString() }
  return getJobCalendar({ query, principal } as HandlerRequest<'getJobCalendar'>)
}

describeBothCatalogs('the calendar of jobs', (make) => {
  test('a job counts in every hour in which it was at work, and fails at its end', async () => {
    const catalog = await make()
    await addHost(catalog, HOST, 'agent')
    const now = catalog.clock.wallMs()
    const from = now - 4 * HOUR_MS
    // Before the day until its first hour; two hours long; still running.
    await addJob(catalog, 1, { startedAt: from - MINUTE_MS, endedAt: from + 1, state: 'succeeded' })
    const second = from + HOUR_MS
    await addJob(catalog, 2, { startedAt: second, endedAt: second + HOUR_MS, state: 'failed' })
    await addJob(catalog, 3, { startedAt: now - MINUTE_MS, endedAt: null, state: 'running' })
    const { body } = await ask(catalog, from, from + 6 * HOUR_MS)
    expect(body.hosts).toEqual([
      {
        hostId: HOST,
        hostName: HOST,
        ran: [1, 1, 1, 1, 1, 0],
        failed: [0, 0, 1, 0, 0, 0],
        planned: [0, 0, 0, 0, 0, 0],
      },
    ])
    expect(body.omitted).toBe(0)
  })

  test('what is to come is what the policies of unpaused sources say, for each host', async () => {
    const catalog = await make()
    await addHost(catalog, HOST, 'agent')
    const policyId = ID('plc', 1)
    await addPolicy(catalog, policyId, { rpo: '2h' })
    for (const n of [1, 2, 3]) {
      await addSource(catalog, ID('src', n), HOST)
      const row = { sourceId: ID('src', n), policyId, purpose: 'protect' }
      await catalog.db
        .insertInto('schedule')
        .values({ ...row, nextRunAt: 0, failures: 0 })
        .execute()
    }
    const paused = catalog.db.updateTable('source').set({ paused: 1 })
    await paused.where('id', '=', ID('src', 3)).execute()
    const midnight = Math.ceil(catalog.clock.wallMs() / (24 * HOUR_MS)) * 24 * HOUR_MS
    const { body } = await ask(catalog, midnight - 1, midnight - 1 + 6 * HOUR_MS)
    expect(body.hosts[0]!.planned).toEqual([2, 0, 2, 0, 2, 0])
    expect(body.hosts[0]!.ran).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('who sees only own jobs sees those, and no plans', async () => {
    const catalog = await make()
    await addHost(catalog, HOST, 'agent')
    const now = catalog.clock.wallMs()
    for (const n of [1, 2]) {
      const at = { startedAt: now - 2 * HOUR_MS, endedAt: now - 2 * HOUR_MS + 1 }
      await addJob(catalog, n, { ...at, state: 'succeeded' })
    }
    const consumer: Principal = { actor: 'user:usr_1', roles: ['data-consumer'], scope: null }
    const { body } = await ask(catalog, now - 2 * HOUR_MS, now + HOUR_MS, consumer)
    expect(body.hosts.map(({ ran }) => ran)).toEqual([[1, 0, 0]])
  })

  test('a span that is no day is refused', async () => {
    const catalog = await make()
    const now = catalog.clock.wallMs()
    const code = 'REQUEST_INVALID'
    await expect(ask(catalog, now, now)).rejects.toMatchObject({ code })
    await expect(ask(catalog, now, now + 26 * HOUR_MS)).rejects.toMatchObject({ code })
  })
})
