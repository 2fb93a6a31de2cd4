/**
 * Goal: a standby survives what happens to it and to production, asks for a new seed only when
 * nothing else helps, and loses nothing that production acknowledged in the synchronous mode.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { findServer, killProcess, sessionMembers } from '@openmaas/source-kit/server-process'
import { connectLocal } from '@openmaas/source-mysql/private-server'
import { layoutOf } from '@openmaas/source-mysql/volume'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { MysqlFixture } from './fixture.test-support.ts'
import { Load } from './load.test-support.ts'

const SOURCE = { engine: 'mysql', id: 'src_00000000000000000000000001' }
const ADMINISTRATOR = { user: 'keeper', password: 'Any-thing-1' }
const CONTEXT = { signal: new AbortController().signal, progress: (): void => {} }
const HEAL = { timeoutMs: 120_000 }
const ACTIVATION = {
  ...ADMINISTRATOR,
  logDirectories: [],
  target: { kind: 'snapshot' as const },
  port: null,
  listen: ['127.0.0.1'],
  settings: {},
}

requires({ root: true, programs: ['mariadbd', 'mariadb-backup'] }, () => {
  let fixture: MysqlFixture
  const place = (): typeof SOURCE & { directory: string } => ({
    ...SOURCE,
    directory: fixture.volume,
  })
  const follow = async (synchronous = false): Promise<DatabaseStatus> => {
    const { plugin, connection } = fixture
    const how = { retainedLimitBytes: 1e9, synchronous }
    return await plugin.follow({ ...place(), connection, ...how }, CONTEXT)
  }
  const onProduction = async (...statements: string[]): Promise<void> => {
    await using session = await fixture.production.session()
    for (const statement of statements) await session.run(statement)
  }
  const rowsOfPoint = async (number: number): Promise<number[]> => {
    const { plugin } = fixture
    const directory = await fixture.copyVolume(fixture.volume)
    const clone = { engine: 'mysql', id: `vdb_${String(number).padStart(26, '0')}`, directory }
    try {
      const { port } = await plugin.activate({ ...clone, ...ACTIVATION, follow: null }, CONTEXT)
      return await fixture.rows({ ...ADMINISTRATOR, port })
    } finally {
      await plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
    }
  }

  beforeAll(async () => {
    fixture = await MysqlFixture.make('mariadb')
    const { plugin, connection } = fixture
    await fixture.makeVolume()
    await plugin.seed({ ...place(), connection, bytesPerSecond: null }, CONTEXT)
  })
  afterAll(async () => {
    if (fixture === undefined) return
    await fixture.plugin.unfollow({ ...place(), connection: null, forget: false }, CONTEXT)
    await fixture[Symbol.asyncDispose]()
  })

  test('a standby outlives the agent that started it, and the next agent finds it', async () => {
    const { connection, runRoot } = fixture
    const script = fileURLToPath(new URL('follow-and-wait.test-support.ts', import.meta.url))
    const order = { ...place(), connection, retainedLimitBytes: 1e9, synchronous: false }
    const agent = spawn(process.execPath, [script, runRoot, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(agent, 'close')
    await Promise.race([once(agent.stdout!, 'data'), ended])
    agent.kill('SIGKILL')
    await ended
    const server = { ...layoutOf(place(), { programDirectories: [], runRoot }), name: 'server' }
    const before = findServer(server)
    expect(before).not.toBeNull()
    expect(await follow()).toMatchObject({ state: 'following' })
    expect(findServer(server)).toEqual(before)
  })

  test('a virtual database that follows for good shows new rows and takes no writes', async () => {
    const { plugin, connection } = fixture
    await plugin.mark({ ...place(), connection }, CONTEXT)
    const directory = await fixture.copyVolume(fixture.volume)
    const clone = { engine: 'mysql', id: `vdb_${'9'.repeat(26)}`, directory }
    try {
      const { port } = await plugin.activate(
        { ...clone, ...ACTIVATION, follow: connection },
        CONTEXT,
      )
      await fixture.commit(500_000)
      const seen = async (): Promise<boolean> =>
        (await fixture.rows({ ...ADMINISTRATOR, port })).includes(500_000)
      await waitFor('the row is in the virtual database', seen, HEAL)
      await expect(fixture.write({ ...ADMINISTRATOR, port })).rejects.toThrow('read-only')
    } finally {
      await plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
    }
  })

  test('a virtual database that was just killed is waited for, and started when it must be', async () => {
    const { plugin, connection, runRoot } = fixture
    await plugin.mark({ ...place(), connection }, CONTEXT)
    const directory = await fixture.copyVolume(fixture.volume)
    const clone = { engine: 'mysql', id: `vdb_${'8'.repeat(26)}`, directory }
    const { run } = layoutOf(clone, { programDirectories: [], runRoot })
    const members = (): number[] => sessionMembers(findServer({ run, name: 'server' })!.pid)
    const activate = (port: number | null) =>
      plugin.activate({ ...clone, ...ACTIVATION, port, follow: null }, CONTEXT)
    try {
      const { port } = await activate(null)
      // The server alone: its keeper has it up again within a second.
      killProcess(members()[1]!, 'SIGKILL')
      expect(await activate(port)).toMatchObject({ port })
      for (const pid of members()) killProcess(pid, 'SIGKILL')
      expect(await activate(port)).toMatchObject({ port })
    } finally {
      await plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
    }
  })

  test('production that is killed under load loses nothing it acknowledged', async () => {
    await onProduction(
      'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC',
      'SET GLOBAL rpl_semi_sync_master_timeout = 600000',
      'SET GLOBAL rpl_semi_sync_master_enabled = ON',
    )
    const waits = async (): Promise<boolean> => {
      const status = await follow(true)
      return status.state === 'following' && status.reason === ''
    }
    await waitFor('production waits for the standby', waits, HEAL)
    const load = new Load('mariadb', fixture.production)
    load.begin()
    await waitFor('some commits', () => load.commits.length > 300, HEAL)
    await fixture.production.stop('SIGKILL')
    const acknowledged = (await load.end()).map(({ row }) => row)
    const marked = await fixture.plugin.mark({ ...place(), connection: null }, CONTEXT)
    expect(marked.consistency).toBe('application')
    const rows = new Set(await rowsOfPoint(1))
    expect(acknowledged.filter((row) => !rows.has(row))).toEqual([])
    // What the standby has and production's crash lost would be no copy: so its disk must keep it.
    await fixture.production.start()
    await waitFor('it follows', async () => (await follow()).state === 'following', HEAL)
  })

  test('a standby that stands still is looked at and goes on while production waits for it', async () => {
    const { plugin, connection, runRoot, production } = fixture
    await waitFor('it follows', async () => (await follow(true)).state === 'following', HEAL)
    await onProduction(
      'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC',
      'SET GLOBAL rpl_semi_sync_master_timeout = 600000',
      'SET GLOBAL rpl_semi_sync_master_enabled = ON',
    )
    {
      await using local = await connectLocal(layoutOf(place(), { programDirectories: [], runRoot }))
      await local.run('STOP SLAVE')
    }
    // Two commits that wait hold up every question about production's log files.
    const commits = [700_001, 700_002, 700_003].map((row) =>
      onProduction(`INSERT INTO app.load_rows (id) VALUES (${row})`),
    )
    await using session = await production.session()
    const wait = async (): Promise<boolean> => {
      const sql = `SELECT COUNT(*) FROM information_schema.processlist
                    WHERE info LIKE 'INSERT INTO app%' AND command = 'Query'`
      return (await session.value(sql)) === '3'
    }
    await waitFor('three commits wait', wait, HEAL)
    const status = await plugin.status({ ...place(), connection }, CONTEXT)
    expect(status).toMatchObject({ state: 'stopped', mustReseed: false })
    expect(await follow(true)).toMatchObject({ state: 'following' })
    await Promise.all(commits)
    await session.run('SET GLOBAL rpl_semi_sync_master_enabled = OFF')
  })

  test('log that production removed before the standby had it means a new seed', async () => {
    const { plugin, connection } = fixture
    await plugin.unfollow({ ...place(), connection, forget: false }, CONTEXT)
    await onProduction(
      'INSERT INTO app.load_rows (id) VALUES (600000)',
      'FLUSH BINARY LOGS',
      'INSERT INTO app.load_rows (id) VALUES (600001)',
      'FLUSH BINARY LOGS',
    )
    await using session = await fixture.production.session()
    const [last] = await session.rows('SHOW MASTER STATUS')
    // A file that is still being sent to the standby that was ended just now is kept at first.
    const purged = async (): Promise<boolean> => {
      await session.run(`PURGE BINARY LOGS TO '${last!['File']}'`)
      return (await session.rows('SHOW BINARY LOGS')).length === 1
    }
    await waitFor('production removed its log', purged, HEAL)
    const status = await follow()
    expect(status).toMatchObject({ state: 'broken', mustReseed: true })
    expect(status.reason).toContain('removed its log')
  })
})
