/**
 * The life of virtual databases of a real PostgreSQL: one follows production and is opened, one
 * moves to a local directory while it is written to and the server is killed, and one takes the
 * place of a production that died.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { type Queries, withConnection } from '@openmaas/source-postgres/connection'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { finish, removeSource } from './finish.test-support.ts'

const MIB = 1024 ** 2
const NEEDED = { linux: true, root: true, paths: ['/dev/fuse', '/dev/loop-control'] } as const
const programs = folderOf(15) ?? '/usr/lib/postgresql/15/bin'
const LONG = { timeoutMs: 120_000 }

/** Writes one row after the other, and knows which were acknowledged. */
class Writer {
  readonly acknowledged: number[] = []
  readonly #connection: DatabaseConnection
  #stopped = false
  #next: number
  /** The longest time between two commits, in milliseconds. */
  pauseMs = 0
  readonly #running: Promise<void>

  constructor(connection: DatabaseConnection, first: number) {
    this.#connection = connection
    this.#next = first
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    let lastMs = performance.now()
    while (!this.#stopped) {
      try {
        await withConnection(this.#connection, async (queries) => {
          while (!this.#stopped) {
            const row = this.#next
            this.#next += 1
            await queries.value('insert into load (row) values ($1)', [row])
            this.acknowledged.push(row)
            this.pauseMs = Math.max(this.pauseMs, performance.now() - lastMs)
            lastMs = performance.now()
          }
        })
      } catch {
        await delay(5) // It is being moved.
      }
    }
  }

  async stop(): Promise<number[]> {
    this.#stopped = true
    await this.#running
    return this.acknowledged
  }
}

requires({ ...NEEDED, paths: [...NEEDED.paths, join(programs, 'postgres')] }, () => {
  describe('a virtual database of PostgreSQL', () => {
    let root: string
    /** Of a disk: nothing is promoted to memory. */
    let disk: string
    let production: Production
    let server: ServerProgram
    let hostId: string
    let sourceId: string
    let row = 0

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-life-')
      disk = mkdtempSync('/var/tmp/openmaas-life-')
      for (const each of [root, disk]) chmodSync(each, 0o755) // The servers' user passes through.
      production = await Production.make(join(root, 'production'), { major: 15 })
      await production.sql(`
        create table load (row int primary key);
        create table filling (id int primary key, text text);
        insert into filling select i, repeat(md5(i::text), 20) from generate_series(1, 20000) i;
        create role app login superuser password 'of old';
        create role reader login password 'reads'; grant pg_read_all_data to reader`)
      server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
      const { items } = await server.api.call('listHosts')
      hostId = items.find(({ kind }) => kind === 'agent')!.id
      const { port } = production
      const connection = { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
      const database = { connection, volumeBytes: 1024 * MIB }
      const body = { name: 'shop', hostId, kind: 'postgres', database } as const
      sourceId = (await server.api.call('createSource', { body })).id
      await commit(3)
      const params = { sourceId }
      const { jobId } = await server.api.call('protectSource', { params, body: {} })
      await finish(server.api, jobId)
    })

    afterAll(async () => {
      try {
        const query = { 'filter[active]': 'true' } as const
        const { items } = (await server?.api.call('listVirtualDatabases', { query })) ?? {
          items: [],
        }
        for (const { id, name } of items) await drop(id, name)
        if (sourceId !== undefined) {
          // It lets go of its slot only when it answers.
          await production.start()
          await removeSource(server.api, sourceId)
        }
      } finally {
        await server?.[Symbol.asyncDispose]()
        await production?.stop()
      }
      expect(findLeftovers([root, disk])).toEqual([])
      for (const each of [root, disk]) rmSync(each, { recursive: true, force: true })
    })

    async function commit(count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) {
        row += 1
        await production.sql(`insert into load values (${row})`)
      }
    }

    async function drop(virtualDatabaseId: string, name: string, keepData = false): Promise<void> {
      const params = { virtualDatabaseId }
      const body = { confirm: name, reason: 'the test is over', keepData }
      const dropped = await server.api.call('dropVirtualDatabase', { params, body })
      await finish(server.api, begun(dropped).jobId)
    }

    const begun = <T extends object>(answer: T): Extract<T, { readonly jobId: string }> => {
      expect(answer).toHaveProperty('jobId')
      return answer as Extract<T, { readonly jobId: string }>
    }
    const load = (virtualDatabaseId: string) =>
      server.api.call('getVirtualDatabase', { params: { virtualDatabaseId } })
    const as = (user: string, password: string, port: number): DatabaseConnection => ({
      host: '127.0.0.1',
      port,
      user,
      password,
      tls: 'off',
      ca: null,
    })
    const ownerOf = async (virtualDatabaseId: string): Promise<DatabaseConnection> => {
      const params = { virtualDatabaseId }
      const { user, password, port } = await server.api.call('revealConnection', { params })
      return as(user, password, port)
    }
    const rowsOf = (connection: DatabaseConnection): Promise<number[]> =>
      withConnection(connection, async (queries) => {
        const rows = await queries.rows('select row from load order by row')
        return rows.map((each) => Number(each['row']))
      })
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

    test('follows production, read-only, pauses, goes on, and is opened', async () => {
      const { api } = server
      const body = { name: 'live', sourceId, hostId, liveSync: true }
      const made = begun(await api.call('createVirtualDatabase', { body }))
      await finish(api, made.jobId)
      const { virtualDatabaseId } = made
      const params = { virtualDatabaseId }
      const shown = await load(virtualDatabaseId)
      expect(shown).toMatchObject({ liveSync: true, accounts: 'production', state: 'running' })
      const { user, password } = await api.call('revealConnection', { params })
      expect([user, password]).toEqual(['', ''])
      const reader = as('reader', 'reads', shown.port!)
      await commit(2)
      const sees = async (count: number) => (await rowsOf(reader)).length === count
      await waitFor('the new rows', () => sees(row), LONG)
      const write = (queries: Queries) => queries.value('insert into load values (0)')
      await expect(withConnection(reader, write)).rejects.toThrow(/read-only|permission/)
      // Whoever could leave the database by it does not come in.
      await expect(rowsOf(as('app', 'of old', shown.port!))).rejects.toThrow(/pg_hba|reject/)
      await waitFor(
        'its lag is known',
        async () => {
          const { sync } = await load(virtualDatabaseId)
          return sync?.state === 'following' && sync.lagMs !== null
        },
        LONG,
      )

      await finish(api, (await api.call('pauseVirtualDatabase', { params, body: {} })).jobId)
      const before = row
      await commit(2)
      expect((await load(virtualDatabaseId)).sync).toMatchObject({ state: 'paused' })
      await delay(300)
      expect(await rowsOf(reader)).toEqual(upTo(before))
      await finish(api, (await api.call('resumeVirtualDatabase', { params, body: {} })).jobId)
      await waitFor('the rows since', () => sees(row), LONG)

      await finish(api, (await api.call('openVirtualDatabase', { params, body: {} })).jobId)
      const own = await ownerOf(virtualDatabaseId)
      expect(own.port).toBe(shown.port)
      await withConnection(own, (queries) => queries.value('insert into load values (1000)'))
      expect(await rowsOf(own)).toEqual([...upTo(row), 1000])
      const slots = "select count(*)::int from pg_replication_slots where slot_name like '%vdb%'"
      expect(await production.sql(slots)).toBe(0)
      await drop(virtualDatabaseId, 'live')
    })

    test('moves to a local directory while it is written to, and the server is killed', async () => {
      const { api } = server
      const body = { name: 'for good', sourceId, hostId }
      const made = begun(await api.call('createVirtualDatabase', { body }))
      await finish(api, made.jobId)
      const { virtualDatabaseId } = made
      const params = { virtualDatabaseId }
      const own = await ownerOf(virtualDatabaseId)
      const before = (await rowsOf(own)).length
      const promote = (directory: string, more: object = {}) =>
        api.call('promoteVirtualDatabase', { params, body: { directory, ...more } })

      // What is somebody's is not taken, and the instance goes on as it was.
      mkdirSync(join(disk, 'taken'))
      writeFileSync(join(disk, 'taken/letter'), 'mine')
      const refused = begun(await promote(join(disk, 'taken')))
      await expect(finish(api, refused.jobId)).rejects.toThrow('DIRECTORY_UNFIT')
      expect(await load(virtualDatabaseId)).toMatchObject({ state: 'running', directory: null })

      const writer = new Writer(own, 10_000)
      // Cancelled before it has moved, nothing of the copy is left.
      const target = join(disk, 'permanent')
      const slow = begun(await promote(target, { bytesPerSecond: MIB }))
      await waitFor('it copies', () => existsSync(join(target, 'data')), LONG)
      await api.call('cancelJob', { params: { jobId: slow.jobId } })
      await expect(finish(api, slow.jobId)).rejects.toThrow('cancelled')
      expect(existsSync(target)).toBe(false)
      expect((await load(virtualDatabaseId)).state).toBe('running')

      const { jobId } = begun(await promote(target, { bytesPerSecond: 20 * MIB }))
      await waitFor('it copies again', () => existsSync(join(target, 'data')), LONG)
      await server.kill()
      await server.begin()
      const job = await finish(api, jobId)
      await waitFor('it writes on', () => writer.acknowledged.length > 50, LONG)
      const since = writer.acknowledged.length
      await waitFor('it writes there', () => writer.acknowledged.length > since + 20, LONG)
      const acknowledged = await writer.stop()
      const { pauseMs } = job.result as { pauseMs: number }
      console.log(`promoted: ${pauseMs} ms, ${Math.round(writer.pauseMs)} ms as the writer felt it`)
      expect(await load(virtualDatabaseId)).toMatchObject({
        directory: target,
        state: 'running',
        mediumId: null,
        port: own.port,
      })
      const there = new Set(await rowsOf(own))
      expect(acknowledged.filter((each) => !there.has(each))).toEqual([])
      expect(there.size).toBeGreaterThanOrEqual(before + acknowledged.length)

      // It starts from there again, and goes with its directory when its name is typed.
      await finish(api, (await api.call('stopVirtualDatabase', { params, body: {} })).jobId)
      await finish(api, (await api.call('startVirtualDatabase', { params, body: {} })).jobId)
      expect(new Set(await rowsOf(own))).toEqual(there)
      const unasked = api.call('dropVirtualDatabase', { params, body: {} })
      await expect(unasked).rejects.toMatchObject({ code: 'CONSENT_MISSING' })
      await drop(virtualDatabaseId, 'for good')
      expect(existsSync(target)).toBe(false)
      expect(findLeftovers([virtualDatabaseId])).toEqual([])
    })

    test('takes the place of a production that died, and moves back to a local disk', async () => {
      const { api } = server
      const { port } = production
      const wish = {
        confirm: 'shop',
        reason: 'it is on fire',
        name: 'shop now',
        sourceId,
        hostId,
        port,
      }
      // As long as production answers, nobody stands in its place.
      const early = api.call('recoverProduction', { body: wish })
      await expect(early).rejects.toThrow(/production answers at .*: stop it first/)

      const application = as('app', 'of old', port)
      const writer = new Writer(application, 100_000)
      await waitFor('it writes', () => writer.acknowledged.length > 100, LONG)
      const status =
        'select pg_current_wal_flush_lsn() = flush_lsn from pg_stat_replication limit 1'
      await writer.stop()
      await waitFor('the standby has it all', () => production.sql(status), LONG)
      await production.kill()

      const begunAt = performance.now()
      const made = begun(await api.call('recoverProduction', { body: wish }))
      const again = new Writer(application, 200_000)
      await finish(api, made.jobId)
      await waitFor('the application is back', () => again.acknowledged.length > 0, LONG)
      const backMs = Math.round(performance.now() - begunAt)
      const params = { virtualDatabaseId: made.virtualDatabaseId }
      expect(await load(made.virtualDatabaseId)).toMatchObject({
        mode: 'production',
        accounts: 'production',
        leaseUntil: null,
        port,
      })
      const target = join(disk, 'shop')
      const body = { directory: target }
      const promoted = begun(await api.call('promoteVirtualDatabase', { params, body }))
      const job = await finish(api, promoted.jobId)
      const since = again.acknowledged.length
      await waitFor('it writes on', () => again.acknowledged.length > since + 20, LONG)
      const acknowledged = [...writer.acknowledged, ...(await again.stop())]
      const { pauseMs } = job.result as { pauseMs: number }
      console.log(`production: back after ${backMs} ms; moved back with a pause of ${pauseMs} ms`)
      const rows = new Set(await rowsOf(application))
      expect(acknowledged.filter((each) => !rows.has(each))).toEqual([])
      expect(upTo(row).filter((each) => !rows.has(each))).toEqual([])
      const setting = (queries: Queries) => queries.value('show track_commit_timestamp')
      expect(await withConnection(application, setting)).toBe('on')
      // Kept, it can be started by whoever runs it from now on.
      await drop(made.virtualDatabaseId, 'shop now', true)
      expect(existsSync(join(target, 'data/PG_VERSION'))).toBe(true)
    })
  })
})
