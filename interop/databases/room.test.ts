/**
 * A protected PostgreSQL that runs out of room: its volume, and the log that production keeps. The
 * standby stops in good order and goes on, production is unharmed, and a chain that is broken for
 * good is told before it is made anew.
 */
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { DatabaseProtectionChange } from '@openmaas/api/resources/database'
import type { Job } from '@openmaas/api/resources/job'
import { MiB } from '@openmaas/kernel/units'
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

const NEEDED = { linux: true, root: true, paths: ['/dev/fuse', '/dev/loop-control'] } as const
const programs = folderOf(15) ?? '/usr/lib/postgresql/15/bin'
const LONG = { timeoutMs: 120_000 }
/** The least that a source may say. */
const RETAINED_LIMIT = 64 * MiB

/** Some 20 MB of log, and the end of its segment. */
const GROW = `
  create table if not exists filler (t text);
  insert into filler select repeat(md5(n::text), 30) from generate_series(1, 20000) n;
  truncate filler;
  select pg_switch_wal()`

const needs = {
  ...NEEDED,
  programs: ['mkfs.xfs', 'xfs_growfs', 'fallocate'],
  paths: [...NEEDED.paths, join(programs, 'postgres')],
}

requires(needs, () => {
  describe('a protected PostgreSQL without room', () => {
    let root: string
    let production: Production
    let server: ServerProgram
    let sourceId: string
    let volume: string

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-room-')
      chmodSync(root, 0o755) // The servers' user passes through it.
      // Little log is kept on its own, so that what keeps it is the slot.
      const settings = { wal_keep_size: '0', max_wal_size: '64MB', min_wal_size: '32MB' }
      production = await Production.make(join(root, 'production'), { major: 15, settings })
      await production.sql('create table load (row int primary key)')
      server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
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

    async function unprotect(): Promise<void> {
      if (sourceId === undefined) return
      await removeSource(server.api, sourceId)
      expect(await production.sql('select count(*)::int from pg_replication_slots')).toBe(0)
    }

    const newest = async (kind: string): Promise<Job | undefined> => {
      const query = { 'filter[kind]': kind }
      return (await server.api.call('listJobs', { query })).items[0]
    }
    const source = async () => {
      const { database } = await server.api.call('getSource', { params: { sourceId } })
      return database!
    }
    const change = async (database: DatabaseProtectionChange) => {
      const params = { sourceId }
      const { version } = await server.api.call('getSource', { params })
      const options = { params, body: { database }, ifMatch: `"${version}"` }
      return server.api.call('changeSource', options)
    }
    const protect = async (): Promise<Job> => {
      const { jobId } = await server.api.call('protectSource', { params: { sourceId }, body: {} })
      return waitFor('it has ended', () => ended(jobId), LONG)
    }
    const ended = async (jobId: string) => {
      const job = await server.api.call('getJob', { params: { jobId } })
      return job.endedAt !== null && job
    }
    const row = (number: number) => production.sql(`insert into load values (${number})`)
    const sizeOf = (): number => {
      const { blocks, bsize } = statfsSync(volume)
      return blocks * bsize
    }
    /** Without writing: what a thin volume promises is what runs out. */
    const fill = async (): Promise<void> => {
      const { bavail, bsize } = statfsSync(volume)
      const bytes = bavail * bsize - 20 * MiB
      await run(['fallocate', '-l', String(bytes), join(volume, 'filler')])
    }
    const empty = (): void => rmSync(join(volume, 'filler'))

    test('grows while it is followed, when its owner says so', async () => {
      const { items: hosts } = await server.api.call('listHosts')
      const hostId = hosts.find(({ kind }) => kind === 'agent')!.id
      const { port } = production
      const connection = { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
      const sizes = { volumeBytes: 640 * MiB, volumeMaxBytes: 640 * MiB }
      const database = { connection, ...sizes, retainedLimitBytes: RETAINED_LIMIT }
      const body = { name: 'shop', hostId, kind: 'postgres', database } as const
      sourceId = (await server.api.call('createSource', { body })).id
      await row(1)
      expect(await protect()).toMatchObject({ state: 'succeeded' })
      volume = join('/mnt/openmaas', (await source()).mediumId!)
      expect(sizeOf()).toBeLessThan(640 * MiB)
      const tokenFile = join(root, 'token')
      writeFileSync(tokenFile, server.api.token, { mode: 0o600 })
      const environment = {
        OPENMAAS_NODE: process.execPath,
        OPENMAAS_SERVER: server.ready.url,
        OPENMAAS_TOKEN_FILE: tokenFile,
      }
      await run([OPENMAAS, 'database', 'change', 'shop', '--volume-size', '1GiB'], { environment })
      expect(sizeOf()).toBeGreaterThan(900 * MiB)
      const job = await newest('grow-volume')
      expect(job).toMatchObject({ state: 'succeeded', result: { online: true } })
      expect(await source()).toMatchObject({ volumeBytes: 1024 * MiB })
      await expect(change({ volumeBytes: 512 * MiB })).rejects.toThrowError(/only grows/)
    })

    test('lets a copy use up its quota, and go on with what it had committed', async () => {
      const { items: hosts } = await server.api.call('listHosts')
      const hostId = hosts.find(({ kind }) => kind === 'agent')!.id
      const quotaBytes = 96 * MiB
      const made = await server.api.call('createVirtualDatabase', {
        body: { name: 'copy', sourceId, hostId, quotaBytes },
      })
      if (!('virtualDatabaseId' in made)) throw new Error('a job was expected')
      await finish(server.api, made.jobId)
      const params = { virtualDatabaseId: made.virtualDatabaseId }
      const { host, port, user, password } = await server.api.call('revealConnection', { params })
      const connection = { host, port, user, password, tls: 'off', ca: null } as const
      const sql = (text: string) => withConnection(connection, (queries) => queries.value(text))
      await sql('create table mine (n int, t text)')
      let committed = 0
      const write = async (): Promise<boolean> => {
        try {
          await sql(`insert into mine select ${committed}, repeat('x', 1000) from
            generate_series(1, 10000)`)
          committed += 1
          return false
        } catch {
          return true
        }
      }
      await waitFor('it is full', write, LONG)
      // Production, the standby and its points know nothing of it.
      await row(10)
      expect(await protect()).toMatchObject({ state: 'succeeded' })
      const body = { quotaBytes: 1024 * MiB }
      await server.api.call('extendVirtualDatabase', { params, body })
      const job = await newest('widen-virtual-database')
      const widened = await finish(server.api, job!.id)
      expect(widened.result).toEqual({ wasFull: true, restarted: true })
      const batches = 'select count(distinct n)::int from mine'
      expect(await sql(batches)).toBeGreaterThanOrEqual(committed)
      expect(await write()).toBe(false)
      const shown = await server.api.call('getVirtualDatabase', { params })
      expect(shown).toMatchObject({ state: 'running', problem: null, quotaBytes: 1024 * MiB })
      const dropped = await server.api.call('dropVirtualDatabase', { params, body: {} })
      if (!('jobId' in dropped)) throw new Error('a job was expected')
      await finish(server.api, dropped.jobId)
      expect(findLeftovers([shown.mediumId!, shown.id])).toEqual([])
    })

    test('stops its standby in good order, grows when it may, and goes on', async () => {
      await fill()
      const full = await protect()
      expect(full).toMatchObject({ state: 'failed', problem: { code: 'DATABASE_VOLUME_FULL' } })
      const { status } = await source()
      expect(status).toMatchObject({ state: 'stopped', mustReseed: false })
      expect(status.reason).toMatch(/the volume is full .*database change.*--volume-size/)
      await row(2)
      await change({ volumeMaxBytes: 2048 * MiB })
      const grown = await waitFor(
        'it has grown by itself',
        async () => {
          const job = await newest('grow-volume')
          return job?.actor === 'system' && job.endedAt !== null && job
        },
        LONG,
      )
      expect(grown).toMatchObject({ state: 'succeeded', result: { state: 'following' } })
      expect(await protect()).toMatchObject({ state: 'succeeded' })
      empty()
    })

    test('costs production no more than was said, tells the break, and is copied anew', async () => {
      // As large as it may be: it does not grow out of its trouble.
      await change({ volumeMaxBytes: (await source()).volumeBytes! })
      await fill()
      expect((await protect()).problem?.code).toBe('DATABASE_VOLUME_FULL')
      const slots = 'select count(*)::int from pg_replication_slots'
      expect(await production.sql(slots)).toBe(1)
      const isGivenUp = async (): Promise<boolean> => {
        await production.sql(GROW)
        return (await production.sql(slots)) === 0
      }
      await waitFor('the slot is given up', isGivenUp, LONG)
      await production.sql('checkpoint; select pg_switch_wal(); checkpoint')
      await row(3)
      empty()
      const broken = await protect()
      expect(broken).toMatchObject({ state: 'failed', problem: { code: 'DATABASE_CHAIN_BROKEN' } })
      const { status } = await source()
      expect(status).toMatchObject({ state: 'broken', mustReseed: true })
      expect(status.reason).toContain('production has removed log that was not received')
      const { items: points } = await server.api.call('listPoints')
      expect(await protect()).toMatchObject({ state: 'succeeded' })
      expect((await source()).status).toMatchObject({ state: 'following', mustReseed: false })
      const { items: more } = await server.api.call('listPoints')
      expect(more.length).toBe(points.length + 1)
    })
  })
})
