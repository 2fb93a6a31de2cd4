/**
 * A real production PostgreSQL, protected and offered to data consumers with consent: one for all
 * tests of virtual databases in a browser. What takes long begins at once and is waited for later.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '@openmaas/testkit/wait-for'
import { expect } from 'vitest'
import { finish, removeSource } from '../databases/finish.test-support.ts'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import type { ConsoleSite, Visit } from './browser.test-support.ts'

const MIB = 1024 ** 2
/** Recovery of a clone on a busy machine. */
export const READY_MAX_MS = 180_000
export const LIMIT = { timeoutMs: READY_MAX_MS }

export const HAS_POSTGRES = existsSync(join(folderOf(15) ?? '/nowhere', 'postgres'))

export class Shop implements AsyncDisposable {
  readonly #site: ConsoleSite
  readonly production: Production
  /** Another instance, for a group: two databases of one instance are of one moment anyway. */
  readonly #stock: Production
  /** Of a disk: nothing is promoted to memory. */
  readonly #disk: string
  #hostId = ''
  #isDown = false
  sourceId = ''
  /** Of two databases that nobody reaches. */
  groupId = ''
  /** The first copy of the other instance. */
  stockJobId = ''
  /** Of a database that follows production. */
  live = { jobId: '', virtualDatabaseId: '' }

  private constructor(site: ConsoleSite, production: Production, stock: Production) {
    this.#site = site
    this.production = production
    this.#stock = stock
    this.#disk = mkdtempSync('/var/tmp/openmaas-console-')
    chmodSync(this.#disk, 0o755)
  }

  static async start(site: ConsoleSite): Promise<Shop> {
    // The user of the servers passes through it.
    chmodSync(site.directory.path, 0o755)
    const [production, stock] = await Promise.all(
      ['production', 'stock'].map((name) =>
        Production.make(site.directory.join(name), { major: 15 }),
      ),
    )
    await production!.sql('create table goods (row int primary key); insert into goods values (1)')
    return new Shop(site, production!, stock!)
  }

  directory(name: string): string {
    return join(this.#disk, name)
  }

  async protect(): Promise<void> {
    const { api } = this.#site.server
    const { items } = await api.call('listHosts')
    this.#hostId = items.find(({ kind }) => kind === 'agent')!.id
    const { port } = this.production
    this.sourceId = await this.#add('shop', port)
    await finish(api, await this.#protect(this.sourceId))
    // A port where nobody listens: members that are never captured.
    const sourceIds = [await this.#add('bills', 1), await this.#add('debts', 1)]
    this.groupId = (await api.call('createGroup', { body: { name: 'till', sourceIds } })).id
  }

  /** What later tests need, and the first must not find: it begins with an empty list. */
  async beginOthers(): Promise<void> {
    const { api } = this.#site.server
    this.stockJobId = await this.#protect(await this.#add('stock', this.#stock.port))
    const body = { sourceId: this.sourceId, hostId: this.#hostId, name: 'shop-live' }
    const answer = await api.call('createVirtualDatabase', { body: { ...body, liveSync: true } })
    if (!('jobId' in answer)) throw new Error('it is no dry run')
    this.live = answer
  }

  async #add(name: string, port: number): Promise<string> {
    const connection = { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
    const selfService = name === 'stock' ? 'off' : 'approval'
    const database = { connection, volumeBytes: 1024 * MIB, selfService } as const
    const body = { name, hostId: this.#hostId, kind: 'postgres', database } as const
    return (await this.#site.server.api.call('createSource', { body })).id
  }

  async #protect(sourceId: string): Promise<string> {
    const { api } = this.#site.server
    return (await api.call('protectSource', { params: { sourceId }, body: {} })).jobId
  }

  /** Until all is cleared away. */
  async takeDown(): Promise<void> {
    this.#isDown = true
    await this.production.stop()
  }

  /** Nothing of it stays on the machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { api } = this.#site.server
    try {
      await this.#dropAll()
      if (this.#isDown) await this.production.start()
      const { items: groups } = await api.call('listGroups')
      for (const { id: groupId, name } of groups) {
        await api.call('deleteGroup', { params: { groupId }, body: consentTo(name) })
      }
      const { items: sources } = await api.call('listSources', { query: { limit: 100 } })
      const databases = sources.filter(({ kind }) => kind === 'postgres')
      await Promise.all(databases.map(({ id }) => removeSource(api, id)))
    } finally {
      await Promise.all([this.production.stop(), this.#stock.stop()])
      rmSync(this.#disk, { recursive: true, force: true })
    }
  }

  async #dropAll(): Promise<void> {
    const { api } = this.#site.server
    const active = { query: { 'filter[active]': 'true', limit: 100 } } as const
    const { items } = await api.call('listVirtualDatabases', active)
    const drop = async ({ id, name }: (typeof items)[number]): Promise<void> => {
      const params = { virtualDatabaseId: id }
      const answer = await api.call('dropVirtualDatabase', { params, body: consentTo(name) })
      if ('jobId' in answer) await finish(api, answer.jobId)
    }
    await Promise.all(items.map((one) => drop(one)))
  }
}

const consentTo = (confirm: string) => ({ confirm, reason: 'the test is over' })

/** Its page says so by itself. */
export async function runs(visit: Visit): Promise<void> {
  const state = visit.page.locator('h1 ~ [data-state=running], h1 ~ [data-state=failed]')
  await state.waitFor({ timeout: READY_MAX_MS })
  expect(await state.getAttribute('data-state')).toBe('running')
}

/** As the API shows it; the page may be elsewhere. */
export async function running(site: ConsoleSite, name: string): Promise<string> {
  const look = async (): Promise<string | false> => {
    const query = { 'filter[name]': name, 'filter[active]': 'true' } as const
    const { items } = await site.server.api.call('listVirtualDatabases', { query })
    const found = items[0]
    if (found?.state === 'failed') throw new Error(JSON.stringify(found.problem))
    return found?.state === 'running' && found.id
  }
  return waitFor(`${name} runs`, look, LIMIT)
}
