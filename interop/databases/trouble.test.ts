/**
 * What a user reads when a database cannot be protected or does not stand up to its verification:
 * the command line against a server, in both languages, with what to change; production unharmed.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import process from 'node:process'
import type { Point } from '@openmaas/api/resources/point'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, ProductionServer } from '../mysql/server.test-support.ts'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import { OPENMAAS } from '../support/command-line.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { attempt, type Outcome } from '../support/program.ts'
import { removeSource } from './finish.test-support.ts'

/** As after an error that the kernel cannot mend: nothing is written any more until it is mounted anew. */
async function breakFileSystem(place: string): Promise<void> {
  const { stdout } = await attempt(['findmnt', '-n', '-o', 'FSTYPE,SOURCE', place])
  const [type = '', source = ''] = stdout.trim().split(/\s+/)
  if (type === 'xfs') {
    await attempt(['xfs_io', '-x', '-c', 'shutdown', place])
    return
  }
  await attempt(['mount', '-o', 'remount,errors=remount-ro', place])
  writeFileSync(`/sys/fs/ext4/${basename(source)}/trigger_fs_error`, '1')
}

function isWritable(place: string): boolean {
  try {
    writeFileSync(join(place, 'probe'), '')
    rmSync(join(place, 'probe'))
    return true
  } catch {
    return false
  }
}

const MIB = 1024 ** 2
const LONG = { timeoutMs: 180_000 }
const programs = folderOf(15) ?? '/usr/lib/postgresql/15/bin'
const NEEDED = {
  linux: true,
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control', join(programs, 'postgres')],
} as const

requires(NEEDED, () => {
  describe('a database in trouble', () => {
    let root: string
    let production: Production
    let server: ServerProgram
    let hostId: string
    let sourceId: string | undefined

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-trouble-')
      chmodSync(root, 0o755) // The servers' user passes through it.
      production = await Production.make(join(root, 'production'), { major: 15 })
      await production.sql('create table orders (row int primary key)')
      writeFileSync(join(root, 'right'), 'let me in', { mode: 0o600 })
      writeFileSync(join(root, 'wrong'), 'let me out', { mode: 0o600 })
      server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
      writeFileSync(join(root, 'token'), server.api.token, { mode: 0o600 })
      const { items } = await server.api.call('listHosts')
      hostId = items.find(({ kind }) => kind === 'agent')!.id
    })

    afterAll(async () => {
      try {
        if (sourceId !== undefined) await removeSource(server.api, sourceId)
      } finally {
        await server?.[Symbol.asyncDispose]()
        await production?.stop()
      }
      expect(findLeftovers([root])).toEqual([])
      rmSync(root, { recursive: true, force: true })
    })

    const openmaas = (args: readonly string[], language = 'en'): Promise<Outcome> =>
      attempt([OPENMAAS, ...args], {
        environment: {
          OPENMAAS_NODE: process.execPath,
          OPENMAAS_SERVER: server.ready.url,
          OPENMAAS_TOKEN_FILE: join(root, 'token'),
          LC_ALL: language === 'zh' ? 'zh_CN.UTF-8' : 'C.UTF-8',
        },
      })
    const check = (options: readonly string[] = [], language = 'en', kind = 'postgres') => {
      const place = `127.0.0.1:${production.port}`
      const given = ['database', 'check', kind, place, '--password-file', join(root, 'right')]
      return openmaas([...given, ...options], language)
    }
    const newestPoint = async (): Promise<Point> => {
      const query = { 'filter[sourceId]': sourceId! }
      const { items } = await server.api.call('listPoints', { query })
      return server.api.call('getPoint', { params: { pointId: items[0]!.id } })
    }
    const protect = async (): Promise<Point> => {
      const params = { sourceId: sourceId! }
      const { jobId } = await server.api.call('protectSource', { params, body: {} })
      const protectEnd = async () => {
        const job = await server.api.call('getJob', { params: { jobId } })
        return job.endedAt !== null && job
      }
      expect((await waitFor('the point is taken', protectEnd, LONG)).problem).toBeNull()
      return newestPoint()
    }

    test('a wrong password is called one, in both languages', async () => {
      const wrong = ['--password-file', join(root, 'wrong')]
      const en = await check(wrong)
      expect(en).toMatchObject({ exitCode: 4 })
      expect(en.stderr).toMatch(/password authentication failed for user "openmaas"/)
      expect(en.stderr).toMatch(/Check user and password/)
      expect((await check(wrong, 'zh')).stderr).toMatch(/请检查用户与口令/)
    })

    test('a place where nothing listens, and a machine that nobody knows, are told apart', async () => {
      const nobody = await openmaas(['database', 'check', 'postgres', '127.0.0.1:1'])
      expect(nobody).toMatchObject({ exitCode: 9 })
      expect(nobody.stderr).toMatch(/nothing listens at 127\.0\.0\.1:1: it does not run/)
      const unknown = await openmaas(['database', 'check', 'postgres', 'no-such-host.invalid'])
      expect(unknown.stderr).toMatch(/no machine of the name in no-such-host\.invalid:5432/)
      const plain = await check(['--tls', 'require'])
      expect(plain.stderr).toMatch(/speaks no TLS: turn it on there/)
    })

    test('a right that is missing is named with its SQL, and nothing else is blamed', async () => {
      await production.sql('alter role openmaas noreplication; revoke pg_monitor from openmaas')
      const found = await check()
      expect(found).toMatchObject({ exitCode: 10 })
      const said = found.stdout + found.stderr
      expect(said).toContain('ALTER ROLE "openmaas" REPLICATION;')
      expect(said).toContain('GRANT pg_monitor TO "openmaas";')
      expect(said).not.toContain('add to pg_hba.conf')
      const zh = await check([], 'zh')
      expect(zh.stderr).toContain('请在生产库执行')
      await production.sql('alter role openmaas replication; grant pg_monitor to openmaas')
      expect(await check()).toMatchObject({ exitCode: 0 })
    })

    test('a pg_hba.conf without a line for replication is given the line', async () => {
      const hba = join(production.data, 'pg_hba.conf')
      const lines = 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n'
      await production.sql(`copy (select 1) to program 'cp ${hba} ${hba}.kept'`)
      writeFileSync(hba, lines)
      await production.sql('select pg_reload_conf()')
      const refused = await waitFor(
        'the lines hold',
        async () => {
          const found = await check()
          return found.exitCode === 10 && found
        },
        LONG,
      )
      expect(refused.stdout + refused.stderr).toContain(
        'host replication "openmaas" 127.0.0.1/32 scram-sha-256',
      )
      await production.sql(`copy (select 1) to program 'cp ${hba}.kept ${hba}'`)
      await production.sql('select pg_reload_conf()')
      await waitFor('it is well again', async () => (await check()).exitCode === 0, LONG)
    })

    test('a wal_level that is too low is named with the setting', async () => {
      await production.sql('alter system set wal_level = minimal')
      await production.sql('alter system set max_wal_senders = 0')
      await production.restart()
      const found = await check()
      expect(found).toMatchObject({ exitCode: 10 })
      expect(found.stdout + found.stderr).toContain("ALTER SYSTEM SET wal_level = 'replica';")
      const place = `127.0.0.1:${production.port}`
      const given = ['--name', 'low', '--password-file', join(root, 'right')]
      const protectLow = () => openmaas(['database', 'protect', 'postgres', place, ...given])
      const refused = await protectLow()
      expect(refused).toMatchObject({ exitCode: 7 })
      expect(refused.stderr).toMatch(/cannot be protected yet: wal_level is minimal/)
      expect(refused.stderr).toContain("ALTER SYSTEM SET wal_level = 'replica';")
      const slots = () => production.sql('select count(*)::int from pg_replication_slots')
      expect(await slots()).toBe(0)
      await production.sql('alter system reset all')
      await production.restart()
      // The same line again goes on with the source that it made.
      const mended = await protectLow()
      expect(mended.stderr).toMatch(/low was begun before and has no point yet: that goes on/)
      expect(mended).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^src_\w+\n$/) })
      // With a point it is somebody's, and its name taken.
      expect((await protectLow()).stderr).toMatch(/low/)
      const removal = ['source', 'remove', 'low', '--yes', '--reason', 'a test']
      const removed = await openmaas(removal)
      expect(removed.stderr).toMatch(/its standby is ended by a job.*openmaas job show job_/)
      await waitFor('its slot is dropped', async () => (await slots()) === 0, LONG)
    })

    test('an engine that no plug-in of the host knows is named, with those there are', async () => {
      const found = await check([], 'en', 'oracle')
      expect(found).toMatchObject({ exitCode: 2 })
      expect(found.stderr).toMatch(/no plug-in for oracle; it knows postgres, mysql/)
    })

    test('each point is verified by policy, and its evidence stays with it', async () => {
      const policy = await server.api.call('createPolicy', {
        body: {
          name: 'each',
          spec: { rpo: '1w', verify: { every: '1d', points: 'each' } },
        },
      })
      const { host, port, user, password } = production.connection
      const source = await server.api.call('createSource', {
        body: {
          name: 'shop',
          hostId,
          kind: 'postgres',
          policyId: policy.id,
          database: {
            connection: { host, port, user, password },
            volumeBytes: 512 * MIB,
            assertions: [{ database: 'postgres', sql: 'select count(*) = 0 from orders' }],
          },
        },
      })
      sourceId = source.id
      await protect()
      const verified = async (): Promise<Point | false> => {
        const point = await newestPoint()
        return point.verification !== null && point
      }
      const good = (await waitFor('the point is verified', verified, LONG)) as Point
      expect(good.verification).toMatchObject({ state: 'verified', by: 'database', reason: '' })
      expect(good.verification!.checks!.map(({ name }) => name)).toEqual([
        'checksums',
        'structure',
        'postgres: select count(*) = 0 from orders',
      ])
      expect(good.verifiedAt).toBe(good.verification!.at)

      // What is asserted holds no more: production went on, or somebody asks for more.
      const asked = ['--assert', 'postgres: select count(*) > 5 from orders']
      expect(await openmaas(['database', 'change', 'shop', ...asked])).toMatchObject({
        exitCode: 0,
      })
      await protect()
      const bad = (await waitFor('the point is looked at', verified, LONG)) as Point
      expect(bad.verification).toMatchObject({ state: 'failed', failedCount: 1, checkCount: 3 })
      expect(bad.verification!.reason).toMatch(/select count\(\*\) > 5 from orders.*answered/)
      expect(bad.verifiedAt).toBeNull()
      const shown = await openmaas(['point', 'show', bad.id])
      expect(shown.stdout).toMatch(/verification:\n\s+(?:.*\n)*?\s+state: failed/)
    })

    test('disks that take no writes since an error are mounted anew, and used on', async () => {
      expect(await openmaas(['vdb', 'create', 'shop', '--name', 'copy'])).toMatchObject({
        exitCode: 0,
      })
      const { items } = await server.api.call('listVirtualDatabases', {})
      const made = items.find(({ name }) => name === 'copy')!
      const { mediumId } = (await server.api.call('getSource', { params: { sourceId: sourceId! } }))
        .database!
      const places = [mediumId, made.mediumId].map((id) => `/mnt/openmaas/${id}`)
      for (const place of places) await breakFileSystem(place)
      expect(places.map(isWritable)).toEqual([false, false])
      // The standby, by what takes the next point; the copy, by whoever starts it.
      await protect()
      for (const verb of ['stop', 'start']) {
        expect(await openmaas(['vdb', verb, 'copy'])).toMatchObject({ exitCode: 0 })
      }
      expect(places.map(isWritable)).toEqual([true, true])
      await openmaas(['vdb', 'drop', 'copy', '--yes', '--reason', 'a test'])
    })

    test('a port that is taken is called so, and a verification by hand says what failed', async () => {
      const taken = createServer()
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
      const { port } = taken.address() as AddressInfo
      const made = await openmaas(['vdb', 'create', 'shop', '--port', `${port}`])
      taken.close()
      expect(made).toMatchObject({ exitCode: 7 })
      expect(made.stderr).toMatch(new RegExp(`port ${port}`))
      expect(made.stderr).toMatch(/Choose another port|end the program that listens/)
      const verified = await openmaas(['vdb', 'verify', 'shop'])
      expect(verified).toMatchObject({ exitCode: 10 })
      expect(verified.stderr).toMatch(/Failed: postgres: select count\(\*\) > 5 from orders: /)
    })
  })
})

requires({ linux: true, root: true, programs: ['mariadbd'] }, () => {
  test('a MariaDB without a binary log is told to turn it on', async () => {
    const root = mkdtempSync('/dev/shm/openmaas-trouble-')
    chmodSync(root, 0o755)
    const directory = join(root, 'production')
    const { makeMysqlPlugin } = await import('@openmaas/source-mysql/plugin')
    const production = await ProductionServer.make({
      product: 'mariadb',
      directory,
      programs: null,
    })
    try {
      await production.stop()
      await production.start(['--skip-log-bin'])
      const connection = { ...production.connection, password: PASSWORD }
      const context = { signal: new AbortController().signal, progress: () => undefined }
      const { checks } = await makeMysqlPlugin().check({ engine: 'mysql', connection }, context)
      const missing = checks.filter(({ ok }) => !ok)
      expect(missing.map(({ name }) => name)).toEqual(['log_bin'])
      expect(missing[0]).toMatchObject({
        message: expect.stringMatching(/log_bin is OFF, and must be ON/),
        remedy: expect.stringContaining('[mysqld]\nlog_bin = binlog'),
      })
    } finally {
      await production[Symbol.asyncDispose]()
      rmSync(root, { recursive: true, force: true })
    }
  })
})
