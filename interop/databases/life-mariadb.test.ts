/** The life of virtual databases of a real MariaDB: followed, opened, moved, in production's place. */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { Session } from '@openmaas/source-mysql/session'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, ProductionServer } from '../mysql/server.test-support.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { finish, removeSource } from './finish.test-support.ts'

const MIB = 1024 ** 2
const LONG = { timeoutMs: 120_000 }
const NEEDED = { linux: true, root: true, paths: ['/dev/fuse', '/dev/loop-control'] } as const

requires({ ...NEEDED, programs: ['mariadbd', 'mariadb-backup'] }, () => {
  describe('a virtual database of MariaDB', () => {
    let root: string
    /** Of a disk: nothing is promoted to memory. */
    let disk: string
    let production: ProductionServer
    let server: ServerProgram
    let hostId: string
    let sourceId: string

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-life-')
      disk = mkdtempSync('/var/tmp/openmaas-life-')
      for (const each of [root, disk]) chmodSync(each, 0o755) // The servers' user passes through.
      const directory = join(root, 'production')
      production = await ProductionServer.make({ product: 'mariadb', directory, programs: null })
      await run('CREATE DATABASE shop')
      await run('CREATE TABLE shop.goods (id INT PRIMARY KEY) ENGINE=InnoDB')
      await run("CREATE USER app@'%' IDENTIFIED BY 'of-Old-1'")
      await run("GRANT ALL ON shop.* TO app@'%'")
      await add(1)
      server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
      const { api } = server
      const { items } = await api.call('listHosts')
      hostId = items.find(({ kind }) => kind === 'agent')!.id
      const { port } = production
      const connection = { host: '127.0.0.1', port, user: 'openmaas', password: PASSWORD }
      const database = { connection, volumeBytes: 1024 * MIB }
      const body = { name: 'shop', hostId, kind: 'mysql', database }
      sourceId = (await api.call('createSource', { body })).id
      const { jobId } = await api.call('protectSource', { params: { sourceId }, body: {} })
      await finish(api, jobId)
    })

    afterAll(async () => {
      try {
        if (sourceId !== undefined) await removeSource(server.api, sourceId)
      } finally {
        await server?.[Symbol.asyncDispose]()
        await production?.[Symbol.asyncDispose]()
      }
      expect(findLeftovers([root, disk])).toEqual([])
      for (const each of [root, disk]) rmSync(each, { recursive: true, force: true })
    })

    async function run(sql: string): Promise<void> {
      await using session = await production.session()
      await session.run(sql)
    }
    const add = (id: number) => run(`INSERT INTO shop.goods VALUES (${id})`)
    const begun = <T extends object>(answer: T): Extract<T, { readonly jobId: string }> => {
      expect(answer).toHaveProperty('jobId')
      return answer as Extract<T, { readonly jobId: string }>
    }
    const as = (user: string, password: string, port: number): DatabaseConnection => {
      return { host: '127.0.0.1', port, user, password, tls: 'off', ca: null }
    }
    async function on<T>(
      connection: DatabaseConnection,
      work: (session: Session) => Promise<T>,
    ): Promise<T> {
      await using session = await Session.toProduction(connection)
      return await work(session)
    }
    const idsOf = (connection: DatabaseConnection): Promise<number[]> =>
      on(connection, async (session) => {
        const rows = await session.rows('SELECT id FROM shop.goods ORDER BY id')
        return rows.map((row) => Number(Object.values(row)[0]))
      })
    async function drop(virtualDatabaseId: string, name: string): Promise<void> {
      const params = { virtualDatabaseId }
      const body = { confirm: name, reason: 'the test is over' }
      const dropped = await server.api.call('dropVirtualDatabase', { params, body })
      await finish(server.api, begun(dropped).jobId)
      expect(findLeftovers([virtualDatabaseId])).toEqual([])
    }

    test('follows with a user of its own, stands still, goes on, and is opened', async () => {
      const { api } = server
      const body = { name: 'live', sourceId, hostId, liveSync: true }
      const made = begun(await api.call('createVirtualDatabase', { body }))
      await finish(api, made.jobId)
      const params = { virtualDatabaseId: made.virtualDatabaseId }
      const revealed = await api.call('revealConnection', { params })
      expect(revealed).toMatchObject({ accounts: 'own', readOnly: true })
      const own = as(revealed.user, revealed.password, revealed.port)
      await add(2)
      const sees = async (id: number) => (await idsOf(own)).includes(id)
      await waitFor('the new row', () => sees(2), LONG)
      const write = (session: Session) => session.run('INSERT INTO shop.goods VALUES (99)')
      await expect(on(own, write)).rejects.toThrow('read-only')
      await finish(api, (await api.call('pauseVirtualDatabase', { params, body: {} })).jobId)
      await add(3)
      expect(await idsOf(own)).toEqual([1, 2])
      await finish(api, (await api.call('resumeVirtualDatabase', { params, body: {} })).jobId)
      await waitFor('the row since', () => sees(3), LONG)
      await finish(api, (await api.call('openVirtualDatabase', { params, body: {} })).jobId)
      await on(own, write)
      expect(await idsOf(own)).toEqual([1, 2, 3, 99])
      await drop(made.virtualDatabaseId, 'live')
    })

    test('takes the place of a production that died, and moves to a local disk', async () => {
      const { api } = server
      const { port } = production
      await add(4)
      // What production acknowledged has surely come once a point holds it.
      const { jobId } = await api.call('protectSource', { params: { sourceId }, body: {} })
      await finish(api, jobId)
      await production.stop('SIGKILL')
      const wish = { confirm: 'shop', reason: 'it is on fire', name: 'now', sourceId, hostId, port }
      const made = begun(await api.call('recoverProduction', { body: wish }))
      await finish(api, made.jobId)
      const application = as('app', 'of-Old-1', port)
      expect(await idsOf(application)).toEqual([1, 2, 3, 4])
      await on(application, (session) => session.run('INSERT INTO shop.goods VALUES (5)'))
      const params = { virtualDatabaseId: made.virtualDatabaseId }
      const target = join(disk, 'shop')
      const body = { directory: target }
      const promoted = begun(await api.call('promoteVirtualDatabase', { params, body }))
      const { result } = await finish(api, promoted.jobId)
      console.log(`moved with a pause of ${(result as { pauseMs: number }).pauseMs} ms`)
      expect(await idsOf(application)).toEqual([1, 2, 3, 4, 5])
      await drop(made.virtualDatabaseId, 'now')
      expect(existsSync(target)).toBe(false)
    })
  })
})
