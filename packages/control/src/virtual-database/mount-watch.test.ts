/** Clones that are lost under the instances that stand on them. */
import { expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../catalog/catalog.ts'
import { mountPathOf } from '../job/kinds/database-media.ts'
import { addDatabase, addVirtualDatabase } from '../job/kinds/databases.test-support.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from '../job/kinds/site.test-support.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import { listCare } from '../schedule/database-care.ts'
import { lookAtMounts } from './mount-watch.ts'
import { FULL_CODE } from './room.ts'
import { loadVirtualDatabase } from './rows.ts'

const VDB = 'vdb_1'
const source = { id: SOURCE, hostId: HOST, poolId: POOL, labelsJson: '{}' }
const place = { sourceId: SOURCE, hostId: HOST, poolId: POOL }
const make = virtualDatabaseRequest(
  'make-virtual-database',
  { ...place, id: VDB, nodeId: NODE, labelsJson: '{}' },
  { actor: 'user:usr_1', params: { of: { moment: { kind: 'newest' } } } },
)

async function makeRunning(): Promise<{ site: KindSite; mediumId: string }> {
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await KindSite.make(catalog)
  await addDatabase(catalog, SOURCE)
  await site.run(protectDatabaseRequest(source, { actor: 'user:usr_1' }))
  await addVirtualDatabase(catalog, VDB, place)
  await site.run(make)
  return { site, mediumId: (await load(site)).mediumId! }
}
const load = ({ catalog }: KindSite) => loadVirtualDatabase(catalog.db, VDB)
const look = async (site: KindSite): Promise<void> => {
  const { catalog, hosts, clock } = site
  await Promise.all([lookAtMounts({ catalog, clock, orders: hosts }, 1), site.pass(1)])
}

test.each([
  [
    'takes no writes any more',
    (site: KindSite, id: string) => void site.hosts.databases.readOnly.add(mountPathOf(id)),
  ],
  ['is not mounted any more', (site: KindSite, id: string) => void site.hosts.attached.delete(id)],
])('one whose clone %s is lost, with the reason, and started on a new mount', async (_, lose) => {
  const { site, mediumId } = await makeRunning()
  await look(site)
  expect(await load(site)).toMatchObject({ state: 'running', problemJson: null })
  lose(site, mediumId)
  await look(site)
  const lost = await load(site)
  expect(lost).toMatchObject({ state: 'lost', mediumId })
  expect(JSON.parse(lost.problemJson!)).toMatchObject({ code: 'MEDIUM_MOUNT_LOST' })
  for (const request of await listCare(site.catalog.db, null, false)) await site.run(request)
  expect(await load(site)).toMatchObject({ state: 'running', mediumId, problemJson: null })
  expect(site.hosts.databases.readOnly.size).toBe(0)
  expect(site.hosts.attached.has(mediumId)).toBe(true)
})

test('one that is full, or that a job works on, is left to what knows better', async () => {
  const { site, mediumId } = await makeRunning()
  const { db } = site.catalog
  site.hosts.databases.readOnly.add(mountPathOf(mediumId))
  const problemJson = JSON.stringify({ code: FULL_CODE, message: '', details: { limit: 'quota' } })
  await db.updateTable('virtualDatabase').set({ problemJson }).execute()
  await look(site)
  expect(await load(site)).toMatchObject({ state: 'running', problemJson })
  await db.updateTable('virtualDatabase').set({ problemJson: null }).execute()
  site.hosts.offline.add(NODE)
  await look(site)
  expect(await load(site)).toMatchObject({ state: 'running', problemJson: null })
})
