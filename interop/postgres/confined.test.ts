/** The user of an instance rules its data, and reaches nothing of the host or of other servers. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { type Queries, withConnection } from '@openmaas/source-postgres/connection'
import { localConnection, placeOf, SOCKET_PORT } from '@openmaas/source-postgres/place'
import { requires } from '@openmaas/testkit/requires'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresFixture } from './fixture.test-support.ts'
import { folderOf, PROGRAMS_17 } from './production.test-support.ts'

const CONTEXT = { signal: new AbortController().signal, progress: () => {} }
const USER = { user: 'dev', password: 'a secret' }
const SOURCE = 'src_00000000000000000000000009'

// Who may create roles may do more before 16 than since.
confines(15, folderOf(15) ?? '/usr/lib/postgresql/15/bin')
confines(17, folderOf(17) ?? PROGRAMS_17)

function confines(major: number, programs: string): void {
  requires({ linux: true, root: true, paths: [join(programs, 'postgres')] }, () => {
    verifyUser(major, programs)
  })
}

function verifyUser(major: number, programs: string): void {
  describe(`the user of an instance of PostgreSQL ${major}`, () => {
    let fixture: PostgresFixture
    let standby: { engine: string; id: string; directory: string }
    let clone: { engine: string; id: string; directory: string }
    let port: number

    beforeAll(async () => {
      fixture = await PostgresFixture.make({ major })
      await fixture.production.sql(`
        create role admin superuser login password 'admin';
        create role worker login password 'worker';
        grant pg_execute_server_program to worker;
        create role shop login password 'shop';
        create role dev superuser login password 'other';
        grant pg_execute_server_program, worker, admin to dev;
        create schema shop authorization shop;
        create table shop.orders (id serial primary key);
        alter table shop.orders owner to shop;
        create database store owner shop;
        alter system set port = 6000`)
      const directory = await fixture.makeVolume()
      standby = { engine: 'postgres', id: SOURCE, directory }
      const { connection, plugin } = fixture
      await plugin.seed({ ...standby, connection, bytesPerSecond: null }, CONTEXT)
      const follow = { connection, retainedLimitBytes: 2 ** 30, synchronous: false }
      await plugin.follow({ ...standby, ...follow }, CONTEXT)
      await plugin.mark({ ...standby, connection }, CONTEXT)
      const id = 'vdb_00000000000000000000000009'
      clone = { engine: 'postgres', id, directory: await fixture.copyVolume(directory) }
      port = await activate()
    }, 120_000)

    afterAll(async () => {
      if (fixture === undefined) return
      await fixture.plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
      await fixture.plugin.unfollow({ ...standby, connection: null, forget: false }, CONTEXT)
      await fixture[Symbol.asyncDispose]()
    })

    async function activate(): Promise<number> {
      const how = { logDirectories: [], target: { kind: 'snapshot' } as const, port: null }
      const open = { listen: ['127.0.0.1'], settings: {}, follow: null }
      return (await fixture.plugin.activate({ ...clone, ...USER, ...how, ...open }, CONTEXT)).port
    }
    const as = (user: string, password: string): DatabaseConnection => ({
      host: '127.0.0.1',
      port,
      user,
      password,
      tls: 'off',
      ca: null,
    })
    const sql = (text: string, database: string | null = null): Promise<unknown> =>
      withConnection(
        as(USER.user, USER.password),
        (queries: Queries) => queries.value(text),
        database,
      )

    test('changes data and definitions of whatever production has', async () => {
      await sql('insert into load (row) values (1000)')
      await sql('alter table shop.orders add column note text')
      await sql('insert into shop.orders (note) values ($$a$$)')
      await sql('create table here (id int)')
      await sql('create schema mine', 'store')
      await sql('create database another')
      await sql('drop database another')
    })

    test.each([
      ['runs no program', "copy (select 1) to program 'cat > /tmp/x'"],
      ['reads no file', "select pg_read_file('/etc/passwd')"],
      ['writes no file', "copy (select 1) to '/tmp/x'"],
      ['sets nothing for the server', 'alter system set port = 6000'],
      ['gives itself no role of the server', 'grant pg_execute_server_program to dev'],
      ['becomes no superuser', 'set role admin'],
      ['becomes none who runs programs', 'set role worker'],
    ])('%s', async (_, text) => {
      await expect(sql(text)).rejects.toMatchObject({ code: 'DATABASE_DENIED' })
    })

    test('is the only one of its rights: nobody comes in who has more', async () => {
      for (const name of ['admin', 'worker']) {
        const attempt = withConnection(as(name, name), (queries) => queries.value('select 1'))
        await expect(attempt, name).rejects.toMatchObject({ code: 'DATABASE_DENIED' })
      }
      await withConnection(as('shop', 'shop'), (queries) => queries.value('select 1'))
    })

    test('finds no server open to the user that all of them run as', async () => {
      const user = serverUser('postgres')
      for (const [volume, number] of [[standby, SOCKET_PORT] as const, [clone, port] as const]) {
        const to = localConnection(placeOf(volume, fixture.options), 'boss', number)
        const command = [join(programs, 'psql'), '-w', '-h', to.host, '-p', String(to.port)]
        command.push('-U', to.user, '-d', 'postgres', '-Atc', 'select 1')
        expect((await runProgram(command, { user: null })).stdout).toBe('1\n')
        await expect(runProgram(command, { user })).rejects.toThrow(/eer authentication failed/)
      }
    })

    test('is no owner of what the agent reads and writes beside the server', () => {
      for (const volume of [standby, clone]) {
        const { run } = placeOf(volume, fixture.options).layout
        const { uid, mode } = statSync(run)
        expect({ uid, mode: mode & 0o777 }).toEqual({ uid: 0, mode: 0o750 })
      }
    })

    test('has not called functions of its own with our rights when it starts again', async () => {
      await sql(`create function public.format(text, text, text) returns text
                   language plpgsql as $$ begin raise exception 'called'; end $$`)
      await sql('alter database postgres set search_path = public, pg_catalog')
      await fixture.plugin.deactivate({ ...clone, immediate: false }, CONTEXT)
      const data = placeOf(clone, fixture.options).layout.data
      // As one from before had it, whose user could: it would keep the server from its port.
      const auto = join(data, 'postgresql.auto.conf')
      await runProgram(['/bin/sh', '-c', `echo "port = 6000" > '${auto}'`], {
        user: serverUser('postgres'),
      })
      expect(await activate()).toBe(port)
      expect(existsSync(auto)).toBe(false)
      expect(readFileSync(`${auto}.aside`, 'utf8')).toContain('port = 6000')
    })
  })
}
