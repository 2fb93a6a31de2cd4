/** Goal: what was exported applies without a change; what is applied holds whole or not at all. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemRandom } from '@openmaas/kernel/random'
import { SettingsStore } from '../auth/settings-store.ts'
import { makeHandlers, SERVER_KEY } from '../http/handlers.test-support.ts'
import { registerHandlers } from '../http/handler.ts'
import { makeTestServer, UNLIMITED } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { differencesOf } from './differences.ts'
import { makeDocumentHandlers } from './handlers.ts'

let site: TestServer
beforeEach(async () => {
  site = await makeTestServer(
    (parts) => {
      const settings = new SettingsStore(parts.catalog, parts.clock, SERVER_KEY)
      const jobs = {
        enqueue: () => Promise.reject(new Error('no job')),
        cancel: () => Promise.reject(new Error('no job')),
        retry: () => Promise.reject(new Error('no job')),
      }
      const context = { ...parts, random: systemRandom, settings, jobs, serverKey: SERVER_KEY }
      return registerHandlers(makeHandlers(parts), makeDocumentHandlers(context))
    },
    { rates: UNLIMITED },
  )
  const now = site.clock.wallMs()
  await site.catalog.db
    .insertInto('host')
    .values({
      id: site.id('host'),
      name: 'alpha',
      kind: 'agent',
      labelsJson: '{}',
      state: 'online',
      drained: 0,
      softwareVersion: '1',
      aboutJson: '{}',
      dataAddress: null,
      certificateSerial: null,
      certificateNotAfter: null,
      lastSeenAt: now,
      clockSkewMs: 0,
      createdAt: now,
      version: 1,
    })
    .execute()
})
afterEach(() => site[Symbol.asyncDispose]())

const POLICY = {
  apiVersion: 'openmaas/v1',
  kind: 'Policy',
  metadata: { name: 'gold' },
  spec: { selector: { tier: 'gold' }, promise: { rpo: '15m', retention: { daily: 7 } } },
}
const SOURCE = {
  apiVersion: 'openmaas/v1',
  kind: 'Source',
  metadata: { name: 'etc', labels: { tier: 'gold' } },
  spec: { host: 'alpha', path: '/etc', policy: 'gold' },
}

interface Answer {
  readonly status: number
  readonly body: {
    readonly applied?: boolean
    readonly changes?: readonly { readonly action: string; readonly differences: unknown[] }[]
    readonly documents?: readonly unknown[]
    readonly code?: string
  }
}

async function send(method: 'GET' | 'POST', url: string, payload?: object): Promise<Answer> {
  const answer = await site.server.app.inject({
    method,
    url,
    headers: { 'x-test-as': 'admin' },
    ...(payload !== undefined && { payload }),
  })
  return { status: answer.statusCode, body: answer.json<Answer['body']>() }
}

const apply = (documents: readonly object[], query = ''): Promise<Answer> =>
  send('POST', `/api/v1/apply${query}`, { documents, reason: 'a test' })
const actions = ({ body }: Answer): string[] => (body.changes ?? []).map(({ action }) => action)

test('what is applied is exported, and applying that changes nothing', async () => {
  const first = await apply([SOURCE, POLICY])
  expect([first.status, actions(first)]).toEqual([200, ['create', 'create']])
  const exported = await send('GET', '/api/v1/export')
  expect(exported.body.documents).toHaveLength(3)
  const again = await apply(exported.body.documents as object[])
  expect(actions(again)).toEqual(['none', 'none', 'none'])
})

test('a dry run says what differs and changes nothing', async () => {
  await apply([POLICY])
  const promise = { ...POLICY.spec.promise, rpo: '1h' }
  const answer = await apply([{ ...POLICY, spec: { ...POLICY.spec, promise } }], '?dryRun=true')
  expect(answer.body.applied).toBe(false)
  expect(answer.body.changes?.[0]?.differences).toEqual([
    { path: 'spec.promise.rpo', before: '15m', after: '1h' },
  ])
  const { body } = await send('GET', '/api/v1/export?kinds=policies')
  expect(JSON.stringify(body)).toContain('"rpo":"15m"')
})

test('one document that cannot be applied leaves all as it was', async () => {
  const lost = { ...SOURCE, spec: { ...SOURCE.spec, host: 'nowhere' } }
  const answer = await apply([POLICY, lost])
  expect(answer).toMatchObject({ status: 400, body: { code: 'DOCUMENT_REFERENCE' } })
  expect((await send('GET', '/api/v1/export?kinds=policies')).body.documents).toEqual([])
})

test('a document that is there twice, and one without sense, are refused', async () => {
  expect(await apply([POLICY, POLICY])).toMatchObject({ body: { code: 'REQUEST_INVALID' } })
  expect(await apply([{ ...POLICY, kind: 'Nothing' }])).toMatchObject({ status: 422 })
})

test('differences are told by their paths, lists whole, order of keys aside', () => {
  const before = { a: { x: 1, y: [1, 2] }, b: 'same' }
  const after = { b: 'same', a: { y: [2], x: 1, z: null } }
  expect(differencesOf(before, after)).toEqual([{ path: 'a.y', before: [1, 2], after: [2] }])
})
