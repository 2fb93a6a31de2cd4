/** A production PostgreSQL, from its first protection to a virtual database that left no trace. */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { withConnection } from '@openmaas/source-postgres/connection'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import { OPENMAAS } from '../support/command-line.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { run } from '../support/program.ts'
import { finish, removeSource } from './finish.test-support.ts'

const MIB = 1024 ** 2
/** Programs and tools of the system; in memory, since the order of writes is what is tested. */
const NEEDED = { linux: true, root: true, paths: ['/dev/fuse', '/dev/loop-control'] } as const
const programs = folderOf(15) ?? '/usr/lib/postgresql/15/bin'

requires({ ...NEEDED, paths: [...NEEDED.paths, join(programs, 'postgres')] }, () => {
  describe('a PostgreSQL that is protected', () => {
    let root: string
    let production: Production
    let server: ServerProgram
    let hostId: string
    let sourceId: string

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-databases-')
      chmodSync(root, 0o755) // The servers' user passes through it.
      production = await Production.make(join(root, 'production'), { major: 15 })
      await production.sql('create table load (row int primary key, at timestamptz default now())')
      server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
      const { items } = await server.api.call('listHosts')
      hostId = items.find(({ kind }) => kind === 'agent')!.id
    })

    afterAll(async () => {
      try {
        await unprotect()
      } finally {
        await server?.[Symbol.asyncDispose]()
        await production?.stop()
      }
      expect(findLeftovers([root])).toEqual([])
      rmSync(root, { recursive: true, force: true })
    })

    /** Production keeps nothing for us: no slot. */
    async function unprotect(): Promise<void> {
      if (sourceId === undefined) return
      const source = await server.api.call('getSource', { params: { sourceId } })
      const mediumId = source.database!.mediumId!
      await removeSource(server.api, sourceId)
      expect(await production.sql('select count(*)::int from pg_replication_slots')).toBe(0)
      expect(findLeftovers([mediumId])).toEqual([])
    }

    const row = (number: number) => production.sql(`insert into load (row) values (${number})`)
    const connect = (virtualDatabaseId: string): Promise<ConnectionRevealed> =>
      server.api.call('revealConnection', { params: { virtualDatabaseId } })
    const rowsOf = ({ host, port, user, password }: ConnectionRevealed): Promise<number[]> =>
      withConnection({ host, port, user, password, tls: 'off', ca: null }, async (queries) => {
        const rows = await queries.rows('select row from load order by row')
        return rows.map((each) => Number(each['row']))
      })
    const write = ({ host, port, user, password }: ConnectionRevealed, number: number) =>
      withConnection({ host, port, user, password, tls: 'off', ca: null }, (queries) =>
        queries.value(`insert into load (row) values (${number})`),
      )
    const protect = async () => {
      const { jobId } = await server.api.call('protectSource', { params: { sourceId }, body: {} })
      return finish(server.api, jobId)
    }
    /** Begins a verb that answers with a job, or with a plan when it is only asked for that. */
    const begun = <T extends object>(answer: T): Extract<T, { readonly jobId: string }> => {
      expect(answer).toHaveProperty('jobId')
      return answer as Extract<T, { readonly jobId: string }>
    }
    const load = (virtualDatabaseId: string) =>
      server.api.call('getVirtualDatabase', { params: { virtualDatabaseId } })

    test('is checked, and says in words what is missing', async () => {
      const { port } = production
      const connection = { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
      const checked = await server.api.call('checkDatabase', {
        body: { kind: 'postgres', hostId, connection },
      })
      expect(checked.checks.filter(({ ok }) => !ok)).toEqual([])
      expect(checked).toMatchObject({ ok: true, engineVersion: expect.stringMatching(/^15/) })
      const source = await server.api.call('createSource', {
        body: {
          name: 'shop',
          hostId,
          kind: 'postgres',
          database: { connection, volumeBytes: 1024 * MIB },
        },
      })
      sourceId = source.id
      expect(JSON.stringify(source)).not.toContain('let me in')
      expect(source.database!.status.state).toBe('new')
    })

    test('gives back any second, in a database of its own', async () => {
      await row(1)
      await protect()
      await row(2)
      const at = new Date().toISOString()
      // Commits of the same millisecond are on neither side for sure.
      await waitFor('the clock has moved on', () => Date.now() > Date.parse(at) + 5)
      await row(3)
      const body = { name: 'second', sourceId, at, hostId, lifetimeSeconds: 3600 }
      const made = begun(await server.api.call('createVirtualDatabase', { body }))
      await finish(server.api, made.jobId)
      const connection = await connect(made.virtualDatabaseId)
      expect(await rowsOf(connection)).toEqual([1, 2])
      await write(connection, 100)
      expect(await rowsOf(connection)).toEqual([1, 2, 100])
      // Production knows nothing of it.
      expect(await production.sql('select count(*)::int from load')).toBe(3)
    })

    test('keeps name, port and password through bookmark, refresh, branch and reset', async () => {
      const { items } = await server.api.call('listVirtualDatabases')
      const virtualDatabaseId = items[0]!.id
      const params = { virtualDatabaseId }
      const before = await connect(virtualDatabaseId)
      const kept = await server.api.call('createBookmark', { params, body: { name: 'mine' } })
      await finish(server.api, kept.jobId)
      await write(before, 101)

      const branched = await server.api.call('branchVirtualDatabase', {
        params,
        body: { name: 'branch', bookmarkId: kept.bookmarkId },
      })
      await finish(server.api, branched.jobId)
      const branch = await connect(branched.virtualDatabaseId)
      expect(await rowsOf(branch)).toEqual([1, 2, 100])
      expect(branch.port).not.toBe(before.port)

      const refreshed = await server.api.call('refreshVirtualDatabase', { params, body: {} })
      await finish(server.api, begun(refreshed).jobId)
      expect(await connect(virtualDatabaseId)).toEqual(before)
      expect(await rowsOf(before)).toEqual([1, 2, 3])

      const reset = await server.api.call('resetVirtualDatabase', {
        params,
        body: { bookmarkId: kept.bookmarkId },
      })
      await finish(server.api, begun(reset).jobId)
      expect(await connect(virtualDatabaseId)).toEqual(before)
      expect(await rowsOf(before)).toEqual([1, 2, 100])

      const dropped = await server.api.call('dropVirtualDatabase', {
        params: { virtualDatabaseId: branched.virtualDatabaseId },
        body: {},
      })
      await finish(server.api, begun(dropped).jobId)
    })

    test('goes on after a kill -9 of the server, and so do the virtual databases', async () => {
      const { items } = await server.api.call('listVirtualDatabases', {
        query: { 'filter[active]': 'true' },
      })
      const connection = await connect(items[0]!.id)
      const branched = await server.api.call('branchVirtualDatabase', {
        params: { virtualDatabaseId: items[0]!.id },
        body: { name: 'over a kill' },
      })
      await finish(server.api, branched.jobId)
      const branch = await connect(branched.virtualDatabaseId)
      await server.kill()
      await row(4)
      expect(await rowsOf(connection)).toEqual([1, 2, 100])
      await server.begin()
      // Each is looked at, and found as it was.
      const { virtualDatabaseId } = branched
      const looked = await waitFor(
        'the branch is looked at',
        async () => {
          const query = {
            'filter[kind]': 'start-virtual-database',
            'filter[virtualDatabaseId]': virtualDatabaseId,
          }
          return (await server.api.call('listJobs', { query })).items[0]
        },
        { timeoutMs: 120_000 },
      )
      await finish(server.api, looked.id)
      expect(await connect(virtualDatabaseId)).toEqual(branch)
      expect(await rowsOf(branch)).toEqual([1, 2, 100])
      const away = await server.api.call('dropVirtualDatabase', {
        params: { virtualDatabaseId },
        body: {},
      })
      await finish(server.api, begun(away).jobId)
      await protect()
      const { items: points } = await server.api.call('listPoints', {
        query: { 'filter[sourceId]': sourceId },
      })
      expect(points.length).toBeGreaterThanOrEqual(2)
      expect(points[0]).toMatchObject({ consistency: 'application', kind: 'volume' })
      const range = await server.api.call('getRecoverRange', { params: { sourceId } })
      expect(range).toMatchObject({ live: true, ranges: [{ from: expect.any(String) }] })
    })

    test('has points that are verified on a clone of their own', async () => {
      const { items } = await server.api.call('listPoints')
      const { jobId } = await server.api.call('verifyDatabasePoint', {
        params: { pointId: items[0]!.id },
        body: {
          hostId,
          assertions: [{ database: 'postgres', sql: 'select count(*) = 4 from load' }],
        },
      })
      const job = await finish(server.api, jobId)
      expect(job.result).toMatchObject({ ok: true })
    })

    test('serves a test job with one line before, and one after', async () => {
      const tokenFile = join(root, 'token')
      writeFileSync(tokenFile, server.api.token, { mode: 0o600 })
      const { items } = await server.api.call('listHosts')
      const environment = {
        CLI: OPENMAAS,
        HOST: items.find(({ kind }) => kind === 'agent')!.name,
        OPENMAAS_NODE: process.execPath,
        OPENMAAS_SERVER: server.ready.url,
        OPENMAAS_TOKEN_FILE: tokenFile,
      }
      const create = '"$CLI" vdb create shop --for job-1 --drop-after 1h --to "$HOST" --format env'
      const script = `set -e
        lines="$(${create})"
        eval "$lines"
        echo "$PGHOST $PGPORT $PGUSER $OPENMAAS_VDB"
        "$CLI" vdb drop "$OPENMAAS_VDB"`
      const output = await run(['sh', '-c', script], { environment })
      expect(output).toMatch(/^127\.0\.0\.1 \d+ openmaas vdb_/m)
      const { items: dropped } = await server.api.call('listVirtualDatabases', {
        query: { 'filter[state]': 'dropped' },
      })
      expect(dropped.map(({ purpose }) => purpose)).toContain('job-1')
    })

    test('says before there is a job what it would meet', async () => {
      const { api } = server
      const query = { 'filter[active]': 'true' } as const
      const { items } = await api.call('listVirtualDatabases', { query })
      const params = { virtualDatabaseId: items.find(({ name }) => name === 'second')!.id }
      const look = (directory: string) =>
        api.call('promoteVirtualDatabase', { params, body: { directory }, dryRun: true })
      // A disk in memory is none of the host's.
      await expect(look(join(root, 'promoted'))).rejects.toMatchObject({ code: 'DIRECTORY_UNFIT' })
      const fit = `/var/tmp/openmaas-promoted-${process.pid}`
      expect(await look(fit)).toMatchObject({ plan: [{ action: `move it to ${fit}` }] })
      expect(existsSync(fit)).toBe(false)

      const change = (connection: object) => {
        const body = { database: { connection } }
        return api.call('changeSource', { params: { sourceId }, body, ifMatch: '*' })
      }
      await expect(change({ port: 1 })).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
      await expect(change({ password: 'a typo' })).rejects.toMatchObject({
        code: 'DATABASE_DENIED',
      })
      await change({ password: 'let me in' })
    })

    test('takes no point for a transaction that production does not know', async () => {
      const query = { 'filter[sourceId]': sourceId }
      const countOf = async () => (await server.api.call('listPoints', { query })).items.length
      const before = await countOf()
      const body = { name: 'unknown', sourceId, transaction: '4000000000', hostId }
      const made = begun(await server.api.call('createVirtualDatabase', { body }))
      await expect(finish(server.api, made.jobId)).rejects.toThrow(/no point was taken for it/)
      expect(await countOf()).toBe(before)
    })

    test('leaves no mount, loop device, process or port of a virtual database', async () => {
      const { items } = await server.api.call('listVirtualDatabases', {
        query: { 'filter[active]': 'true' },
      })
      for (const { id, mediumId, port } of items) {
        const params = { virtualDatabaseId: id }
        const dropped = await server.api.call('dropVirtualDatabase', { params, body: {} })
        await finish(server.api, begun(dropped).jobId)
        expect(await load(id)).toMatchObject({ state: 'dropped', port: null })
        expect(findLeftovers([mediumId!, id])).toEqual([])
        expect(await refuses(port!)).toBe(true)
      }
      expect(items.length).toBeGreaterThan(0)
    })
  })
})

function refuses(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(false))
    socket.once('error', () => resolve(true))
    socket.once('close', () => socket.destroy())
  })
}
