/** plug, eject and reconciliation: nothing is served to nobody, and rows say what is. */
import { describe, expect, test } from 'vitest'
import type { Catalog } from '../../catalog/catalog.ts'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { addMedium } from './hosts.test-support.ts'
import { planMedia } from './media-plan.ts'
import type { MediaState } from './media-plan.ts'
import { loadMedium } from './medium-rows.ts'
import { ejectRequest, plugRequest } from './medium-requests.ts'
import { protectRequest } from './protect.ts'
import { reconcileMediaRequest } from './reconcile-media.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from './site.test-support.ts'

const MEDIUM = 'mnt_1'

async function makeSite(catalog: Catalog, protocol: 'local' | 'nbd' = 'nbd'): Promise<KindSite> {
  const site = await KindSite.make(catalog)
  const source = { id: SOURCE, hostId: HOST, poolId: null, labelsJson: '{}' }
  const { pointId } = await site.run(protectRequest(source, { actor: 'system' }))
  const place = { sourceId: SOURCE, poolId: POOL, nodeId: NODE, hostId: HOST }
  await addMedium(catalog, MEDIUM, { ...place, pointId: pointId!, protocol })
  return site
}
const medium = (site: KindSite) => loadMedium(site.catalog.db, MEDIUM)
const plug = async (site: KindSite) => plugRequest(await medium(site), 'user:usr_1')
const eject = async (site: KindSite, force = false) =>
  ejectRequest(await medium(site), { actor: 'user:usr_1', force })

describeBothCatalogs('media', (make) => {
  test('are served by the node, attached by the host, and leave both again', async () => {
    const site = await makeSite(await make())
    expect(await site.run(await plug(site))).toMatchObject({ state: 'succeeded' })
    expect(await medium(site)).toMatchObject({
      state: 'plugged',
      device: '/dev/loop2',
      mountPath: '/mnt',
      poolMediumId: 'pool-mnt_1',
    })
    expect(site.hosts.attached.get(MEDIUM)?.nbd).toMatchObject({ exportName: MEDIUM, ticket: 't' })
    expect(await site.run(await eject(site))).toMatchObject({ state: 'succeeded' })
    expect(await medium(site)).toMatchObject({ state: 'ejected', device: null })
    expect([site.hosts.served.size, site.hosts.attached.size]).toEqual([0, 0])
    const events = await site.catalog.db
      .selectFrom('event')
      .select('type')
      .where('topic', '=', 'media')
      .orderBy('seq')
      .execute()
    expect(events.map((row) => row.type)).toEqual([
      'medium.plugged',
      'medium.ejecting',
      'medium.ejected',
    ])
  })

  test('are had of points whose source is protected no longer', async () => {
    const site = await makeSite(await make())
    await site.catalog.db.deleteFrom('source').where('id', '=', SOURCE).execute()
    expect(await site.run(await plug(site))).toMatchObject({ state: 'succeeded' })
    expect(await medium(site)).toMatchObject({ state: 'plugged', device: '/dev/loop2' })
  })

  test('on the node’s own machine need no second step', async () => {
    const site = await makeSite(await make(), 'local')
    await site.run(await plug(site))
    expect(await medium(site)).toMatchObject({ state: 'plugged', device: '/dev/loop1' })
    expect(site.hosts.attached.size).toBe(0)
  })

  test('a plug whose attach fails is rolled back, and says why', async () => {
    const site = await makeSite(await make())
    site.hosts.fail = (verb) => (verb === 'medium.attach' ? 'NOT_ROOT' : undefined)
    expect(await site.run(await plug(site))).toMatchObject({ state: 'failed' })
    const row = await medium(site)
    expect(row.state).toBe('failed')
    expect(JSON.parse(row.problemJson!)).toMatchObject({ code: 'NOT_ROOT' })
    expect([site.hosts.served.size, site.hosts.attached.size]).toEqual([0, 0])
  })

  test('a cancelled plug leaves nothing behind', async () => {
    const site = await makeSite(await make())
    const jobId = await site.enqueue(await plug(site))
    await site.engine.cancel(jobId)
    expect(await site.finish(jobId)).toMatchObject({ state: 'cancelled' })
    expect(await medium(site)).toMatchObject({ state: 'ejected' })
  })

  test('one that is in use stays plugged, with the reason', async () => {
    const site = await makeSite(await make())
    await site.run(await plug(site))
    site.hosts.fail = (verb) => (verb === 'medium.detach' ? 'MEDIUM_BUSY' : undefined)
    expect(await site.run(await eject(site))).toMatchObject({ state: 'failed' })
    const row = await medium(site)
    expect(row.state).toBe('plugged')
    expect(JSON.parse(row.problemJson!)).toMatchObject({ code: 'MEDIUM_BUSY' })
  })

  test('a host that is gone cannot hold a medium back for ever', async () => {
    const site = await makeSite(await make())
    await site.run(await plug(site))
    site.hosts.offline.add(HOST)
    expect(await site.run(await eject(site, true))).toMatchObject({ state: 'warning' })
    expect(await medium(site)).toMatchObject({ state: 'ejected' })
    // It comes back with what it still has attached.
    site.hosts.offline.delete(HOST)
    expect(site.hosts.attached.size).toBe(1)
    await site.run(reconcileMediaRequest('system'))
    expect(site.hosts.attached.size).toBe(0)
  })

  test('one that vanished is lost, and found again when it is back', async () => {
    const site = await makeSite(await make())
    await site.run(await plug(site))
    const attached = site.hosts.attached.get(MEDIUM)!
    site.hosts.attached.delete(MEDIUM)
    expect(await site.run(reconcileMediaRequest('system'))).toMatchObject({ state: 'warning' })
    expect(await medium(site)).toMatchObject({ state: 'lost' })
    site.hosts.attached.set(MEDIUM, attached)
    await site.run(reconcileMediaRequest('system'))
    expect(await medium(site)).toMatchObject({ state: 'plugged', problemJson: null })
  })
})

describe('the plan of a reconciliation', () => {
  const row = {
    id: 'm',
    protocol: 'nbd',
    nodeId: 'n',
    poolId: 'p',
    hostId: 'h',
    purpose: '',
  } as const
  const plan = (more: Partial<MediaState>) =>
    planMedia({
      rows: [],
      served: [],
      attached: [],
      pools: new Set(['p']),
      hosts: new Set(['h']),
      busy: new Set(),
      ...more,
    })
  const served = [{ mediumId: 'm', nodeId: 'n', poolId: 'p' }]
  const attached = [{ mediumId: 'm', hostId: 'h' }]

  test.each([
    ['all is well', { rows: [{ ...row, state: 'plugged' }], served, attached }, []],
    ['ended, still served', { rows: [{ ...row, state: 'ejected' }], served }, ['withdraw']],
    ['ended, still attached', { rows: [{ ...row, state: 'failed' }], attached }, ['detach']],
    ['served, but unknown here', { served, attached }, ['orphan']],
    ['nowhere any more', { rows: [{ ...row, state: 'plugged' }] }, ['lost']],
    [
      'its host did not answer',
      { rows: [{ ...row, state: 'plugged' }], hosts: new Set<string>() },
      [],
    ],
    [
      'its node did not answer',
      { rows: [{ ...row, state: 'plugged' }], pools: new Set<string>() },
      [],
    ],
    ['a job works on it', { rows: [{ ...row, state: 'plugging' }], busy: new Set(['m']) }, []],
    ['nobody finishes it', { rows: [{ ...row, state: 'plugging' }] }, ['fail']],
    ['nobody ejects it', { rows: [{ ...row, state: 'ejecting' }], served }, ['eject']],
    [
      'on another host than it should be',
      {
        rows: [{ ...row, state: 'plugged' }],
        served,
        attached: [...attached, { mediumId: 'm', hostId: 'x' }],
      },
      ['detach'],
    ],
  ] as const)('%s', (_title, state, kinds) => {
    expect(plan(state).map((action) => action.kind)).toEqual(kinds)
  })
})
