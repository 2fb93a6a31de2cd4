/** A production MariaDB becomes a virtual database of another second, and nothing stays of it. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { Session } from '@openmaas/source-mysql/session'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, ProductionServer } from '../mysql/server.test-support.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { finish, removeSource } from './finish.test-support.ts'

const MIB = 1024 ** 2
/** DATETIME and binlogs count in seconds here. */
const SECOND_MS = 1000

requires(
  {
    linux: true,
    root: true,
    paths: ['/dev/fuse', '/dev/loop-control'],
    programs: ['mariadbd', 'mariadb-backup'],
  },
  () => {
    describe('a MariaDB that is protected', () => {
      let root: string
      let production: ProductionServer
      let server: ServerProgram
      let sourceId = ''

      beforeAll(async () => {
        root = mkdtempSync('/dev/shm/openmaas-databases-')
        chmodSync(root, 0o755) // The servers' user passes through it.
        const directory = join(root, 'production')
        production = await ProductionServer.make({ product: 'mariadb', directory, programs: null })
        await run('CREATE DATABASE shop')
        await run('CREATE TABLE shop.goods (id INT PRIMARY KEY) ENGINE=InnoDB')
        server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
      })

      afterAll(async () => {
        try {
          if (sourceId !== '') await unprotect()
        } finally {
          await server?.[Symbol.asyncDispose]()
          await production?.[Symbol.asyncDispose]()
        }
        expect(findLeftovers([root])).toEqual([])
        rmSync(root, { recursive: true, force: true })
      })

      async function unprotect(): Promise<void> {
        const { api } = server
        const params = { sourceId }
        const source = await api.call('getSource', { params })
        await removeSource(api, sourceId)
        expect(findLeftovers([source.database!.mediumId!])).toEqual([])
      }

      async function run(sql: string): Promise<void> {
        await using session = await production.session()
        await session.run(sql)
      }

      async function idsOf({ host, port, user, password }: ConnectionRevealed): Promise<number[]> {
        const connection = { host, port, user, password, tls: 'off', ca: null } as const
        await using session = await Session.toProduction(connection)
        const rows = await session.rows('SELECT id FROM shop.goods ORDER BY id')
        return rows.map((row) => Number(Object.values(row)[0]))
      }

      test('gives back a second between two points, and drops it without a trace', async () => {
        const { api } = server
        const { items: hosts } = await api.call('listHosts')
        const hostId = hosts.find(({ kind }) => kind === 'agent')!.id
        const connection = {
          host: '127.0.0.1',
          port: production.port,
          user: 'openmaas',
          password: PASSWORD,
        }
        const source = await api.call('createSource', {
          body: {
            name: 'shop',
            hostId,
            kind: 'mysql',
            database: { connection, volumeBytes: 1024 * MIB },
          },
        })
        sourceId = source.id
        const params = { sourceId }
        const protect = async () => {
          const { jobId } = await api.call('protectSource', { params, body: {} })
          await finish(api, jobId)
        }
        await protect()
        await run('INSERT INTO shop.goods VALUES (1)')
        const at = Date.now() + 2 * SECOND_MS
        await waitFor('the second is over', () => Date.now() > at + 2 * SECOND_MS)
        await run('INSERT INTO shop.goods VALUES (2)')
        await protect()
        const made = await api.call('createVirtualDatabase', {
          body: { name: 'second', sourceId, at: new Date(at).toISOString(), hostId },
        })
        if (!('virtualDatabaseId' in made)) throw new Error('a job was expected')
        await finish(api, made.jobId)
        const { virtualDatabaseId } = made
        const about = { params: { virtualDatabaseId } }
        const before = await api.call('revealConnection', about)
        expect(await idsOf(before)).toEqual([1])
        const refreshed = await api.call('refreshVirtualDatabase', { ...about, body: {} })
        if (!('jobId' in refreshed)) throw new Error('a job was expected')
        await finish(api, refreshed.jobId)
        expect(await api.call('revealConnection', about)).toEqual(before)
        expect(await idsOf(before)).toEqual([1, 2])

        const { mediumId } = await api.call('getVirtualDatabase', about)
        const dropped = await api.call('dropVirtualDatabase', { ...about, body: {} })
        if (!('jobId' in dropped)) throw new Error('a job was expected')
        await finish(api, dropped.jobId)
        expect(findLeftovers([mediumId!, virtualDatabaseId])).toEqual([])
      })
    })
  },
)
