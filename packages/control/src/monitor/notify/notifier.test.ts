import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { makeControlId } from '@openmaas/api/ids'
import type { NotifyMatch } from '@openmaas/api/resources/notification'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { ServerKey } from '../../auth/server-key.ts'
import { SettingsStore } from '../../auth/settings-store.ts'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import { appendEvent } from '../../catalog/events.ts'
import { makeTestServer } from '../../http/server.test-support.ts'
import type { TestServer } from '../../http/server.test-support.ts'
import { ALERT_OPENED, ALERT_RESOLVED, queueFromEvents } from './alert-events.ts'
import { sealConfig } from './channel-repository.ts'
import { notifyHandlers } from './handlers.ts'
import { isTimezone, matchesAlert, nextMorning, sendAt } from './match.ts'
import { ATTEMPT_COUNT_MAX, Notifier } from './notifier.ts'
import { endSilence, saveSilence } from '../alerts/silences.ts'
import { REPEAT_AFTER_MS } from './queue.ts'
import type { AlertRow } from './queue.ts'

const MINUTE_MS = 60_000
const BASE: NotifyMatch = { digest: false, language: 'en' }

interface Sent {
  readonly url: string
  readonly title: string
  readonly count: number
}

const byText = (one: string, other: string): number => (one < other ? -1 : 1)

/** What channels would have sent; `status` is what the receivers answer. */
class Wire {
  readonly sent: Sent[] = []
  status = 200
  readonly fetch = (async (url: string, init: { body: string }) => {
    const { data } = JSON.parse(init.body) as {
      data: { title: string; alerts: unknown[] }
    }
    this.sent.push({ url, title: data.title, count: data.alerts.length })
    return new Response('answer', { status: this.status })
  }) as unknown as typeof fetch
}

describeBothCatalogs('notification', (make) => {
  const start = async () => {
    const clock = new FakeClock()
    const random = new SeededRandom(1)
    const catalog = await make(clock)
    const serverKey = new ServerKey(random.bytes(32), random)
    const settings = new SettingsStore(catalog, clock, serverKey)
    const wire = new Wire()
    const describe = (alert: { rule: string }, language: string) => {
      return { title: `${alert.rule} ${language}`, cause: 'why', nextStep: 'what' }
    }
    const options = { catalog, clock, random, serverKey, settings, fetch: wire.fetch, describe }
    const notifier = new Notifier(options)
    // From here on, what happens is news.
    await notifier.tick()
    const addChannel = async (name: string, enabled = 1) => {
      const id = makeControlId('channel', clock, random)
      const configSealed = sealConfig(id, { url: `http://${name}/` }, serverKey)
      const row = { id, name, kind: 'webhook', configSealed, enabled, createdAt: 0, version: 1 }
      await catalog.db.insertInto('channel').values(row).execute()
      return id
    }
    const addRule = async (channels: readonly string[], match: Partial<NotifyMatch> = {}) => {
      const id = makeControlId('notifyRule', clock, random)
      const matchJson = JSON.stringify({ ...BASE, ...match })
      const channelsJson = JSON.stringify(channels)
      const row = { id, name: id, matchJson, channelsJson, enabled: 1, version: 1 }
      await catalog.db.insertInto('notifyRule').values(row).execute()
    }
    const fire = (rule: string, more: Partial<AlertRow> = {}) =>
      catalog.transaction(async (trx) => {
        const alert: AlertRow = {
          id: makeControlId('alert', clock, random),
          rule,
          key: rule,
          severity: 'warning',
          state: 'firing',
          subject: 'src_1',
          labelsJson: '{"env":"prod"}',
          paramsJson: '{}',
          openedAt: clock.wallMs(),
          seenAt: clock.wallMs(),
          resolvedAt: null,
          acknowledgedBy: null,
          acknowledgedAt: null,
          ...more,
        }
        await trx.insertInto('alert').values(alert).execute()
        const told = { topic: 'alerts', subject: alert.id, labels: {}, data: {} } as const
        await appendEvent(trx, { ...told, type: ALERT_OPENED }, clock)
        return alert
      })
    const resolve = (alert: AlertRow) =>
      catalog.transaction(async (trx) => {
        const change = { state: 'resolved', resolvedAt: clock.wallMs() } as const
        await trx.updateTable('alert').set(change).where('id', '=', alert.id).execute()
        const told = { topic: 'alerts', subject: alert.id, labels: {}, data: {} } as const
        await appendEvent(trx, { ...told, type: ALERT_RESOLVED }, clock)
      })
    return { clock, catalog, wire, options, notifier, addChannel, addRule, fire, resolve }
  }
  /** As an operator does it. */
  const silence = (catalog: Catalog, key: string, forMs: number) => {
    const createdAt = catalog.clock.wallMs()
    const row = { key, until: createdAt + forMs, reason: 'r', createdBy: 'user:usr_1', createdAt }
    return catalog.transaction((trx) => saveSilence(trx, row))
  }
  const statesOf = async (catalog: Catalog) => {
    const rows = await catalog.db.selectFrom('notification').selectAll().orderBy('id').execute()
    return rows.map((row) => [row.state, row.attempts, row.error])
  }

  test('goes to the channels of the rules that match, once to each', async () => {
    const { wire, notifier, addChannel, addRule, fire } = await start()
    const [a, b, c] = [await addChannel('a'), await addChannel('b'), await addChannel('c')]
    await addRule([a, b], { severities: ['warning'] })
    await addRule([a], { labels: { env: ['prod', 'test'] } })
    await addRule([c], { rules: ['other.rule'] })
    await addRule([c], { labels: { env: 'test' } })
    await fire('source.rpo')
    expect(await notifier.tick()).toBe(2)
    expect(wire.sent.map(({ url, title }) => `${url} ${title}`).toSorted(byText)).toEqual([
      'http://a/ [Warning] source.rpo en',
      'http://b/ [Warning] source.rpo en',
    ])
    expect(await notifier.tick()).toBe(0)
  })

  test('of many alerts at once is one message', async () => {
    const { wire, notifier, addChannel, addRule, fire } = await start()
    await addRule([await addChannel('a')], { language: 'zh' })
    for (let i = 0; i < 30; i += 1) await fire(`rule ${i}`)
    await notifier.tick()
    expect(wire.sent).toEqual([{ url: 'http://a/', title: 'OpenMaaS: 30 条告警', count: 30 }])
  })

  test('tells who was told that it is over, and nobody who was not', async () => {
    const { wire, notifier, addChannel, addRule, fire, resolve, catalog } = await start()
    await addRule([await addChannel('a')])
    const told = await fire('told')
    await notifier.tick()
    await resolve(told)
    await notifier.tick()
    expect(wire.sent.map((sent) => sent.title)).toEqual(['[Warning] told en', '[Resolved] told en'])
    const short = await fire('short')
    await resolve(short)
    await addRule([await addChannel('b')], { rules: ['digested'], digest: true })
    await catalog.db.deleteFrom('notifyRule').where('matchJson', 'not like', '%digested%').execute()
    const digested = await fire('digested')
    await notifier.tick()
    expect(await statesOf(catalog)).toHaveLength(3)
    await resolve(digested)
    expect(await notifier.tick()).toBe(0)
    expect(await statesOf(catalog)).toEqual([
      ['sent', 1, null],
      ['sent', 1, null],
    ])
  })

  test('of what comes and goes waits a quarter of an hour', async () => {
    const { clock, wire, notifier, addChannel, addRule, fire, resolve } = await start()
    await addRule([await addChannel('a')])
    for (let i = 0; i < 10; i += 1) {
      const alert = await fire('flapping')
      await notifier.tick()
      clock.advance(MINUTE_MS)
      await resolve(alert)
      await notifier.tick()
      clock.advance(MINUTE_MS)
    }
    // Once, that it was over, and then silence until it stays.
    expect(wire.sent.length).toBeLessThanOrEqual(4)
    await fire('flapping')
    clock.advance(REPEAT_AFTER_MS)
    await notifier.tick()
    expect(wire.sent.at(-1)!.title).toBe('[Warning] flapping en')
  })

  test('that fails is tried again, later each time, and then given up', async () => {
    const { clock, wire, notifier, addChannel, addRule, fire, catalog } = await start()
    await addRule([await addChannel('a')])
    await fire('x')
    wire.status = 503
    const waits: number[] = []
    for (let i = 1; i < ATTEMPT_COUNT_MAX; i += 1) {
      expect(await notifier.tick()).toBe(1)
      const row = await catalog.db.selectFrom('notification').selectAll().executeTakeFirstOrThrow()
      waits.push((row.nextAt - clock.wallMs()) / 1000)
      expect(row).toMatchObject({ state: 'waiting', error: 'the channel answered 503: answer' })
      clock.jump(row.nextAt - 1)
      expect(await notifier.tick()).toBe(0)
      clock.advance(1)
    }
    expect(waits.slice(0, 9)).toEqual([30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
    await notifier.tick()
    expect(await statesOf(catalog)).toEqual([['failed', 16, 'the channel answered 503: answer']])
  })

  test('that is refused, or whose channel is off or does not open, is not tried again', async () => {
    const { wire, notifier, addChannel, addRule, fire, catalog } = await start()
    await addRule([await addChannel('a')])
    wire.status = 404
    await fire('x')
    await notifier.tick()
    const off = await addChannel('off', 0)
    const broken = await addChannel('broken')
    await catalog.db
      .updateTable('channel')
      .set({ configSealed: 's1.x' })
      .where('id', '=', broken)
      .execute()
    await addRule([off, broken])
    wire.status = 200
    await fire('y')
    await notifier.tick()
    const states = (await statesOf(catalog)).map(([state, , error]) => [state, error])
    expect(
      states.toSorted((one, other) => byText(JSON.stringify(one), JSON.stringify(other))),
    ).toEqual([
      ['failed', 'a sealed value does not open'],
      ['failed', 'the channel answered 404: answer'],
      ['failed', 'the channel is switched off'],
      ['sent', null],
    ])
  })

  test('two servers send a message once; one that died is taken over after its lease', async () => {
    const { clock, wire, notifier, options, addChannel, addRule, fire, catalog } = await start()
    await addRule([await addChannel('a')])
    await fire('x')
    await Promise.all([notifier.tick(), new Notifier(options).tick()])
    expect(wire.sent).toHaveLength(1)
    await fire('y')
    await queueFromEvents(catalog, options)
    const dead = { attempts: 1, nextAt: clock.wallMs() + 2 * MINUTE_MS }
    await catalog.db.updateTable('notification').set(dead).where('state', '=', 'waiting').execute()
    expect(await notifier.tick()).toBe(0)
    clock.advance(2 * MINUTE_MS)
    expect(await notifier.tick()).toBe(1)
  })

  test('that was sent long ago is forgotten', async () => {
    const { clock, notifier, addChannel, addRule, fire, catalog } = await start()
    await addRule([await addChannel('a')])
    await fire('x')
    await notifier.tick()
    clock.advance(89 * 24 * 60 * MINUTE_MS)
    await notifier.tick()
    expect(await statesOf(catalog)).toHaveLength(1)
    clock.advance(2 * 24 * 60 * MINUTE_MS)
    await notifier.tick()
    expect(await statesOf(catalog)).toEqual([])
  })

  test('of what happened before the first start, and of other events, is none', async () => {
    const { clock, catalog, options, addChannel, addRule, fire } = await start()
    await addRule([await addChannel('a')])
    await fire('x')
    await catalog.db.deleteFrom('meta').where('key', '=', 'notify.seq').execute()
    await queueFromEvents(catalog, options)
    const told = { topic: 'alerts', subject: 'alr_gone', labels: {}, data: {} } as const
    await catalog.transaction(async (trx) => {
      await appendEvent(trx, { ...told, type: 'alert.acknowledged' }, clock)
      await appendEvent(trx, { ...told, type: ALERT_OPENED }, clock)
    })
    await queueFromEvents(catalog, options)
    expect(await statesOf(catalog)).toEqual([])
    for (let i = 0; i < 101; i += 1) await fire(`rule ${i}`)
    await queueFromEvents(catalog, options)
    expect(await statesOf(catalog)).toHaveLength(101)
  })

  test('gathered for the next morning is one digest', async () => {
    const { clock, wire, notifier, addChannel, addRule, fire } = await start()
    await addRule([await addChannel('a')], { digest: true })
    for (let i = 0; i < 3; i += 1) {
      await fire(`rule ${i}`)
      clock.advance(60 * MINUTE_MS)
    }
    expect(await notifier.tick()).toBe(0)
    clock.jump(Date.UTC(2026, 0, 1, 8))
    await notifier.tick()
    expect(wire.sent).toEqual([{ url: 'http://a/', title: 'OpenMaaS: 3 alerts', count: 3 }])
  })

  test('nothing is sent about what is silent; what holds at the end of silence is told then', async () => {
    const { clock, catalog, wire, notifier, addChannel, addRule, fire, resolve } = await start()
    await addRule([await addChannel('chat')])
    const told = await fire('disk')
    await notifier.tick()
    await silence(catalog, 'disk', 60 * MINUTE_MS)
    await resolve(told)
    await notifier.tick()
    const passing = await fire('disk')
    await notifier.tick()
    await resolve(passing)
    const lasting = await fire('disk')
    clock.advance(59 * MINUTE_MS)
    await notifier.tick()
    expect(wire.sent).toHaveLength(1)
    clock.advance(MINUTE_MS)
    await notifier.tick()
    expect(wire.sent.map(({ count }) => count)).toEqual([1, 1])
    // Silence that is ended early ends for what waits too.
    await resolve(lasting)
    await notifier.tick()
    clock.advance(REPEAT_AFTER_MS)
    await silence(catalog, 'disk', 60 * MINUTE_MS)
    await fire('disk')
    await notifier.tick()
    const before = wire.sent.length
    await catalog.transaction((trx) => endSilence(trx, 'disk', clock.wallMs()))
    await notifier.tick()
    expect(wire.sent).toHaveLength(before + 1)
  })
})

test('a rule concerns what all of its conditions match', () => {
  const alert = { rule: 'a', severity: 'warning', labels: { env: 'prod' } } as const
  const cases: [Partial<NotifyMatch>, boolean][] = [
    [{}, true],
    [{ severities: ['warning', 'critical'] }, true],
    [{ severities: ['critical'] }, false],
    [{ severities: [] }, false],
    [{ rules: ['b', 'a'] }, true],
    [{ rules: ['b'] }, false],
    [{ labels: { env: ['test', 'prod'] }, rules: ['a'] }, true],
    [{ labels: { env: 'prod', team: 'x' } }, false],
  ]
  for (const [match, expected] of cases) {
    expect(matchesAlert({ ...BASE, ...match }, alert)).toBe(expected)
  }
})

const NOON = Date.UTC(2026, 0, 1, 12)
const window = (from: string, to: string, timezone = 'UTC') => ({ window: { from, to, timezone } })
test.each([
  [{}, NOON],
  [{ digest: true }, Date.UTC(2026, 0, 2, 8)],
  [window('12:00', '13:00'), NOON],
  [window('11:00', '12:00'), null],
  [window('22:00', '06:00'), null],
  [window('22:00', '12:01'), NOON],
  [window('19:00', '21:00', 'Asia/Shanghai'), NOON],
  [window('20:01', '21:00', 'Asia/Shanghai'), null],
  [window('00:00', '00:00'), NOON],
  [{ ...window('20:00', '19:00', 'Asia/Shanghai'), digest: true }, NOON],
  [{ ...window('08:00', '18:00', 'Asia/Shanghai'), digest: true }, Date.UTC(2026, 0, 2, 0)],
])('%j sends what comes at noon at %s', (match, expected) => {
  expect(sendAt({ ...BASE, ...match }, NOON)).toBe(expected)
})

test('the next morning is at eight there, within a day and an hour, over changes of the clocks', () => {
  const zones = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'Asia/Shanghai',
    'America/New_York',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
  )
  const times = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) })
  fc.assert(
    fc.property(times, zones, (now, timeZone) => {
      const at = nextMorning(now, timeZone)
      const options = { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
      expect(new Intl.DateTimeFormat('en-GB', options).format(at)).toBe('08:00')
      expect(at).toBeGreaterThan(now - MINUTE_MS)
      expect(at - now).toBeLessThanOrEqual(25 * 60 * MINUTE_MS)
    }),
    { numRuns: 300 },
  )
  expect(isTimezone('Asia/Shanghai')).toBe(true)
  expect(isTimezone('Asia/Nowhere')).toBe(false)
})

const open: TestServer[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

test('the API keeps secrets to itself, through changes and tests', async () => {
  const random = new SeededRandom(1)
  const serverKey = new ServerKey(random.bytes(32), random)
  const wire = new Wire()
  const server = await makeTestServer(({ catalog, clock }) => {
    const settings = new SettingsStore(catalog, clock, serverKey)
    const describe = () => ({ title: '', cause: '', nextStep: '' })
    const options = { catalog, clock, random, serverKey, settings, fetch: wire.fetch, describe }
    const notifier = new Notifier(options)
    return notifyHandlers({ catalog, clock, random, serverKey, notifier })
  })
  open.push(server)
  const ask = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) =>
    server.server.app.inject({
      method,
      url: `/api/v1${path}`,
      headers: { 'x-test-as': 'admin', 'if-match': '*', 'accept-language': 'zh-CN' },
      ...(payload === undefined ? {} : { payload }),
    })
  const secret = 'a secret, long enough'
  const config = { url: 'https://hooks.example/token-in-the-path', secret }
  const made = await ask('POST', '/notification-channels', {
    name: 'hook',
    kind: 'webhook',
    config,
  })
  expect(made.statusCode).toBe(201)
  const { id } = made.json<{ id: string }>()
  const path = `/notification-channels/${id}`
  const bad = await ask('POST', '/notification-channels', { name: 'x', kind: 'slack', config: {} })
  expect(bad.statusCode).toBe(422)
  const changed = await ask('PATCH', path, {
    name: 'renamed',
    config: { url: 'https://other.example/' },
  })
  expect(changed.json()).toMatchObject({ name: 'renamed', config: {}, version: 2 })
  const tested = await ask('POST', `${path}/test`)
  expect(tested.json()).toEqual({ delivered: true, status: null, error: null })
  expect(wire.sent).toEqual([
    { url: 'https://other.example/', title: 'OpenMaaS: 测试消息', count: 0 },
  ])
  wire.status = 403
  expect((await ask('POST', `${path}/test`)).json()).toEqual({
    delivered: false,
    status: 403,
    error: 'the channel answered 403: answer',
  })
  const wrong = { name: 'r', channels: ['chn_01K00000000000000000000000'] }
  expect((await ask('POST', '/notification-rules', wrong)).statusCode).toBe(422)
  const zone = { window: { from: '08:00', to: '18:00', timezone: 'Mars/Olympus' } }
  const lost = { name: 'r', channels: [id], match: zone }
  expect((await ask('POST', '/notification-rules', lost)).statusCode).toBe(422)
  const rule = await ask('POST', '/notification-rules', { name: 'r', channels: [id] })
  expect(rule.statusCode).toBe(201)
  const rulePath = `/notification-rules/${rule.json<{ id: string }>().id}`
  const match = { severities: ['critical'], language: 'zh' }
  expect((await ask('PATCH', rulePath, { match })).json()).toMatchObject({ match, version: 2 })
  expect((await ask('DELETE', path)).statusCode).toBe(422)
  expect((await ask('GET', '/notification-rules')).json()).toMatchObject({ items: [{ name: 'r' }] })
  expect((await ask('DELETE', rulePath)).statusCode).toBe(204)
  expect((await ask('DELETE', path)).statusCode).toBe(204)
  expect((await ask('GET', path)).statusCode).toBe(404)
  const audit = await server.catalog.db.selectFrom('audit').selectAll().execute()
  const all = JSON.stringify([made.json(), changed.json(), audit])
  expect(audit.length).toBe(6)
  for (const hidden of [secret, 'token-in-the-path']) expect(all).not.toContain(hidden)
})
