/**
 * An application whose data is in a PostgreSQL and a MariaDB: as a group, both are recovered at
 * one moment, which is checked against the application's own log. Decision 0016.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { GroupPoint } from '@openmaas/api/resources/group'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, ProductionServer } from '../mysql/server.test-support.ts'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { finish, removeSource } from './finish.test-support.ts'
import { countNumbers, Writer } from './groups.test-support.ts'

const MIB = 1024 ** 2
/** Two seeds and two points, on a machine that is busy. */
const RUN_MS = 240_000
const postgresPrograms = folderOf(15) ?? '/usr/lib/postgresql/15/bin'
const NEEDED = {
  linux: true,
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control', join(postgresPrograms, 'postgres')],
  programs: ['mariadbd', 'mariadb-backup'],
} as const

requires(NEEDED, () => {
  describe('a consistency group of PostgreSQL and MariaDB', () => {
    let root: string
    let postgres: Production
    let mariadb: ProductionServer
    let server: ServerProgram
    let writer: Writer
    let hostId: string
    let groupId: string
    const sourceIds: string[] = []
    const made: string[] = []

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-groups-')
      chmodSync(root, 0o755) // The servers' users pass through it.
      const at = (name: string) => join(root, name)
      ;[postgres, mariadb, server] = await Promise.all([
        Production.make(at('postgres'), { major: 15 }),
        ProductionServer.make({ product: 'mariadb', directory: at('mariadb'), programs: null }),
        ServerProgram.start({ data: at('data'), flags: ['--http'] }),
      ])
      await postgres.sql('create table numbers (number int primary key)')
      await runMariadb('CREATE DATABASE app')
      await runMariadb('CREATE TABLE app.numbers (number INT PRIMARY KEY) ENGINE=InnoDB')
      const { items } = await server.api.call('listHosts')
      hostId = items.find(({ kind }) => kind === 'agent')!.id
      writer = new Writer(postgres, mariadb)
    })

    afterAll(async () => {
      try {
        await writer?.stop()
        for (const id of made) await drop(id)
        await unprotect()
      } finally {
        await server?.[Symbol.asyncDispose]()
        await postgres?.stop()
        await mariadb?.[Symbol.asyncDispose]()
      }
      expect(findLeftovers([root])).toEqual([])
      rmSync(root, { recursive: true, force: true })
    })

    async function runMariadb(sql: string): Promise<void> {
      await using session = await mariadb.session()
      await session.run(sql)
    }

    async function unprotect(): Promise<void> {
      if (groupId === undefined) return
      const reason = 'the test is over'
      const params = { groupId }
      await server.api.call('deleteGroup', { params, body: { confirm: 'app', reason } })
      for (const sourceId of sourceIds) await removeSource(server.api, sourceId)
    }

    async function drop(virtualDatabaseId: string): Promise<void> {
      const params = { virtualDatabaseId }
      const dropped = await server.api.call('dropVirtualDatabase', { params, body: {} })
      if ('jobId' in dropped) await finish(server.api, dropped.jobId)
    }

    async function addSource(
      name: string,
      kind: 'postgres' | 'mysql',
      [port, password]: readonly [number, string],
    ): Promise<void> {
      const connection = { host: '127.0.0.1', port, user: 'openmaas', password }
      const database = { connection, volumeBytes: 1024 * MIB }
      const body = { name, hostId, kind, database }
      sourceIds.push((await server.api.call('createSource', { body })).id)
    }

    const begin = async (): Promise<string> => {
      const params = { groupId }
      return (await server.api.call('protectGroup', { params, body: {} })).jobId
    }
    /** A warning says that this machine was too busy to measure its clocks well. */
    const finishRun = async (jobId: string): Promise<void> => {
      const look = async () => {
        const job = await server.api.call('getJob', { params: { jobId } })
        return job.endedAt !== null && job
      }
      const { state, problem } = await waitFor('the run has ended', look, { timeoutMs: RUN_MS })
      if (state === 'failed' || state === 'cancelled') throw new Error(JSON.stringify(problem))
    }
    const points = async (): Promise<GroupPoint[]> => {
      const { items } = await server.api.call('listGroupPoints', { params: { groupId } })
      return items
    }

    /** A pair at the moment, checked against what the writer knows of it. @returns the moment */
    async function recover(name: string, of: { groupPointId?: string; at?: string }) {
      const answer = await server.api.call('createGroupDatabases', {
        params: { groupId },
        body: { name, hostId, ...of },
      })
      if (!('jobId' in answer)) throw new Error('a job was expected')
      await finish(server.api, answer.jobId)
      const counts: number[] = []
      for (const sourceId of sourceIds) {
        const each = answer.virtualDatabases.find((one) => one.sourceId === sourceId)!
        made.push(each.virtualDatabaseId)
        const params = { virtualDatabaseId: each.virtualDatabaseId }
        const connection: ConnectionRevealed = await server.api.call('revealConnection', { params })
        counts.push(await countNumbers(connection))
      }
      const atMs = Date.parse(answer.at)
      const [a, b] = counts as [number, number]
      const known = { atMs, a, b, ofA: writer.expected('a', atMs), ofB: writer.expected('b', atMs) }
      // The promise: never B without A, and A is ahead by the one number that it is at.
      expect(a - b, JSON.stringify(known)).toBeGreaterThanOrEqual(0)
      expect(a - b, JSON.stringify(known)).toBeLessThanOrEqual(1)
      for (const [count, { least, most }] of [[a, known.ofA] as const, [b, known.ofB] as const]) {
        expect(count, JSON.stringify(known)).toBeGreaterThanOrEqual(least)
        expect(count, JSON.stringify(known)).toBeLessThanOrEqual(most)
      }
      expect(a, 'there is something to compare').toBeGreaterThan(0)
      return atMs
    }

    test('is made of two databases, and takes a point of both at one moment', async () => {
      await addSource('orders', 'postgres', [postgres.port, 'let me in'])
      await addSource('billing', 'mysql', [mariadb.port, PASSWORD])
      const group = await server.api.call('createGroup', { body: { name: 'app', sourceIds } })
      groupId = group.id
      await finishRun(await begin())
      const [point] = await points()
      expect(point).toMatchObject({ groupId, at: expect.stringMatching(/:\d\d\.000Z$/) })
      expect(point!.members.map(({ sourceId }) => sourceId).toSorted()).toEqual(
        sourceIds.toSorted(),
      )
      // One machine has one clock: what is measured is the way to ask for it.
      expect(point!.clockSpreadMs).toBeGreaterThanOrEqual(0)
    })

    test('finishes a run in the middle of which the server is killed', async () => {
      const jobId = await begin()
      await waitFor('the members are being protected', async () => {
        const { phase } = await server.api.call('getJob', { params: { jobId } })
        return phase === 'protect'
      })
      await server.kill()
      await server.begin()
      await finishRun(jobId)
      const [newest, first, ...more] = await points()
      expect(more).toEqual([])
      expect(Date.parse(newest!.at)).toBeGreaterThan(Date.parse(first!.at))
      expect(await recover('newest', {})).toBe(Date.parse(newest!.at))
    })

    test('is recovered at any second between its points, and after the newest', async () => {
      const [newest, first] = await points()
      const middle = (Date.parse(newest!.at) + Date.parse(first!.at)) / 2
      await recover('between', { at: new Date(middle).toISOString() })
      await recover('now', { at: new Date().toISOString() })
    })

    test('has no point of a run in which a member fails, which it says in words', async () => {
      const before = await points()
      await runMariadb("ALTER USER openmaas@'%' IDENTIFIED BY 'another'")
      await expect(finishRun(await begin())).rejects.toThrow(/GROUP_MEMBER_FAILED/)
      await runMariadb(
        `ALTER USER openmaas@'%' IDENTIFIED BY '${PASSWORD.replaceAll(/['\\]/g, String.raw`\$&`)}'`,
      )
      expect(await points()).toEqual(before)
      const { problem } = await server.api.call('getGroup', { params: { groupId } })
      expect(problem?.message).toMatch(/^no group point: billing: /)
      // The other one has its own.
      const query = { 'filter[sourceId]': sourceIds[0]! }
      const { items } = await server.api.call('listPoints', { query })
      expect(Date.parse(items[0]!.takenAt)).toBeGreaterThan(Date.parse(before[0]!.at))
    })

    test('makes no virtual database when one of them cannot be made', async () => {
      const answer = await server.api.call('createGroupDatabases', {
        params: { groupId },
        body: {
          name: 'refused',
          hostId,
          members: [{ sourceId: sourceIds[1]!, port: mariadb.port }],
        },
      })
      if (!('jobId' in answer)) throw new Error('a job was expected')
      await expect(finish(server.api, answer.jobId)).rejects.toThrow(
        /refused-billing.*in use|taken/,
      )
      for (const { virtualDatabaseId } of answer.virtualDatabases) {
        const params = { virtualDatabaseId }
        const { state } = await server.api.call('getVirtualDatabase', { params })
        expect(state).toMatch(/^(?:dropped|failed)$/)
        expect(findLeftovers([virtualDatabaseId])).toEqual([])
      }
    })
  })
})
