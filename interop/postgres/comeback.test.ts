/**
 * Goal: what was away or killed and comes back is gone on with, or said to be of no use any more.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { DatabaseStatus, RunningInstance } from '@openmaas/protocols/channel/database-orders'
import { findServer, killProcess, sessionMembers } from '@openmaas/source-kit/server-process'
import { StandbyGuard } from '@openmaas/source-postgres/guard'
import { placeOf, slotName } from '@openmaas/source-postgres/place'
import { PostgresFixture } from './fixture.test-support.ts'
import { folderOf } from './production.test-support.ts'

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
    fixture = await PostgresFixture.make({ major: 15 })
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
      await plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
    }
    await plugin.unfollow({ ...place, connection, forget: true }, CONTEXT)
    await fixture.production.sql('truncate load')
    row = 0
  })

  const seed = (): Promise<unknown> =>
    fixture.plugin.seed({ ...place, connection: fixture.connection, bytesPerSecond: null }, CONTEXT)
  const followed = () => ({
    ...place,
    connection: fixture.connection,
    retainedLimitBytes: 1024 ** 3,
    synchronous: false,
  })
  const follow = (): Promise<DatabaseStatus> => fixture.plugin.follow(followed(), CONTEXT)
  const status = (): Promise<DatabaseStatus> =>
    fixture.plugin.status({ ...place, connection: fixture.connection }, CONTEXT)
  const mark = (): Promise<{ atMs: number }> =>
    fixture.plugin.mark({ ...place, connection: fixture.connection }, CONTEXT)
  const follows = (): Promise<unknown> =>
    waitFor('the standby follows', async () => (await status()).state === 'following', LONG)
  const commit = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      await fixture.commit(row)
      row += 1
    }
  }
  const newClone = async (): Promise<typeof place> => {
    number += 1
    const id = `vdb_${String(number).padStart(26, '0')}`
    const clone = { ...place, id, directory: await fixture.copyVolume(place.directory) }
    clones.push(clone)
    return clone
  }
  const activate = (clone: typeof place): Promise<RunningInstance> => {
    const target = { kind: 'snapshot' } as const
    const how = { target, port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
    return fixture.plugin.activate({ ...clone, ...USER, ...how, logDirectories: [] }, CONTEXT)
  }
  const rowsOf = async ({ port }: RunningInstance): Promise<number[]> =>
    await fixture.rows({ ...USER, port })

  test('an old production that comes back after its successor was followed breaks the chain', async () => {
    await seed()
    await follow()
    await commit(3)
    await fixture.production.setAside('replaced')
    await follows()
    await fixture.production.promote()
    await commit(3)
    await new StandbyGuard(fixture.options).look(followed())
    await follows()
    await mark()
    // While nobody answers there is no proof of anything.
    await fixture.production.stop()
    expect(await status()).toMatchObject({ state: 'stopped', mustReseed: false })
    await fixture.production.comeBack('replaced')
    const found = await waitFor(
      'it is told',
      async () => {
        const now = await status()
        return now.state === 'broken' && now
      },
      LONG,
    )
    expect(found).toMatchObject({ mustReseed: true })
    expect(found.reason).toMatch(/older state of production .* on timeline \d+/)
    // A new copy is what is left, and follows it.
    const { connection, plugin } = fixture
    const renewed = { ...place, connection, bytesPerSecond: null, renew: 'job_2' }
    await plugin.seed(renewed, CONTEXT)
    await follow()
    await follows()
  })

  test('a production that cannot be told is named with what it keeps, and the SQL for it', async () => {
    await seed()
    const { plugin, connection, production } = fixture
    await production.stop()
    const name = slotName(place.id)
    await expect(
      plugin.unfollow({ ...place, connection, forget: true }, CONTEXT),
    ).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      details: {
        left: `replication slot ${name}`,
        remedy: `SELECT pg_drop_replication_slot('${name}');`,
      },
    })
  })

  test('a virtual database that was just killed is waited for, and started when it must be', async () => {
    await seed()
    await follow()
    await commit(5)
    await mark()
    const clone = await newClone()
    const { port } = await activate(clone)
    const { server } = placeOf(clone, fixture.options)
    const members = () => sessionMembers(findServer(server)!.pid)
    // The server alone: its keeper has it up again, and it recovers, which takes a while.
    killProcess(members()[1]!, 'SIGKILL')
    expect(await activate(clone)).toMatchObject({ port })
    // Everything but one of its processes, which is about to end as well.
    const [keeper, postmaster] = members()
    killProcess(keeper!, 'SIGKILL')
    killProcess(postmaster!, 'SIGKILL')
    const again = await activate(clone)
    expect(again).toMatchObject({ port })
    expect(await rowsOf(again)).toEqual([0, 1, 2, 3, 4])
  })
})
