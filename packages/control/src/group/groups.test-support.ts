/** Two databases on the hosts of job/kinds/site.test-support.ts, and a group of them. */
import type { Catalog } from '../catalog/catalog.ts'
import { addDatabase } from '../job/kinds/databases.test-support.ts'
import { addSource } from '../job/kinds/hosts.test-support.ts'
import { HOST, KindSite, SOURCE } from '../job/kinds/site.test-support.ts'

export const OTHER = 'src_2'
export const GROUP = 'grp_1'

export async function makeGroupSite(catalog: Catalog): Promise<KindSite> {
  const site = await KindSite.make(catalog)
  await addSource(catalog, OTHER, HOST, { env: 'prod' })
  for (const id of [SOURCE, OTHER]) {
    await addDatabase(catalog, id)
    site.hosts.databases.clocks.set(id, { offsetMs: 3, errorMs: 1 })
  }
  return site
}

export async function addGroup(
  catalog: Catalog,
  more: { readonly policyId?: string } = {},
): Promise<void> {
  const { policyId = null } = more
  await catalog.db
    .insertInto('consistencyGroup')
    .values({
      id: GROUP,
      name: 'shop',
      policyId,
      clockLimitMs: 1000,
      labelsJson: '{"env":"prod"}',
      nextRunAt: null,
      lastDueAt: null,
      lastJobId: null,
      problemJson: null,
      createdBy: 'user:usr_1',
      createdAt: catalog.clock.wallMs(),
      version: 1,
    })
    .execute()
  const members = [SOURCE, OTHER].map((sourceId) => ({ groupId: GROUP, sourceId }))
  await catalog.db.insertInto('groupMember').values(members).execute()
  if (policyId === null) return
  await catalog.db.updateTable('source').set({ policyId }).execute()
}
