/** What the commands about databases say before, while and after they ask the server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addSourceDatabase, markJson } from '@openmaas/control/http/database.test-support'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { type Ended, runOpenmaas } from './openmaas.test-support.ts'
import { startServerSite } from './server-site.test-support.ts'
import type { ServerSite } from './server-site.test-support.ts'

const NAME = 'acme-virtual-database'
const SINCE = Date.parse('2026-11-20T08:00:00Z')

let directory: TemporaryDirectory
let site: ServerSite
beforeAll(async () => {
  directory = new TemporaryDirectory()
  site = await startServerSite(directory.path)
  const { db } = site.server.catalog
  const { source, point } = site.tenant
  await addSourceDatabase(site.server.catalog, source)
  const at = { databaseJson: markJson(SINCE), takenAt: SINCE }
  await db.updateTable('point').set(at).where('id', '=', point).execute()
  await set({ lastRefreshAt: SINCE, writtenBytes: 12 * 1024 ** 2, pointId: point })
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  directory.dispose()
})

const openmaas = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> =>
  runOpenmaas(site, directory.path, args, env)

/** Of the virtual database. */
async function set(changes: object): Promise<void> {
  await site.server.catalog.db.updateTable('virtualDatabase').set(changes).execute()
}

describe.each(['refresh', 'reset'])('vdb %s', (verb) => {
  const loss = `What was written to ${NAME} since 2026-11-20 08:00 will be gone: 12.0 MiB.`

  test('without a terminal says what is lost, and wants a yes', async () => {
    const asked = await openmaas(['vdb', verb, NAME])
    expect(asked).toMatchObject({ code: 2, stdout: '' })
    expect(asked.stderr).toContain(`${loss}\nerror: this needs a yes`)
    const looked = await openmaas(['vdb', verb, NAME, '--dry-run'])
    expect(looked).toMatchObject({ code: 0, stderr: `${loss}\n` })
    const plan = await openmaas(['vdb', verb, NAME, '--dry-run', '-o', 'json'])
    expect(JSON.parse(plan.stdout)).toMatchObject({ warnings: [expect.stringMatching(/12.0 MiB/)] })
  })

  test('with a yes does it, and tells the id of its job at once', async () => {
    const done = await openmaas(['vdb', verb, NAME, '--yes'])
    expect(done.code, done.stderr).toBe(0)
    expect(done.stderr).toMatch(/gone: 12\.0 MiB\.\nJob job_\w+\n$/)
    await set({ state: 'running' })
  })
})

test('what follows production has nothing to lose, and is refreshed unasked', async () => {
  await set({ liveSync: 1 })
  const done = await openmaas(['vdb', 'refresh', NAME, '--json'])
  expect(done.code, done.stderr).toBe(0)
  // With --json every line of stderr is JSON, too.
  expect(JSON.parse(done.stderr)).toEqual({ jobId: expect.stringMatching(/^job_/) as unknown })
  await set({ liveSync: 0, state: 'running' })
})

describe('vdb show', () => {
  const show = async (...more: string[]): Promise<string> =>
    (await openmaas(['vdb', 'show', NAME, ...more])).stdout

  test('says what one that follows follows, since when, and how far behind it is', async () => {
    const status = {
      state: 'following',
      reason: '',
      mustReseed: false,
      received: null,
      applied: null,
    }
    const lag = {
      lagMs: 1500,
      lagBytes: 3 * 1024 ** 2,
      retainedBytes: null,
      retainedLimitBytes: null,
    }
    const syncJson = JSON.stringify({ ...status, ...lag, logBytes: 0 })
    await set({ liveSync: 1, syncPaused: 0, syncJson, syncAt: Date.now(), dataAt: SINCE })
    expect(await show()).toMatch(
      /^# Follows acme-source \(.+\) since 2026-11-20 08:00\.\n# Not paused\. Behind production: 1\.5 s, 3\.00 MiB\. \(seen just now\)\nid: vdb_/,
    )
    await set({ syncPaused: 1 })
    expect(await show()).toMatch(/# Paused: it shows production as of 2026-11-20 08:00\./)
    const chinese = await openmaas(['vdb', 'show', NAME, '--lang', 'zh'])
    expect(chinese.stdout).toMatch(/^# 自 2026-11-20 08:00 起同步 acme-source \(.+\)。\n# 已暂停：/)
    await set({ liveSync: 0, syncPaused: 0, syncJson: null, syncAt: null })
  })

  test('has bare values for programs, and units where a table is asked for', async () => {
    expect(await show()).toContain('\nwrittenBytes: 12582912\n')
    expect(await show('-o', 'table')).toContain('\nwrittenBytes: 12582912  # 12.0 MiB\n')
  })
})

test('a table that is asked for by name has headings and units, also in a pipe', async () => {
  const bare = await openmaas(['vdb', 'list'])
  expect(bare.stdout).toMatch(/^acme-virtual-database\trunning\t/)
  const table = await openmaas(['vdb', 'list', '-o', 'wide'])
  expect(table.stdout).toMatch(
    /^NAME +STATE .*WRITTEN.*\nacme-virtual-database +running .*12\.0 MiB/,
  )
  const plain = await openmaas(['vdb', 'list', '-o', 'table', '--no-headers'])
  expect(plain.stdout).toMatch(/^acme-virtual-database +running /)
})

describe('--at', () => {
  const create = (at: string, env?: NodeJS.ProcessEnv): Promise<Ended> => {
    const args = ['vdb', 'create', 'acme-source', '--at', at, '--to', 'acme-host', '--dry-run']
    return openmaas([...args, '--name', 'second'], env)
  }

  test('tells how it was understood, with offset and zone, before anything begins', async () => {
    const utc = await create('2026-11-21 02:14:05.123456+00')
    expect(utc.code, utc.stderr).toBe(0)
    expect(utc.stderr).toBe(
      'at 2026-11-21 02:14:05.123 +00:00 (UTC); what is finer than a millisecond is cut off, ' +
        'so nothing later is in it\n',
    )
    expect(utc.stdout).toContain('dataAt: 2026-11-21T02:14:05.123Z')
    const local = await create('2026-11-21 02:14', { TZ: 'Asia/Shanghai' })
    expect(local.stderr).toBe(
      'at 2026-11-21 02:14:00.000 +08:00 (Asia/Shanghai), 2026-11-20 18:14:00.000 UTC\n',
    )
  })

  test('refuses what is no time, and says what would be one', async () => {
    const refused = await create('when it was good')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/--at wants a time \("2026-11-23 14:03:07\+02"/)
  })
})

test('what a server refuses is named as it was written on the command line', async () => {
  const refused = await openmaas(['vdb', 'extend', NAME, '--quota', '5MiB'])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('error: --quota: it has written 12.0 MiB already (REQUEST_INV')
  const forgotten = await openmaas(['vdb', 'extend', NAME, '--quota', '5'])
  expect(forgotten.stderr).toContain('--quota wants a unit: 5GiB, 5MiB, or 5B for bytes')
})

test('a promotion says into a pipe where it stands now', async () => {
  const done = await openmaas(['vdb', 'promote', NAME, '--directory', '/srv/pg/a'])
  expect(done.code, done.stderr).toBe(0)
  expect(done.stdout).toBe(`${site.tenant.virtualDatabase}\t/srv/pg/a\n`)
  await set({ state: 'running' })
})

test('a name that is none is refused with the rule, in both languages', async () => {
  const point = site.tenant.point
  const args = ['vdb', 'create', point, '--to', 'acme-host', '--name', 'bad name/..']
  const english = await openmaas(args)
  expect(english.code).toBe(2)
  expect(english.stderr).toMatch(/a name begins with a letter or a digit/)
  const chinese = await openmaas([...args, '--lang', 'zh'])
  expect(chinese.stderr).toMatch(/^错误： ?名称须以字母、汉字或数字开头/)
})
