/** Pools that are made and adopted over the API: what comes back, what is kept, what is refused. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { systemRandom } from '@openmaas/kernel/random'
import { SettingsStore } from '../auth/settings-store.ts'
import { registerHandlers } from '../http/handler.ts'
import { makeHandlers, makeJobControl, SERVER_KEY } from '../http/handlers.test-support.ts'
import { readWholeCatalog, ScriptedHosts } from '../http/orders.test-support.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { addHost } from '../job/kinds/hosts.test-support.ts'
import { makePoolMakingHandlers } from './making.ts'

const PASSPHRASE = 'correct-horse-battery-staple'
const POOL = 'pol_01KD0000000000000000000000'

let site: TestServer
let hosts: ScriptedHosts
let node: string
let agent: string

beforeEach(async () => {
  hosts = new ScriptedHosts()
  site = await makeTestServer((parts) => {
    const settings = new SettingsStore(parts.catalog, parts.clock, SERVER_KEY)
    const context = { ...parts, random: systemRandom, settings, jobs: makeJobControl(parts) }
    return registerHandlers(
      makeHandlers(parts),
      makePoolMakingHandlers({ ...context, orders: hosts }),
    )
  })
  node = site.id('host')
  agent = site.id('host')
  await addHost(site.catalog, node, 'node')
  await addHost(site.catalog, agent, 'agent')
  hosts.answers['pool.create'] = () => ({ poolId: POOL, passphrase: PASSPHRASE })
  hosts.answers['pool.adopt'] = () => ({ poolId: POOL })
})
afterEach(() => site[Symbol.asyncDispose]())

async function post(path: string, payload: object, headers: Record<string, string> = {}) {
  const { statusCode, body } = await site.server.app.inject({
    method: 'POST',
    url: `/api/v1/pools${path}`,
    headers: { 'x-test-as': 'admin', ...headers },
    payload,
  })
  return { status: statusCode, body: JSON.parse(body) as Record<string, unknown> }
}
const create = (more: object = {}, headers: Record<string, string> = {}) =>
  post('', { name: 'main', nodeId: node, bricks: ['/disk1/pool'], ...more }, headers)
const adopt = (more: object = {}) =>
  post('/adopt', {
    name: 'old',
    nodeId: node,
    path: '/disk1/pool',
    passphrase: PASSPHRASE,
    ...more,
  })
const listPools = () => site.catalog.db.selectFrom('pool').selectAll().execute()

describe('a pool that is made', () => {
  test('shows its passphrase in the answer, and nowhere else ever', async () => {
    const key = { 'idempotency-key': 'once-and-for-all' }
    const { status, body } = await create({ labels: { tier: 'fast' } }, key)
    expect(status).toBe(201)
    expect(body).toMatchObject({
      passphrase: PASSPHRASE,
      pool: { id: POOL, name: 'main', nodeId: node, path: '/disk1/pool', labels: { tier: 'fast' } },
    })
    expect(await readWholeCatalog(site.catalog)).not.toContain(PASSPHRASE)
    // Whoever asks again with the same key hears that it was done, and not the secret.
    const again = await create({ labels: { tier: 'fast' } }, key)
    expect(again).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_SPENT' } })
    expect(JSON.stringify(again.body)).not.toContain(PASSPHRASE)
    expect(hosts.asked.map(({ verb }) => verb)).toEqual(['pool.create'])
    const audit = await site.catalog.db.selectFrom('audit').selectAll().execute()
    expect(audit.map(({ action, object }) => [action, object])).toContainEqual(['createPool', POOL])
  })

  test('is not begun under a name that is taken, or on a host that is no node', async () => {
    await create()
    const taken = await create({ bricks: ['/disk2/pool'] })
    expect(taken).toMatchObject({ status: 409, body: { code: 'NAME_TAKEN' } })
    expect(await adopt({ name: 'main' })).toMatchObject({ body: { code: 'NAME_TAKEN' } })
    const misplaced = await create({ name: 'other', nodeId: agent })
    expect(misplaced).toMatchObject({ status: 422, body: { code: 'REQUEST_INVALID' } })
    expect(hosts.asked).toHaveLength(1)
    expect(await listPools()).toHaveLength(1)
  })

  test('is not entered when the node refuses: a directory that is not empty, a node away', async () => {
    hosts.answers['pool.create'] = () => {
      throw new MaasError('FS_EXISTS', '/disk1/pool is not empty', { path: '/disk1/pool' })
    }
    const full = await create()
    expect(full.body).toMatchObject({ code: 'FS_EXISTS', detail: '/disk1/pool is not empty' })
    delete hosts.answers['pool.create']
    expect(await create()).toMatchObject({ status: 503, body: { code: 'HOST_OFFLINE' } })
    expect(await listPools()).toEqual([])
    // The name is free for another try.
    hosts.answers['pool.create'] = () => ({ poolId: POOL, passphrase: PASSPHRASE })
    expect(await create()).toMatchObject({ status: 201 })
  })

  test('takes name and labels even when the node has told of it before', async () => {
    await site.catalog.db
      .insertInto('pool')
      .values({
        id: POOL,
        name: 'pool-01KD',
        nodeId: node,
        path: '/disk1/pool',
        labelsJson: '{}',
        state: 'online',
        statsJson: '{}',
        seenAt: 1,
        createdAt: 1,
        version: 1,
      })
      .execute()
    expect(await create({ labels: { tier: 'fast' } })).toMatchObject({ status: 201 })
    const [row, ...more] = await listPools()
    expect(row).toMatchObject({ id: POOL, name: 'main', labelsJson: '{"tier":"fast"}' })
    expect(more).toEqual([])
  })

  test('bears labels of the scope of who makes it', async () => {
    const scope = { tenant: 'red' }
    site.callers.set('red', { actor: 'user:usr_red', roles: ['admin'], scope })
    await site.catalog.db
      .updateTable('host')
      .set({ labelsJson: '{"tenant":"red"}' })
      .where('id', '=', node)
      .execute()
    const outside = await create({ labels: {} }, { 'x-test-as': 'red' })
    expect(outside.status).toBeGreaterThanOrEqual(400)
    expect(hosts.asked).toEqual([])
  })
})

describe('a pool that is adopted', () => {
  test('is entered without its passphrase', async () => {
    const { status, body } = await adopt()
    expect([status, body['passphrase']]).toEqual([201, null])
    expect(hosts.asked).toMatchObject([
      { hostId: node, verb: 'pool.adopt', params: { passphrase: PASSPHRASE } },
    ])
    expect(await readWholeCatalog(site.catalog)).not.toContain(PASSPHRASE)
  })

  test('is not entered with a wrong passphrase, and nobody reads which one was tried', async () => {
    hosts.answers['pool.adopt'] = () => {
      throw new MaasError('POOL_PASSPHRASE_WRONG', 'the passphrase does not open the pool')
    }
    const { status, body } = await adopt()
    expect(status).toBeGreaterThanOrEqual(400)
    expect(body).toMatchObject({ code: 'POOL_PASSPHRASE_WRONG' })
    expect(JSON.stringify(body)).not.toContain(PASSPHRASE)
    expect(await listPools()).toEqual([])
    expect(await readWholeCatalog(site.catalog)).not.toContain(PASSPHRASE)
  })
})
