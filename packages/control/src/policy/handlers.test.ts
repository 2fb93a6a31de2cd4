/** Policies over the API, from the promise to what became of it. */
import { expect, test } from 'vitest'
import { SYSTEM } from '@openmaas/api/permissions'
import { policyPreview } from '@openmaas/api/resources/policy'
import { policySpec } from '@openmaas/api/policy'
import { systemRandom } from '@openmaas/kernel/random'
import type { FakeClock } from '@openmaas/testkit/fake-clock'
import { ServerKey } from '../auth/server-key.ts'
import { SettingsStore } from '../auth/settings-store.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { HandlerRequest } from '../http/handler.ts'
import { addHost, addPolicy, addPool, addSource } from '../job/kinds/hosts.test-support.ts'
import { makeComplianceHandlers } from './compliance-handlers.ts'
import { makePolicyHandlers } from './handlers.ts'
import { makePolicyOutlookHandlers } from './outlook-handlers.ts'
import { DAY_MS, HOUR_MS } from './zone.ts'

const ID = (prefix: string, n: number): string => `${prefix}_${String(n).padStart(26, '0')}`

function makeSite(catalog: Catalog) {
  const clock = catalog.clock as FakeClock
  const key = new ServerKey(Buffer.alloc(32, 7), systemRandom)
  const settings = new SettingsStore(catalog, clock, key)
  const jobs = {
    enqueue: () => Promise.reject(new Error('no')),
    cancel: () => Promise.reject(new Error('no')),
    retry: () => Promise.reject(new Error('no')),
  }
  const context = { catalog, clock, random: systemRandom, settings, jobs }
  return {
    clock,
    ...makePolicyHandlers(context),
    ...makePolicyOutlookHandlers(context),
    ...makeComplianceHandlers(context),
  }
}

function ask<R>(more: Partial<Record<keyof HandlerRequest<'createPolicy'>, unknown>>): R {
  return {
    params: {},
    query: {},
    body: null,
    principal: { ...SYSTEM, actor: 'user:usr_1' },
    requestId: 'r',
    ifMatch: null,
    dryRun: false,
    address: '127.0.0.1',
    language: 'en',
    headers: {},
    signal: new AbortController().signal,
    ...more,
  } as R
}

const create = (spec: object, more = {}) =>
  ask<HandlerRequest<'createPolicy'>>({
    body: {
      name: 'gold',
      selector: { env: 'prod' },
      priority: 0,
      spec: policySpec.parse({ rpo: '1h', ...spec }),
      enabled: true,
      ...more,
    },
  })

async function addSources(catalog: Catalog): Promise<void> {
  await addHost(catalog, 'hst_1', 'agent')
  await addPool(catalog, 'pol_1', 'hst_1')
  await addSource(catalog, ID('src', 1), 'hst_1', { env: 'prod' })
  await addSource(catalog, ID('src', 2), 'hst_1', { env: 'prod' })
  await addSource(catalog, ID('src', 3), 'hst_1', { env: 'test' })
}

describeBothCatalogs('policies over the API', (make) => {
  test('a policy is made, shown, changed by who has read it, and deleted with consent', async () => {
    const catalog = await make()
    await addSources(catalog)
    const site = makeSite(catalog)
    const made = await site.createPolicy(create({}))
    const { id } = made.body
    expect(made).toMatchObject({ status: 201, etag: 1, body: { sourceCount: 2, name: 'gold' } })
    await expect(site.createPolicy(create({}))).rejects.toMatchObject({ code: 'NAME_TAKEN' })

    const params = { policyId: id }
    const change = (body: object, ifMatch = 1) => site.changePolicy(ask({ params, body, ifMatch }))
    expect(await change({ priority: 7 })).toMatchObject({ etag: 2, body: { priority: 7 } })
    await expect(change({ priority: 8 })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })

    const deletion = { confirm: 'gold', reason: 'no longer needed' }
    const gone = await site.deletePolicy(ask({ params, body: deletion }))
    expect(gone.status).toBe(204)
    await expect(site.getPolicy(ask({ params }))).rejects.toMatchObject({
      code: 'OBJECT_NOT_FOUND',
    })
    const events = await catalog.db.selectFrom('event').select('type').orderBy('seq').execute()
    expect(events.map((row) => row.type)).toEqual([
      'policy.created',
      'policy.changed',
      'policy.deleted',
    ])
  })

  test('keeping less than before needs a reason', async () => {
    const site = makeSite(await make())
    const { body } = await site.createPolicy(create({ retention: { daily: 7 } }))
    const params = { policyId: body.id }
    const less = policySpec.parse({ rpo: '1h', retention: { daily: 6, hourly: 9 } })
    const change = (more: object) =>
      site.changePolicy(ask({ params, body: { spec: less, ...more }, ifMatch: 1 }))
    await expect(change({})).rejects.toMatchObject({ code: 'CONSENT_MISSING' })
    expect(await change({ reason: 'the pool is full' })).toMatchObject({ etag: 2 })
  })

  test('a cron field that means nothing is refused', async () => {
    const site = makeSite(await make())
    await expect(site.createPolicy(create({ cron: '61 * * * *' }))).rejects.toMatchObject({
      code: 'POLICY_INVALID',
    })
  })

  test('a preview says when, how much, what expires and what is odd', async () => {
    const catalog = await make()
    await addSources(catalog)
    const site = makeSite(catalog)
    const now = site.clock.wallMs()
    for (let day = 0; day < 5; day += 1) {
      const at = now - day * DAY_MS
      const sample = { subject: ID('src', 1), at }
      await catalog.db
        .insertInto('sample')
        .values([
          { ...sample, name: 'point.size', value: 1_000_000 },
          { ...sample, name: 'point.added', value: day === 4 ? 1_000_000 : 10_000 },
          { ...sample, name: 'capture.duration', value: 3 * HOUR_MS },
        ])
        .execute()
      await catalog.db
        .insertInto('point')
        .values({
          id: ID('pnt', day),
          sourceId: ID('src', 1),
          hostId: 'hst_1',
          poolId: 'pol_1',
          snapshotId: `snp_${day}`,
          kind: 'tree',
          consistency: 'files',
          takenAt: at,
          sizeBytes: 1,
          addedBytes: 1,
          itemCount: 1,
          warningCount: 0,
          state: 'available',
          reasonsJson: '[]',
          lockUntil: null,
          verifiedAt: null,
          labelsJson: '{}',
        })
        .execute()
    }
    const spec = policySpec.parse({
      rpo: '1h',
      cron: '30 2 * * 1-5',
      retention: { daily: 3 },
      timezone: 'Asia/Shanghai',
    })
    const body = { spec, selector: { env: 'prod' } }
    const answer = await site.previewPolicy(ask({ body, language: 'zh' }))
    expect(policyPreview.parse(answer.body)).toMatchObject({
      sourceCount: 2,
      pointsKept: 6,
      expiringCount: 2,
      cronText: '在上午 02:30, 星期一至星期五',
    })
    expect(answer.body.nextRuns[0]).toBe('2026-01-01T18:30:00.000Z')
    expect(answer.body.warnings.map((warning) => warning.code)).toEqual([
      'RPO_SHORTER_THAN_CAPTURE',
      'POINTS_EXPIRE',
    ])
    expect(answer.body.warnings[0]!.text).toContain('3 小时')
    // The source once, and what changes in the time that is kept.
    expect(answer.body.expectedBytes).toBeGreaterThan(1_000_000)
    expect(answer.body.expectedBytes).toBeLessThan(1_200_000)
  })

  test('a simulation answers as the contract says', async () => {
    const site = makeSite(await make())
    const spec = policySpec.parse({ rpo: '4h', retention: { daily: 7 } })
    const body = { spec, days: 30, durationMs: 1000, addedBytes: 100 }
    const answer = await site.simulatePolicy(ask({ body }))
    expect(answer.body).toMatchObject({ taken: 180, kept: 7, violations: 0, warnings: [] })
    expect(answer.body.days).toHaveLength(30)
  })

  test('the calendar has the runs of a month', async () => {
    const site = makeSite(await make())
    const { body } = await site.createPolicy(create({ rpo: '1d' }))
    const { body: text } = await site.getPolicyCalendar(ask({ params: { policyId: body.id } }))
    expect(String(text).match(/BEGIN:VEVENT/g)).toHaveLength(30)
    const runs = await site.listNextRuns(
      ask({ params: { policyId: body.id }, query: { limit: 2 } }),
    )
    expect(runs.body.items).toEqual(['2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z'])
  })

  test('a page of one state goes on behind what it showed', async () => {
    const catalog = await make()
    await addHost(catalog, 'hst_1', 'agent')
    for (let n = 1; n <= 6; n += 1) {
      await addSource(catalog, ID('src', n), 'hst_1', { env: n % 2 === 0 ? 'prod' : 'test' })
    }
    await addPolicy(catalog, ID('plc', 1), { rpo: '1h' }, { env: 'prod' })
    const site = makeSite(catalog)
    site.clock.advance(DAY_MS)
    const read = async (more: object) => {
      const query = { limit: 2, sort: 'sourceId', 'filter[state]': 'violated', ...more }
      const { body } = await site.getCompliance(ask({ query }))
      return [body.items.map(({ sourceId }) => sourceId.slice(-1)).join(''), body.next] as const
    }
    const [first, next] = await read({})
    expect(first).toBe('24')
    expect(await read({ cursor: next })).toEqual(['6', null])
  })

  test('compliance is told for the sources one may see, filtered by state', async () => {
    const catalog = await make()
    await addSources(catalog)
    await addPolicy(catalog, ID('plc', 1), { rpo: '1h' }, { env: 'prod' })
    const site = makeSite(catalog)
    const success = { lastSuccessAt: site.clock.wallMs() + 23 * HOUR_MS }
    await catalog.db.updateTable('source').set(success).where('id', '=', ID('src', 2)).execute()
    site.clock.advance(DAY_MS)
    const query = { limit: 50, sort: 'sourceId' }
    const states = async (more: object, principal = SYSTEM) => {
      const { body } = await site.getCompliance(ask({ query: { ...query, ...more }, principal }))
      return body.items.map((item) => [item.sourceId.slice(-1), item.state])
    }
    expect(await states({})).toEqual([
      ['1', 'violated'],
      ['2', 'compliant'],
      ['3', 'unprotected'],
    ])
    expect(await states({ 'filter[state]': 'violated' })).toEqual([['1', 'violated']])
    const two = `${ID('src', 3)},${ID('src', 2)}`
    expect(await states({ 'filter[sourceId]': two })).toEqual([
      ['2', 'compliant'],
      ['3', 'unprotected'],
    ])
    expect(await states({}, { ...SYSTEM, scope: { env: 'test' } })).toEqual([['3', 'unprotected']])
    const one = await site.getSourceCompliance(ask({ params: { sourceId: ID('src', 1) } }))
    expect(one.body.reasons.map((reason) => reason.text)).toEqual(['no point yet', 'promise 1 h'])
  })
})
