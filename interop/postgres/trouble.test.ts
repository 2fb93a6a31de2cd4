/**
 * Goal: whatever happens to standby, agent and production, the chain heals by itself or says
 * exactly what is broken, and production is never harmed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { DatabaseStatus, RunningInstance } from '@openmaas/protocols/channel/database-orders'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { findServer, killProcess, sessionMembers } from '@openmaas/source-kit/server-process'
import { StandbyGuard } from '@openmaas/source-postgres/guard'
import { withConnection } from '@openmaas/source-postgres/connection'
import { placeOf, slotName } from '@openmaas/source-postgres/place'
import { PostgresFixture } from './fixture.test-support.ts'
import { Load } from './load.test-support.ts'
import { folderOf, Production } from './production.test-support.ts'

const CONTEXT = { signal: new AbortController().signal, progress: () => {} }
const USER = { user: 'dev', password: 'a secret' }
const LONG = { timeoutMs: 120_000 }

requires({ root: true, paths: [folderOf(15) ?? 'PostgreSQL 15'] }, () => {
  let fixture: PostgresFixture
  let place: { engine: string; id: string; directory: string }
  let number = 0
  let row = 0
  const clones: (typeof place)[] = []

  beforeAll(async () => {
    // Little log is kept on its own, so that what keeps it is the slot.
    fixture = await PostgresFixture.make({
      major: 15,
      settings: { wal_keep_size: '0', max_wal_size: '64MB', min_wal_size: '32MB' },
    })
  })
  afterAll(async () => {
    await fixture?.[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    number += 1
    const id = `src_${String(number).padStart(26, '0')}`
    place = { engine: 'postgres', id, directory: await fixture.makeVolume() }
  })
  afterEach(async () => {
    const { plugin, connection } = fixture
    await fixture.production.start()
    for (const clone of clones.splice(0)) {
      await plugin.unfollow({ ...clone, connection, forget: true }, CONTEXT)
    }
    await fixture.production.sql(
      'alter system reset all; select pg_reload_conf(); truncate load; checkpoint',
    )
    await plugin.unfollow({ ...place, connection, forget: true }, CONTEXT)
    row = 0
  })

  const seed = (): Promise<unknown> =>
    fixture.plugin.seed({ ...place, connection: fixture.connection, bytesPerSecond: null }, CONTEXT)
  const followed = (synchronous = false) => ({
    ...place,
    connection: fixture.connection,
    retainedLimitBytes: 1024 ** 3,
    synchronous,
  })
  const follow = (synchronous = false): Promise<DatabaseStatus> =>
    fixture.plugin.follow(followed(synchronous), CONTEXT)
  const status = (): Promise<DatabaseStatus> =>
    fixture.plugin.status({ ...place, connection: fixture.connection }, CONTEXT)
  const mark = (): Promise<{ atMs: number }> =>
    fixture.plugin.mark({ ...place, connection: fixture.connection }, CONTEXT)
  const commit = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      await fixture.commit(row)
      row += 1
    }
  }
  const follows = (): Promise<unknown> =>
    waitFor('the standby follows', async () => (await status()).state === 'following', LONG)
  const newClone = async (): Promise<typeof place> => {
    number += 1
    const id = `vdb_${String(number).padStart(26, '0')}`
    const clone = { ...place, id, directory: await fixture.copyVolume(place.directory) }
    clones.push(clone)
    return clone
  }
  const activate = async (
    clone: typeof place,
    live: PostgresFixture['connection'] | null = null,
  ): Promise<RunningInstance> =>
    await fixture.plugin.activate(
      {
        ...clone,
        ...USER,
        logDirectories: [],
        target: { kind: 'snapshot' },
        port: null,
        listen: ['127.0.0.1'],
        settings: {},
        follow: live,
      },
      CONTEXT,
    )
  const rowsOf = async ({ port }: RunningInstance): Promise<number[]> =>
    await fixture.rows({ ...USER, port })
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

  test('an agent that is killed leaves the standby following; the next one finds it', async () => {
    await seed()
    const { runRoot } = fixture.options
    const entry = join(import.meta.dirname, 'agent.test-support.ts')
    const command = [entry, runRoot, JSON.stringify(followed())]
    const agent = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
    // It says one word and stays; one that fails ends.
    const said = await Promise.race([once(agent.stdout, 'data'), once(agent, 'close')])
    expect(String(said[0])).toBe('following\n')
    const before = findServer(placeOf(place, fixture.options).server)
    agent.kill('SIGKILL')
    await once(agent, 'close')
    await commit(10)
    expect(await status()).toMatchObject({ state: 'following' })
    await follow()
    expect(findServer(placeOf(place, fixture.options).server)).toEqual(before)
    await mark()
    expect(await rowsOf(await activate(await newClone()))).toEqual(upTo(10))
  })

  test('no commit that production acknowledged in synchronous mode is lost when it dies', async () => {
    await seed()
    const { reason } = await follow(true)
    expect(reason).toContain('ALTER SYSTEM SET synchronous_standby_names')
    const remedy = /ALTER SYSTEM.*$/s.exec(reason)![0]
    await fixture.production.sql(remedy)
    await waitFor('production waits', async () => (await follow(true)).reason === '', LONG)
    const load = new Load(fixture.production, 3)
    await waitFor('some commits', () => load.count >= 300, LONG)
    await fixture.production.kill()
    const acknowledged = await load.stop()
    // No mark: nothing more can be asked of production.
    const rows = new Set(await rowsOf(await activate(await newClone())))
    expect(acknowledged.filter((one) => !rows.has(one.row))).toEqual([])
  })

  test('a production server that was killed is followed on when it is back', async () => {
    await seed()
    await follow()
    await commit(10)
    await fixture.production.kill()
    const away = await waitFor('it is missed', async () => {
      const found = await status()
      return found.state !== 'following' && found
    })
    expect(away).toMatchObject({ state: 'stopped', mustReseed: false })
    expect(away.reason).toContain('production')
    await expect(mark()).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    await fixture.production.start()
    await commit(10)
    await follows()
    await mark()
    expect(await rowsOf(await activate(await newClone()))).toEqual(upTo(20))
  })

  test('a failover to a new timeline is followed, and recovery goes across it', async () => {
    await seed()
    await follow()
    await commit(10)
    await mark()
    const early = await fixture.copyVolume(place.directory)
    await commit(5)
    const { atMs } = await mark()
    await commit(5)
    await fixture.production.promote()
    // What a new primary has after a failover: no slot of ours. The guard makes it again.
    await waitFor('the slot is free', () => fixture.production.sql(DROP_SLOTS), LONG)
    await commit(10)
    await new StandbyGuard(fixture.options).look(followed())
    await follows()
    await mark()
    const clone = await newClone()
    expect(await rowsOf(await activate(clone))).toEqual(upTo(30))
    number += 1
    const id = `vdb_${String(number).padStart(26, '0')}`
    const across = { ...place, id, directory: early }
    clones.push(across)
    const target = { kind: 'time', atMs } as const
    const how = { target, port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
    const logDirectories = [await fixture.copyVolume(place.directory)]
    const request = { ...across, ...USER, ...how, logDirectories }
    expect(await rowsOf(await fixture.plugin.activate(request, CONTEXT))).toEqual(upTo(15))
  })

  test('a server that cannot be followed is told what to change, and nothing is changed', async () => {
    const { production, connection, plugin } = fixture
    await production.sql(
      'alter system set wal_level = minimal; alter system set max_wal_senders = 0',
    )
    await production.restart()
    const { checks } = await plugin.check({ engine: 'postgres', connection }, CONTEXT)
    const remedies = new Map(checks.map((one) => [one.name, one.ok ? '' : one.remedy]))
    expect(remedies.get('wal_level')).toContain('SET wal_level')
    expect(remedies.get('max_wal_senders')).toContain('SET max_wal_senders')
    await expect(seed()).rejects.toMatchObject({ category: 'unavailable' })
    await production.sql('alter system reset all')
    await production.restart()
  })

  test('a volume from a host where the server’s user has another number is taken over', async () => {
    await seed()
    await follow()
    await commit(5)
    await mark()
    const clone = await newClone()
    await commit(5)
    const { atMs } = await mark()
    await commit(5)
    await mark()
    const later = await fixture.copyVolume(place.directory)
    await runProgram(['chown', '-R', '12345:12345', clone.directory, later])
    const target = { kind: 'time', atMs } as const
    const how = { target, port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
    const request = { ...clone, ...USER, ...how, logDirectories: [later] }
    expect(await rowsOf(await fixture.plugin.activate(request, CONTEXT))).toEqual(upTo(10))
  })

  test('an activation that a killed agent left is gone on with, wherever it was', async () => {
    await seed()
    await follow()
    await commit(5)
    await mark()
    const clone = await newClone()
    const xid = (await fixture.commit(row)).id
    row += 1
    await commit(4)
    await mark()
    const later = await fixture.copyVolume(place.directory)
    const target = { kind: 'transaction', id: xid } as const
    const how = { target, port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
    const request = { ...clone, ...USER, ...how, logDirectories: [later] }
    const { port } = await fixture.plugin.activate(request, CONTEXT)
    // As if it had ended before it could write that recovery is over.
    const path = join(clone.directory, 'openmaas.json')
    const state = readFileSync(path, 'utf8')
    writeFileSync(path, state.replace('"recovered": true', '"recovered": false'))
    const again = await fixture.plugin.activate(request, CONTEXT)
    expect(again.port).toBe(port)
    expect(await rowsOf(again)).toEqual(upTo(6))
    // Another volume under the same id is not taken for it.
    const other = { ...request, directory: await fixture.copyVolume(later) }
    await expect(fixture.plugin.activate(other, CONTEXT)).rejects.toMatchObject({
      code: 'DATABASE_RUNNING',
    })
  })

  test('a standby that was killed together with its keeper is started again', async () => {
    await seed()
    await follow()
    const { server } = placeOf(place, fixture.options)
    for (const pid of sessionMembers(findServer(server)!.pid)) killProcess(pid, 'SIGKILL')
    await waitFor('it is gone', () => findServer(server) === null, LONG)
    await commit(5)
    await new StandbyGuard(fixture.options).look(followed())
    await follows()
    await mark()
  })

  test('a slot that keeps too much is given up, and taken up again while the log is there', async () => {
    await seed()
    await follow()
    await fixture.plugin.unfollow({ ...place, connection: null, forget: false }, CONTEXT)
    await fixture.production.sql(GROW)
    const guard = new StandbyGuard(fixture.options)
    expect(await guard.look(followed())).toBe(false)
    expect(await guard.look({ ...followed(), retainedLimitBytes: 1024 })).toBe(true)
    const slots = 'select count(*)::int from pg_replication_slots'
    expect(await fixture.production.sql(slots)).toBe(0)
    expect(await status()).toMatchObject({ state: 'stopped', mustReseed: false })
    expect((await status()).reason).toContain('given up')
    await commit(1)
    await follow()
    await follows()
    expect(await fixture.production.sql(slots)).toBe(1)
  })

  test('a chain is called broken when production has removed what was not received', async () => {
    await seed()
    await follow()
    await fixture.plugin.unfollow(
      { ...place, connection: fixture.connection, forget: true },
      CONTEXT,
    )
    for (let time = 0; time < 4; time += 1) {
      await fixture.production.sql(`${GROW}; select pg_switch_wal(); checkpoint`)
    }
    const found = await follow()
    expect(found).toMatchObject({ state: 'broken', mustReseed: true })
    expect(found.reason).toContain('segment')
  })

  test('another cluster under the same address is never followed', async () => {
    await seed()
    await follow()
    const directory = join(fixture.directory, `other-${number}`)
    const other = await Production.make(directory, { major: 15 })
    try {
      const request = { ...followed(), connection: other.connection }
      const found = await fixture.plugin.follow(request, CONTEXT)
      expect(found).toMatchObject({ state: 'broken', mustReseed: true })
      expect(found.reason).toContain('system identifier')
      expect(await other.sql('select count(*)::int from pg_replication_slots')).toBe(0)
    } finally {
      await other.stop()
    }
    expect(await status()).toMatchObject({ state: 'following' })
  })

  test('limits that production raised are taken over by a repeated follow', async () => {
    await seed()
    await follow()
    await fixture.production.sql('alter system set max_connections = 150')
    await fixture.production.restart()
    await commit(5)
    await waitFor('replay pauses', async () => /paused/.test((await status()).reason), LONG)
    await follow()
    await follows()
    await mark()
    expect(await rowsOf(await activate(await newClone()))).toEqual(upTo(5))
  })

  test('tablespaces are on the volume, and a clone has its own', async () => {
    const location = join(fixture.directory, `space-${number}`)
    mkdirSync(location)
    const user = serverUser('postgres')!
    await chown(location, user.uid, user.gid)
    await fixture.production.sql(`create tablespace side location '${location}'`)
    await fixture.production.sql('create table aside (n int) tablespace side')
    await fixture.production.sql('insert into aside select generate_series(1, 100)')
    try {
      await seed()
      await follow()
      await mark()
      const clone = await newClone()
      const { port } = await activate(clone)
      const here = { ...fixture.connection, ...USER, port }
      const answer = await withConnection(here, (queries) =>
        queries.rows('select pg_tablespace_location(oid) as at from pg_tablespace order by oid'),
      )
      expect(String(answer.at(-1)!['at'])).toContain(clone.directory)
      const count = 'delete from aside; select count(*)::int from aside'
      expect(await withConnection(here, (queries) => queries.value(count))).toBe(0)
      expect(await fixture.production.sql('select count(*)::int from aside')).toBe(100)
    } finally {
      await fixture.production.sql('drop table aside')
      await fixture.production.sql('drop tablespace side')
    }
  })

  test('a tablespace that production makes later ends the following, and harms nobody', async () => {
    await seed()
    await follow()
    const location = join(fixture.directory, `later-${number}`)
    mkdirSync(location)
    const user = serverUser('postgres')!
    await chown(location, user.uid, user.gid)
    // The worst case: production and standby on one host, where the path is there for both.
    await fixture.production.sql(`create tablespace later location '${location}'`)
    try {
      await fixture.production.sql('create table aside (n int) tablespace later')
      await fixture.production.sql('insert into aside select generate_series(1, 1000); checkpoint')
      await waitFor('the standby has stopped', async () => (await status()).mustReseed, LONG)
      expect(await status()).toMatchObject({
        state: 'broken',
        reason: expect.stringMatching(/new tablespace, which only a new copy takes in: pg_tblspc/),
      })
      // Read from disk, where another writer would have left its traces.
      await fixture.production.restart()
      expect(await fixture.production.sql('select count(*)::int from aside')).toBe(1000)
      const again = { ...place, connection: fixture.connection, bytesPerSecond: null }
      await fixture.plugin.seed({ ...again, renew: 'job_1' }, CONTEXT)
      expect((await follow()).state).toBe('following')
      await mark()
    } finally {
      await fixture.production.sql('drop table if exists aside; drop tablespace later')
    }
  })

  test('a page that was damaged on disk is found, and so is a row that is missing', async () => {
    await fixture.production.sql('create table pages (n int, t text)')
    await fixture.production.sql(
      "insert into pages select n, repeat('x', 100) from generate_series(1, 2000) n; checkpoint",
    )
    try {
      await seed()
      await follow()
      await mark()
      const path = await fixture.production.sql("select pg_relation_filepath('pages')")
      const verified = async (clone: typeof place, count: number) => {
        const { port } = await activate(clone)
        const sql = `select count(*) = ${count} from pages`
        const assertions = [{ database: 'postgres', sql }]
        const found = await fixture.plugin.verify({ ...clone, ...USER, port, assertions }, CONTEXT)
        return new Map(found.checks.map((each) => [each.name, each]))
      }
      const good = await verified(await newClone(), 2000)
      expect([...good.values()].filter(({ ok }) => !ok)).toEqual([])
      expect(good.get('checksums')!.evidence).toMatch(/every page was read/)
      const damaged = await newClone()
      flipBytes(join(damaged.directory, 'data', String(path)), 8192 + 4000)
      const bad = await verified(damaged, 1999)
      expect(bad.get('checksums')).toMatchObject({ ok: false })
      expect(bad.get('checksums')!.evidence).toMatch(/checksum verification failed|invalid page/)
      expect(bad.get('postgres: select count(*) = 1999 from pages')).toMatchObject({ ok: false })
    } finally {
      await fixture.production.sql('drop table pages')
    }
  })

  test('a clone in live sync shows what production commits, and opens for good later', async () => {
    await seed()
    await follow()
    await commit(3)
    await mark()
    const clone = await newClone()
    await fixture.production.sql(
      "create role reader login password 'r'; grant select on load to reader",
    )
    try {
      const live = await activate(clone, fixture.connection)
      await commit(4)
      const reader = { port: live.port, user: 'reader', password: 'r' }
      const shown = async (): Promise<boolean> => (await fixture.rows(reader)).length === 7
      await waitFor('the commits are there', shown, LONG)
      const { connection } = fixture
      await fixture.plugin.unfollow({ ...clone, connection, forget: true }, CONTEXT)
      const slots = `select count(*)::int from pg_replication_slots where slot_name = '${slotName(clone.id)}'`
      expect(await fixture.production.sql(slots)).toBe(0)
      const opened = await activate(clone)
      expect(opened.port).toBe(live.port)
      expect(await rowsOf(opened)).toEqual(upTo(7))
    } finally {
      await fixture.production.sql('drop owned by reader; drop role reader')
    }
  })

  test('connections are encrypted, and the certificate is verified when asked', async () => {
    const ca = await fixture.production.useTls()
    const connection = { ...fixture.connection, host: 'localhost', tls: 'verify', ca } as const
    await fixture.plugin.seed({ ...place, connection, bytesPerSecond: null }, CONTEXT)
    const found = await fixture.plugin.follow({ ...followed(), connection }, CONTEXT)
    expect(found.state).toBe('following')
    const encrypted = `
      select ssl from pg_stat_replication r join pg_stat_ssl s on s.pid = r.pid
       where application_name = '${slotName(place.id)}'`
    expect(await fixture.production.sql(encrypted)).toBe(true)
    const renewed = await fixture.production.useTls()
    const check = (trusted: string): Promise<{ identity: string }> =>
      fixture.plugin.check(
        { engine: 'postgres', connection: { ...connection, ca: trusted } },
        CONTEXT,
      )
    expect((await check(renewed)).identity).not.toBe('')
    await expect(check(ca)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  })
})

/** True when there is none any more. */
const DROP_SLOTS = `
  select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active;
  select count(*) = 0 from pg_replication_slots`

/** Of a row in the middle of a page: no header, so that only the checksum tells. */
function flipBytes(file: string, offset: number): void {
  const bytes = readFileSync(file)
  for (let at = offset; at < offset + 8; at += 1) bytes[at]! ^= 0xff
  writeFileSync(file, bytes)
}

/** Some 20 MB of log, whatever the machine. */
const GROW = `
  create table if not exists filler (t text);
  insert into filler select repeat(md5(n::text), 30) from generate_series(1, 20000) n;
  truncate filler`
