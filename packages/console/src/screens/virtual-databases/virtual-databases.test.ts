import type { VirtualDatabaseState } from '@openmaas/api/resources/virtual-database'
import { describe, expect, test } from 'vitest'
import { parseAssertions } from './assertions.ts'
import { engineText, placeText } from './engine.ts'
import { losesOf } from './loss.ts'
import { createCli, emptyForm, parseSettings } from './new-database/create-form.ts'
import { proposeName, refreshOf, toAutoRefresh, toCreateBody } from './new-database/create-form.ts'
import { judgeTime, momentText, NEWEST, toMomentBody } from './new-database/moment.ts'
import { shareIn, usefulZooms, viewOf } from './new-database/range-view.ts'
import { momentsOf } from './own-timeline.ts'
import { firstRecovery, productionPlace, toRecoverWish } from './recover-production/recover-form.ts'
import { shellWord, snippetOf, SNIPPETS } from './snippets.ts'
import { canDo, type Verb } from './states.ts'
import { totalsOf } from './totals.ts'

const DAY_MS = 86_400_000
const now = new Date(2026, 10, 22, 15, 30)
const iso = (ms: number): string => new Date(now.getTime() + ms).toISOString()

describe('a point started where production stood', () => {
  const of = (host: string) =>
    ({ name: 'shop', database: { connection: { host, port: 5433 } } }) as never

  test('is proposed on its port, and on the network where production was', () => {
    expect(firstRecovery(of('db1'))).toMatchObject({ name: 'shop-now', port: 5433, isOpen: true })
    expect(firstRecovery(of('127.0.0.1')).isOpen).toBe(false)
    expect(productionPlace(of('db1'))).toBe('db1:5433')
    expect(firstRecovery({ name: 'shop', database: null })).toMatchObject({ port: null })
  })

  test('is asked for only when nothing is missing', () => {
    const there = { sourceId: 'src_1', hostId: 'hst_1', moment: {} }
    const form = { ...firstRecovery(of('db1')), settings: 'work_mem = 8MB' }
    expect(toRecoverWish(form, there)).toEqual({
      sourceId: 'src_1',
      hostId: 'hst_1',
      name: 'shop-now',
      port: 5433,
      listen: ['0.0.0.0'],
      settings: { work_mem: '8MB' },
    })
    const atPoint = { ...there, moment: { pointId: 'pnt_1' } }
    expect(toRecoverWish(form, atPoint)).not.toHaveProperty('sourceId')
    expect(toRecoverWish({ ...form, port: null }, there)).toBeNull()
    expect(toRecoverWish(form, { ...there, hostId: null })).toBeNull()
    expect(toRecoverWish(form, { ...there, moment: null })).toBeNull()
    expect(toRecoverWish({ ...form, settings: 'nonsense' }, there)).toBeNull()
  })
})

test('the quota that is proposed to a limited role fits into the volume of the source', () => {
  expect(emptyForm(true).quotaGib).toBe(10)
  expect(emptyForm(true, 100 * 1024 ** 3).quotaGib).toBe(10)
  expect(emptyForm(true, 1024 ** 3 + 1).quotaGib).toBe(1)
  expect(emptyForm(true, 1024 ** 3 / 4).quotaGib).toBe(0.25)
  expect(emptyForm(false, 1024 ** 3).quotaGib).toBeNull()
})

describe('what a refresh takes away', () => {
  const made = { liveSync: false, createdAt: iso(-DAY_MS), readyAt: iso(-1000) }

  test('is what was written since the last one, or since it was ready', () => {
    const written = { ...made, lastRefreshAt: null, writtenBytes: 4096 }
    expect(losesOf(written)).toEqual({ since: iso(-1000), bytes: 4096 })
    const refreshed = { ...written, lastRefreshAt: iso(-10), writtenBytes: null }
    expect(losesOf(refreshed)).toEqual({ since: iso(-10), bytes: null })
  })

  test('is nothing of one that follows production', () => {
    const following = { ...made, liveSync: true, lastRefreshAt: null, writtenBytes: 4096 }
    expect(losesOf(following)).toBeNull()
  })
})

describe('what can be done with one', () => {
  const facts = (state: VirtualDatabaseState, changed: object = {}) => {
    const there = { endedAt: null, kept: false, port: 5433, problem: null, liveSync: false }
    return { state, ...there, sync: null, directory: null, ...changed }
  }
  const all: Verb[] = ['refresh', 'reset', 'bookmark', 'branch', 'stop', 'start', 'extend', 'drop']
  const verbsOf = (state: VirtualDatabaseState, changed: object = {}) =>
    all.filter((verb) => canDo(verb, facts(state, changed), () => true))

  test('is everything but a start while it runs, and little while something is under way', () => {
    expect(verbsOf('running')).toEqual(all.filter((verb) => verb !== 'start'))
    expect(verbsOf('stopped')).toContain('start')
    expect(verbsOf('refreshing')).toEqual(['extend', 'drop'])
    expect(verbsOf('dropping')).toEqual([])
    expect(verbsOf('dropped', { endedAt: iso(0) })).toEqual([])
  })

  test('is no drop of one that is kept, and force only where something is wrong', () => {
    expect(verbsOf('running', { kept: true })).not.toContain('drop')
    expect(canDo('force-drop', facts('running'), () => true)).toBe(false)
    expect(canDo('force-drop', facts('lost'), () => true)).toBe(true)
  })

  test('is pause, resume and open of one that follows, and no state of its own', () => {
    const sync = { state: 'following', lagMs: 0, lagBytes: 0, reason: '', asOf: null } as const
    const following = facts('running', { liveSync: true, sync })
    const can = (verb: Verb, one = following): boolean => canDo(verb, one, () => true)
    expect([can('pause'), can('resume'), can('open'), can('refresh')]).toEqual([
      true,
      false,
      true,
      true,
    ])
    expect([can('bookmark'), can('reset'), can('promote')]).toEqual([false, false, false])
    const paused = facts('running', { liveSync: true, sync: { ...sync, state: 'paused' } })
    expect([can('pause', paused), can('resume', paused)]).toEqual([false, true])
  })

  test('of one on a local directory is no refresh, and a drop with or without its data', () => {
    const moved = facts('running', { directory: '/srv/pg/shop' })
    const can = (verb: Verb): boolean => canDo(verb, moved, () => true)
    expect([can('refresh'), can('promote'), can('extend')]).toEqual([false, false, false])
    expect([can('drop'), can('drop-keep-data')]).toEqual([true, true])
  })

  test('is nothing that the role may not', () => {
    expect(canDo('refresh', facts('running'), (name) => name !== 'virtual-database.operate')).toBe(
      false,
    )
  })
})

describe('a moment', () => {
  const ranges = [
    { from: iso(-5 * DAY_MS), until: iso(-3 * DAY_MS) },
    { from: iso(-2 * DAY_MS), until: iso(-60_000) },
  ]
  const range = { from: ranges[0]!.from, until: ranges[1]!.until, live: true, ranges }
  const at = (ms: number) => momentText(new Date(now.getTime() + ms))
  const judge = (typed: string, live = true) => judgeTime(typed, now, { ...range, live }).is

  test('is inside of a range, in a gap, older than all, or not yet', () => {
    expect(judge(at(-DAY_MS))).toBe('inside')
    expect(judge(at(-2.5 * DAY_MS))).toBe('gap')
    expect(judge(at(-6 * DAY_MS))).toBe('before')
    expect(judge(at(60_000))).toBe('future')
    expect(judge('half past nine')).toBe('unreadable')
    expect(judge(' ')).toBe('empty')
  })

  test('later than the newest point is had while the standby follows, and not otherwise', () => {
    expect(judge(at(-30_000))).toBe('inside')
    expect(judge(at(-30_000), false)).toBe('after')
  })

  test('is sent as what was chosen, and not at all while it is wrong', () => {
    expect(toMomentBody(NEWEST, now, range)).toEqual({})
    expect(toMomentBody({ ...NEWEST, kind: 'now' }, now, range)).toEqual({ at: range.until })
    expect(toMomentBody({ ...NEWEST, kind: 'time', time: at(-DAY_MS) }, now, range)).toEqual({
      at: iso(-DAY_MS),
    })
    expect(toMomentBody({ ...NEWEST, kind: 'time', time: at(-6 * DAY_MS) }, now, range)).toBeNull()
    expect(toMomentBody({ ...NEWEST, kind: 'point' }, now, range)).toBeNull()
    const wanted = { ...NEWEST, kind: 'transaction', transaction: ' 0-1-129 ' } as const
    expect(toMomentBody(wanted, now, range)).toEqual({ transaction: '0-1-129' })
    expect(toMomentBody({ ...wanted, transaction: '1;2' }, now, range)).toBeNull()
  })

  test('is shown on a bar that never leaves what can be had', () => {
    const all = { fromMs: 0, untilMs: 10 * DAY_MS }
    expect(viewOf(all, 'day', 0)).toEqual({ fromMs: 0, untilMs: DAY_MS })
    expect(viewOf(all, 'day', 10 * DAY_MS).untilMs).toBe(10 * DAY_MS)
    expect(viewOf(all, 'all', 5)).toEqual(all)
    expect(shareIn(all, 5 * DAY_MS)).toBe(0.5)
    expect(shareIn(all, -5)).toBe(0)
    expect(usefulZooms({ fromMs: 0, untilMs: 2 * DAY_MS })).toEqual(['hour', 'day', 'all'])
  })
})

describe('what is sent to make one', () => {
  const situation = {
    sourceId: 'src_1',
    hostId: 'hst_1',
    name: 'shop-test',
    moment: {},
    timezone: 'Asia/Shanghai',
    isLimited: false,
    asksConsent: false,
  }

  test('is of the source, or of a point alone', () => {
    const form = emptyForm(false)
    expect(toCreateBody(form, situation)).toMatchObject({
      sourceId: 'src_1',
      name: 'shop-test',
      port: null,
      listen: ['127.0.0.1'],
      quotaBytes: null,
      autoRefresh: null,
    })
    const ofPoint = toCreateBody(form, { ...situation, moment: { pointId: 'pnt_1' } })
    expect(ofPoint).toMatchObject({ pointId: 'pnt_1' })
    expect(ofPoint).not.toHaveProperty('sourceId')
  })

  test('is nothing while something is missing: a host, a quota that is needed, a reason', () => {
    const form = emptyForm(true)
    expect(toCreateBody(form, { ...situation, hostId: null })).toBeNull()
    const limited = { ...situation, isLimited: true }
    expect(toCreateBody(form, limited)?.quotaBytes).toBe(10 * 1024 ** 3)
    expect(toCreateBody({ ...form, quotaGib: null }, limited)).toBeNull()
    expect(toCreateBody(form, { ...limited, asksConsent: true })).toBeNull()
    const reasoned = toCreateBody(
      { ...form, reason: ' a test ' },
      { ...limited, asksConsent: true },
    )
    expect(reasoned?.reason).toBe('a test')
    expect(toCreateBody({ ...form, settings: 'work_mem' }, situation)).toBeNull()
    expect(toCreateBody({ ...form, user: 'Root!' }, situation)).toBeNull()
  })

  test('reads settings and what refreshes by itself', () => {
    expect(parseSettings('work_mem = 64MB\n\njit=off ')).toEqual({ work_mem: '64MB', jit: 'off' })
    expect(toAutoRefresh({ refresh: '1d', cron: '' }, 'UTC')).toEqual({
      every: '1d',
      timezone: 'UTC',
    })
    expect(toAutoRefresh({ refresh: 'cron', cron: '0 6' }, 'UTC')).toBeUndefined()
    const cron = toAutoRefresh({ refresh: 'cron', cron: '0 6 * * *' }, 'Asia/Shanghai')
    expect(refreshOf(cron!)).toEqual({ refresh: 'cron', cron: '0 6 * * *' })
    expect(refreshOf({ every: '12h', timezone: 'UTC' })).toEqual({ refresh: 'off', cron: '' })
  })

  test('is said as a line for the CLI', () => {
    const form = { ...emptyForm(true), lifetimeSeconds: 7200 }
    expect(createCli("li's shop", 'db-1', 'test', form, { transaction: '742' })).toBe(
      String.raw`openmaas vdb create 'li'\''s shop' --transaction 742 --name test ` +
        '--to db-1 --drop-after 2h --quota 10GiB',
    )
    expect(proposeName('shop', new Date(2026, 10, 3, 4, 5))).toBe('shop-1103-0405')
  })
})

test('its timeline is the newest first, with branches and bookmarks in between', () => {
  const made = { createdAt: iso(0), readyAt: iso(5000), lastRefreshAt: iso(90_000), endedAt: null }
  const bookmark = { id: 'bmk_1', name: 'before', takenAt: iso(60_000), createdAt: iso(59_000) }
  const child = { id: 'vdb_2', name: 'branch', state: 'running', createdAt: iso(70_000) }
  const moments = momentsOf(made, [bookmark as never], [child as never])
  expect(moments.map(({ kind }) => kind)).toEqual([
    'now',
    'refreshed',
    'branch',
    'bookmark',
    'made',
  ])
  const fresh = momentsOf({ ...made, lastRefreshAt: made.readyAt, endedAt: iso(9) }, [], [])
  expect(fresh.map(({ kind }) => kind)).toEqual(['made'])
})

test('engines and addresses are written for people', () => {
  expect(engineText({ engine: 'postgres', engineVersion: '15.6' })).toBe('PostgreSQL 15.6')
  const maria = { engine: 'mysql', engineVersion: '10.11.6-MariaDB-0+deb12u1' }
  expect(engineText(maria)).toBe('MariaDB 10.11.6')
  expect(engineText({ engine: 'oracle', engineVersion: '' })).toBe('oracle')
  const place = { address: null, port: 5433, listen: ['127.0.0.1'] }
  expect(placeText(place, 'db-1')).toBe('127.0.0.1:5433')
  expect(placeText({ ...place, listen: ['0.0.0.0'] }, 'db-1')).toBe('db-1:5433')
  expect(placeText({ ...place, port: null }, 'db-1')).toBe('')
})

test('lines for test jobs name source, host and quota, and drop what they made', () => {
  const facts = {
    server: 'https://maas.example',
    sourceId: 'src_1',
    sourceName: 'shop',
    hostId: 'hst_1',
    hostName: 'db-1',
    quotaBytes: null,
  }
  for (const kind of SNIPPETS) expect(snippetOf(kind, facts), kind).toMatch(/drop/)
  expect(snippetOf('gitlab', facts)).toContain(
    'openmaas vdb create shop --for "$CI_JOB_ID" --drop-after 2h --quota 10GiB --to db-1',
  )
  expect(snippetOf('curl', facts)).toContain('"sourceId":"src_1"')
  expect(shellWord('a b')).toBe("'a b'")
})

test('statements that must be true name their database', () => {
  expect(parseAssertions('shop: select 1 = 1\n')).toEqual([
    { database: 'shop', sql: 'select 1 = 1' },
  ])
  expect(parseAssertions('')).toEqual([])
  expect(parseAssertions('select 1')).toBeNull()
})

test('what is theirs adds up', () => {
  const own = [
    { quotaBytes: 5, leaseUntil: iso(2) },
    { quotaBytes: null, leaseUntil: iso(1) },
  ]
  expect(totalsOf(own)).toEqual({ count: 2, quotaBytes: 5, nextEndAt: iso(1) })
})
