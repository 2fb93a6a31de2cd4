import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { routeNames } from '@openmaas/api/routes/routes'
import { systemRandom } from '@openmaas/kernel/random'
import { EventFeed } from '../catalog/events.ts'
import { makeHandlers } from './handlers.test-support.ts'
import { makeHttpServer } from './server.ts'
import { ADMIN, makeTestServer, UNLIMITED } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'
import { addTenant } from './site.test-support.ts'
import type { Tenant } from './site.test-support.ts'

let site: TestServer
let red: Tenant

beforeEach(async () => {
  site = await makeTestServer((parts) => makeHandlers(parts))
  red = await addTenant(site, 'red')
})
afterEach(() => site[Symbol.asyncDispose]())

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

async function ask(
  method: Method,
  url: string,
  more: {
    readonly as?: string
    readonly body?: unknown
    readonly headers?: Record<string, string>
    readonly payload?: string | Buffer
  } = {},
) {
  const { as = 'admin', body, payload, headers } = more
  const hasBody = body !== undefined || payload !== undefined
  const response = await site.server.app.inject({
    method,
    url,
    headers: {
      ...(as !== '' && { 'x-test-as': as }),
      ...(hasBody && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(hasBody && { payload: payload ?? JSON.stringify(body) }),
  })
  const isJson = String(response.headers['content-type'] ?? '').includes('json')
  const isLines = String(response.headers['content-type'] ?? '').includes('ndjson')
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    json: isJson && !isLines && response.body !== '' ? JSON.parse(response.body) : undefined,
  }
}

const source = (more: object = {}) => ({ name: 'shop', hostId: red.host, path: '/srv', ...more })

describe('the server', () => {
  test('does not start with a route that nobody handles', async () => {
    const { catalog, clock } = site
    const make = () =>
      makeHttpServer({
        catalog,
        clock,
        random: systemRandom,
        handlers: makeHandlers(site),
        events: new EventFeed(catalog, { onError: () => {} }),
        authenticate: () => Promise.resolve(undefined),
        version: '0.0.0',
        idempotencyKey: Buffer.alloc(32),
        rates: UNLIMITED,
      })
    await expect(make()).rejects.toThrowError('has a handler')
  })

  test('answers probes to anybody, and nothing else without a login', async () => {
    for (const path of ['/healthz', '/readyz', '/startupz', '/api/v1/health']) {
      expect((await ask('GET', path, { as: '' })).status, path).toBe(200)
    }
    const refused = await ask('GET', '/api/v1/sources', { as: '' })
    expect(refused.status).toBe(401)
    expect(refused.headers['content-type']).toContain('application/problem+json')
    expect(refused.json).toMatchObject({ code: 'AUTH_REQUIRED', status: 401 })
  })

  test('says in the language of the caller what is wrong, and where', async () => {
    const body = { name: '', hostId: 'x', path: 'relative', labels: { a: 1 }, nmae: 'typo' }
    const headers = { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.5' }
    const { status, json } = await ask('POST', '/api/v1/sources', { body, headers })
    expect(status).toBe(422)
    expect(json.title).toBe('请求无效')
    expect(json.errors.map((error: { pointer: string }) => error.pointer).sort()).toEqual([
      '/hostId',
      '/labels/a',
      '/name',
      '/nmae',
      '/path',
    ])
    const english = await ask('GET', '/api/v1/sources?limit=9999&colour=red')
    const pointers = english.json.errors.map((error: { pointer: string }) => error.pointer)
    expect(pointers.sort()).toEqual(['/query/colour', '/query/limit'])
  })

  test('takes JSON in UTF-8 of bounded size and depth, and nothing else', async () => {
    const cases: [string | Buffer, number][] = [
      ['{', 400],
      ['{"a":"\\u0000"}', 400],
      ['{"a":"\\ud800"}', 400],
      ['{"__proto__":{"roles":["admin"]}}', 400],
      [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 400],
      ['['.repeat(200_000), 400],
      [Buffer.from([0x7b, 0xff, 0x7d]), 400],
      [`{"name":"${'x'.repeat(2 * 1024 * 1024)}"}`, 413],
      ['null', 422],
      ['[]', 422],
      ['"text"', 422],
    ]
    for (const [payload, expected] of cases) {
      const { status, json } = await ask('POST', '/api/v1/sources', { payload })
      expect(status, payload.toString().slice(0, 40)).toBe(expected)
      expect(json.code).toMatch(/^REQUEST_/)
    }
    const headers = { 'content-type': 'text/xml' }
    const other = await ask('POST', '/api/v1/sources', { payload: '<a/>', headers })
    expect(other.status).toBe(400)
  })

  test('knows no other addresses and methods, and no address that is not text', async () => {
    for (const url of ['/api/v1/nothing', '/api/v2/sources', '/%ff', '/api/v1/sources/%00']) {
      expect([400, 404, 422], url).toContain((await ask('GET', url)).status)
    }
    expect((await ask('DELETE', '/api/v1/sources')).json.code).toBe('ROUTE_NOT_FOUND')
  })

  test('forbids browsers to sniff, frame, run or keep what it answers', async () => {
    const { headers } = await ask('GET', '/api/v1/sources')
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    expect(headers['x-request-id']).toMatch(/^req_/)
  })

  test('documents what it serves, without a script', async () => {
    const document = (await ask('GET', '/api/openapi.json', { as: '' })).json
    expect(document.openapi).toBe('3.1.0')
    const served = Object.values<object>(document.paths).flatMap((path) => Object.values(path))
    expect(served.map(({ operationId }) => operationId)).toContain('listSources')
    expect(served.length).toBeLessThan(routeNames.length)
    const page = await ask('GET', '/api/docs', { as: '' })
    expect(page.text).toContain('createSource')
    expect(page.text).not.toContain('<script')
    expect((await ask('GET', '/api/docs/errors')).text).toContain('id="HOST_OFFLINE"')
  })
})

describe('changes', () => {
  test('a PATCH needs the ETag of what was read, and of nothing older', async () => {
    const url = `/api/v1/sources/${red.source}`
    const body = { name: 'renamed' }
    expect((await ask('PATCH', url, { body })).status).toBe(428)
    const { etag } = (await ask('GET', url)).headers
    const headers = { 'if-match': String(etag) }
    const changed = await ask('PATCH', url, { body, headers })
    expect([changed.status, changed.headers.etag]).toEqual([200, '"2"'])
    expect((await ask('PATCH', url, { body: { path: '/x' }, headers })).status).toBe(412)
    expect((await ask('PATCH', url, { body, headers: { 'if-match': 'W/"2"' } })).status).toBe(412)
    expect((await ask('PATCH', url, { body, headers: { 'if-match': '*' } })).status).toBe(200)
  })

  test('a POST with an Idempotency-Key is done once', async () => {
    const headers = { 'idempotency-key': 'k1' }
    const first = await ask('POST', '/api/v1/sources', { body: source(), headers })
    const again = await ask('POST', '/api/v1/sources', { body: source(), headers })
    expect(first.status).toBe(201)
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers).toMatchObject({
      'idempotency-replayed': 'true',
      location: `/api/v1/sources/${first.json.id}`,
      etag: '"1"',
    })
    const other = await ask('POST', '/api/v1/sources', { body: source({ path: '/x' }), headers })
    expect(other.json.code).toBe('IDEMPOTENCY_MISMATCH')
    site.callers.set('second', { ...ADMIN, actor: 'user:usr_second' })
    const body = source({ name: 'theirs' })
    const theirs = await ask('POST', '/api/v1/sources', { body, headers, as: 'second' })
    expect(theirs.status).toBe(201)
  })

  test('of two requests at once with one key, one works', async () => {
    const headers = { 'idempotency-key': 'k2' }
    const both = await Promise.all([
      ask('POST', '/api/v1/sources', { body: source(), headers }),
      ask('POST', '/api/v1/sources', { body: source(), headers }),
    ])
    const made = await site.catalog.db.selectFrom('source').select('id').execute()
    expect(made).toHaveLength(2)
    for (const answer of both) expect([201, 409]).toContain(answer.status)
    expect(both.some(({ status }) => status === 201)).toBe(true)
  })

  test('a failure keeps no key: the same request may be tried again', async () => {
    const headers = { 'idempotency-key': 'k3' }
    const body = source({ name: 'red-source' })
    const taken = await ask('POST', '/api/v1/sources', { body, headers })
    expect(taken.json).toMatchObject({ code: 'NAME_TAKEN', errors: [{ pointer: '/name' }] })
    await site.catalog.db.updateTable('source').set({ name: 'x' }).execute()
    expect((await ask('POST', '/api/v1/sources', { body, headers })).status).toBe(201)
  })

  test('a key that a dead process left is free after ten minutes; answers go after a day', async () => {
    const headers = { 'idempotency-key': 'k4' }
    const { id } = (await ask('POST', '/api/v1/sources', { body: source(), headers })).json
    const pending = { status: null, body: null }
    await site.catalog.db.updateTable('idempotency').set(pending).execute()
    const waiting = await ask('POST', '/api/v1/sources', { body: source(), headers })
    expect(waiting.json.code).toBe('IDEMPOTENCY_PENDING')
    await site.catalog.db.deleteFrom('source').where('id', '=', id).execute()
    site.clock.advance(10 * 60_000)
    expect((await ask('POST', '/api/v1/sources', { body: source(), headers })).status).toBe(201)
  })

  test('a secret is shown once and kept nowhere', async () => {
    const headers = { 'idempotency-key': 'k5' }
    const body = { name: 'hook', url: 'https://example.org/hook' }
    const made = await ask('POST', '/api/v1/webhooks', { body, headers })
    expect(made.json.secret).toMatch(/^whsec_/)
    const again = await ask('POST', '/api/v1/webhooks', { body, headers })
    expect(again.json.code).toBe('IDEMPOTENCY_SPENT')
    for (const table of ['idempotency', 'webhook', 'audit'] as const) {
      const rows = await site.catalog.db.selectFrom(table).selectAll().execute()
      expect(JSON.stringify(rows), table).not.toContain(made.json.secret)
    }
  })

  test('a dry run says what would happen, and an unclear one does nothing', async () => {
    const url = `/api/v1/sources/${red.source}/delete`
    const body = { confirm: 'red-source', reason: 'not needed' }
    const planned = await ask('POST', `${url}?dryRun=true`, { body })
    expect(planned.json.plan).toHaveLength(1)
    expect((await ask('POST', `${url}?dryRun=yes`, { body })).status).toBe(422)
    expect((await ask('GET', `/api/v1/sources/${red.source}`)).status).toBe(200)
    const wrong = await ask('POST', url, { body: { ...body, confirm: 'red' } })
    expect(wrong.json.code).toBe('CONSENT_MISSING')
    const busy = await ask('POST', url, { body })
    expect(busy.json).toMatchObject({ code: 'OBJECT_IN_USE', details: { jobId: red.job } })
    await site.catalog.db.updateTable('job').set({ endedAt: 1, state: 'failed' }).execute()
    expect((await ask('POST', url, { body })).status).toBe(204)
    expect((await ask('GET', `/api/v1/sources/${red.source}`)).status).toBe(404)
  })

  test('what changes is in the audit log with who, from where, before and after', async () => {
    const headers = { 'if-match': '"1"' }
    const body = { labels: { tenant: 'red', env: 'prod' } }
    await ask('PATCH', `/api/v1/sources/${red.source}`, { body, headers })
    const row = await site.catalog.db.selectFrom('audit').selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({ actor: ADMIN.actor, action: 'changeSource', object: red.source })
    expect(row.address).toBe('127.0.0.1')
    expect(JSON.parse(row.beforeJson ?? '').labels).toEqual({ tenant: 'red' })
    expect(JSON.parse(row.afterJson ?? '').labels).toEqual({ tenant: 'red', env: 'prod' })
  })
})

describe('lists', () => {
  beforeEach(async () => {
    for (let i = 0; i < 25; i += 1) {
      const body = source({ name: `s${String(i).padStart(2, '0')}`, labels: { env: 'prod' } })
      await ask('POST', '/api/v1/sources', { body })
    }
  })

  test('come in pages that neither skip nor repeat', async () => {
    const names: string[] = []
    let cursor = ''
    for (let page = 0; page < 10; page += 1) {
      const url = `/api/v1/sources?limit=7&sort=-name${cursor}`
      const { json } = await ask('GET', url)
      names.push(...json.items.map((item: { name: string }) => item.name))
      if (json.next === null) break
      cursor = `&cursor=${encodeURIComponent(json.next)}`
    }
    expect(names).toHaveLength(26)
    expect(names).toEqual([...new Set(names)].sort().reverse())
  })

  test('can be filtered, and show only the fields asked for', async () => {
    const url = '/api/v1/sources?filter[labels]=env=prod&fields=id,name&limit=2'
    const { json } = await ask('GET', url)
    expect(Object.keys(json.items[0])).toEqual(['id', 'name'])
    expect((await ask('GET', '/api/v1/sources?filter[name]=s03')).json.items).toHaveLength(1)
    expect((await ask('GET', '/api/v1/sources?fields=secret')).json.errors[0].pointer).toBe(
      '/query/fields',
    )
  })

  test('come whole as lines to whoever asks for them', async () => {
    const headers = { accept: 'application/x-ndjson' }
    const { text, headers: head } = await ask('GET', '/api/v1/sources?limit=4', { headers })
    expect(head['content-type']).toBe('application/x-ndjson')
    const lines = text.trim().split('\n')
    expect(lines).toHaveLength(26)
    expect(JSON.parse(lines[25] ?? '').id).toMatch(/^src_/)
  })

  test('a cursor is good for its own list and order only', async () => {
    const { next } = (await ask('GET', '/api/v1/sources?limit=2&sort=name')).json
    const cursor = encodeURIComponent(next)
    for (const url of [
      `/api/v1/sources?sort=-name&cursor=${cursor}`,
      `/api/v1/hosts?cursor=${cursor}`,
      '/api/v1/sources?cursor=garbage',
      `/api/v1/sources?cursor=${Buffer.from('["sources:name",{},1]').toString('base64url')}`,
    ]) {
      expect((await ask('GET', url)).status, url).toBe(422)
    }
  })
})

describe('scopes', () => {
  test('what lies outside answers exactly as what is not there', async () => {
    const blue = await addTenant(site, 'blue')
    const scope = { tenant: 'red' }
    site.callers.set('red', { actor: 'user:usr_red', roles: ['operator'], scope })
    const absent = site.id('source')
    const hidden = await ask('GET', `/api/v1/sources/${blue.source}`, { as: 'red' })
    const missing = await ask('GET', `/api/v1/sources/${absent}`, { as: 'red' })
    const neutral = (text: string) => text.replaceAll(/(?:src|req)_[\w-]+/g, 'ID')
    expect([hidden.status, neutral(hidden.text)]).toEqual([404, neutral(missing.text)])
    const inBody = { name: 'x', hostId: blue.host, path: '/x', labels: { tenant: 'red' } }
    const refused = await ask('POST', '/api/v1/sources', { body: inBody, as: 'red' })
    expect(refused.json.errors).toEqual([
      { pointer: '/hostId', detail: `there is no host ${blue.host}` },
    ])
    expect((await ask('GET', '/api/v1/sources', { as: 'red' })).json.items).toHaveLength(1)
  })

  test('nobody puts an object where they would not see it', async () => {
    site.callers.set('red', {
      actor: 'user:usr_red',
      roles: ['operator'],
      scope: { tenant: 'red' },
    })
    const body = source({ labels: { tenant: 'blue' } })
    const made = await ask('POST', '/api/v1/sources', { body, as: 'red' })
    expect(made.json.errors[0].pointer).toBe('/labels')
    const headers = { 'if-match': '*' }
    const url = `/api/v1/sources/${red.source}`
    const moved = await ask('PATCH', url, { body: { labels: {} }, headers, as: 'red' })
    expect(moved.status).toBe(422)
  })

  test('on a host outside of the scope, a source stays at its path', async () => {
    const scope = { tenant: 'red' }
    site.callers.set('red', { actor: 'user:usr_red', roles: ['operator'], scope })
    const headers = { 'if-match': '*' }
    const url = `/api/v1/sources/${red.source}`
    const move = (path: string) => ask('PATCH', url, { body: { path }, headers, as: 'red' })
    expect((await move('/elsewhere')).status).toBe(200)
    await site.catalog.db.updateTable('host').set({ labelsJson: '{}' }).execute()
    expect((await move('/etc')).json.errors[0].pointer).toBe('/path')
    expect((await move('/elsewhere')).status).toBe(200)
  })
})

describe('refusals', () => {
  test('are told to whoever keeps the audit log, with who, from where and what', async () => {
    const told: object[] = []
    const own = await makeTestServer((parts) => makeHandlers(parts), {
      onRefused: (refusal) => told.push(refusal),
    })
    own.callers.set('auditor', { actor: 'user:usr_a', roles: ['auditor'], scope: null })
    const headers = { 'x-test-as': 'auditor' }
    const url = '/api/v1/sources?x=1'
    const { statusCode } = await own.server.app.inject({ method: 'POST', url, headers })
    expect([statusCode, told]).toEqual([
      403,
      [
        {
          actor: 'user:usr_a',
          address: '127.0.0.1',
          requestId: expect.stringMatching(/^req_/),
          action: 'createSource',
          path: '/api/v1/sources',
          code: 'PERMISSION_DENIED',
        },
      ],
    ])
    await own[Symbol.asyncDispose]()
  })
})

describe('rates', () => {
  test('who is too fast is told when to come again', async () => {
    const slow = { ...UNLIMITED, principal: { burst: 2, perSecond: 1 } }
    const own = await makeTestServer((parts) => makeHandlers(parts), { rates: slow })
    const get = () =>
      own.server.app.inject({ url: '/api/v1/sources', headers: { 'x-test-as': 'admin' } })
    expect((await get()).headers['ratelimit-remaining']).toBe('1')
    await get()
    const refused = await get()
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '1'])
    own.clock.advance(1000)
    expect((await get()).statusCode).toBe(200)
    await own[Symbol.asyncDispose]()
  })
})

describe('jobs', () => {
  test('an answer is held until the job has ended', async () => {
    const url = `/api/v1/sources/${red.source}/protect?wait=2m`
    const held = ask('POST', url, { body: {} })
    const jobId = await queuedJob()
    await endJob(jobId)
    const { status, json } = await held
    expect([status, json.jobId, json.job.state]).toEqual([202, jobId, 'succeeded'])
    expect((await ask('GET', `/api/v1/jobs/${jobId}?wait=60s`)).json.state).toBe('succeeded')
    expect((await ask('GET', '/api/v1/sources?wait=1s')).status).toBe(422)
  })

  async function queuedJob(): Promise<string> {
    for (;;) {
      const row = await site.catalog.db
        .selectFrom('job')
        .select('id')
        .where('state', '=', 'queued')
        .executeTakeFirst()
      if (row !== undefined) return row.id
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async function endJob(id: string): Promise<void> {
    const { appendEvent } = await import('../catalog/events.ts')
    await site.catalog.transaction(async (trx) => {
      const ended = { state: 'succeeded', endedAt: site.clock.wallMs() } as const
      await trx.updateTable('job').set(ended).where('id', '=', id).execute()
      const event = { topic: 'jobs', type: 'job.ended', subject: id, labels: {}, data: {} } as const
      await appendEvent(trx, event, site.clock)
    })
  }
})
