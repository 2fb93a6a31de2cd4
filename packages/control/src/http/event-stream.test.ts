/** Events over real sockets, read by the client of packages/api. */
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ApiClient, ApiError } from '@openmaas/api/client'
import { iterateItems, streamEvents } from '@openmaas/api/client-streams'
import type { StreamedEvent } from '@openmaas/api/client-streams'
import { MaasError } from '@openmaas/kernel/errors'
import { waitFor } from '@openmaas/testkit/wait-for'
import { appendEvent } from '../catalog/events.ts'
import type { NewEvent } from '../catalog/events.ts'
import { STREAM_COUNT_PER_PRINCIPAL_MAX } from './event-stream.ts'
import { makeHandlers } from './handlers.test-support.ts'
import { makeTestServer } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'
import { addTenant } from './site.test-support.ts'

let site: TestServer
let baseUrl: string
const ended: AbortController[] = []

beforeEach(async () => {
  site = await makeTestServer((parts) => makeHandlers(parts))
  baseUrl = await site.server.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(async () => {
  for (const controller of ended.splice(0)) controller.abort()
  await site[Symbol.asyncDispose]()
})

/** The client of somebody. */
function clientOf(name: string): ApiClient {
  const asked: typeof fetch = (url, init) =>
    fetch(url, { ...init, headers: { ...(init?.headers as object), 'x-test-as': name } })
  return new ApiClient({ baseUrl, fetch: asked })
}

async function emit(more: Partial<NewEvent> = {}): Promise<void> {
  await site.catalog.transaction((trx) =>
    appendEvent(
      trx,
      { topic: 'jobs', type: 'job.ended', subject: 'job_1', labels: {}, data: {}, ...more },
      site.clock,
    ),
  )
}

/** Reads a stream into a list, until the test ends. */
function follow(name: string, options: { after?: number; topics?: ['jobs'] | ['points'] } = {}) {
  const controller = new AbortController()
  ended.push(controller)
  const seen: StreamedEvent[] = []
  const done = (async () => {
    const stream = { ...options, signal: controller.signal, pauseMs: 5 }
    for await (const one of streamEvents(clientOf(name), stream)) seen.push(one)
  })()
  const subjects = () => seen.flatMap((one) => (one.kind === 'event' ? [one.event.subject] : []))
  return { seen, subjects, done, controller }
}

/** Until as many streams are open, and told what is new. */
async function opened(count: number): Promise<void> {
  const open = () =>
    new Promise<number>((resolve) => site.server.app.server.getConnections((_, n) => resolve(n)))
  await waitFor('they are connected', async () => (await open()) >= count)
}

describe('the stream of events', () => {
  test('gives what happens after it was opened, in order', async () => {
    const stream = follow('admin', { after: 0 })
    for (let i = 0; i < 20; i += 1) await emit({ subject: `job_${i}` })
    await waitFor('the stream has them', () => stream.subjects().length === 20)
    expect(stream.subjects()).toEqual(Array.from({ length: 20 }, (_, i) => `job_${i}`))
  })

  test('goes on after the last event when the connection was cut', async () => {
    const stream = follow('admin', { after: 0 })
    await emit({ subject: 'before' })
    await waitFor('the stream has them', () => stream.subjects().length === 1)
    site.server.app.server.closeAllConnections()
    await emit({ subject: 'meanwhile' })
    await waitFor('the stream has them', () => stream.subjects().length === 2)
    await emit({ subject: 'after' })
    await waitFor('the stream has them', () => stream.subjects().length === 3)
    expect(stream.subjects()).toEqual(['before', 'meanwhile', 'after'])
    expect(stream.seen.some(({ kind }) => kind === 'lost')).toBe(true)
    expect(stream.seen.some(({ kind }) => kind === 'reset')).toBe(false)
  })

  test('says so when events in between are gone, or the catalog is another one', async () => {
    for (let i = 0; i < 5; i += 1) await emit()
    await site.catalog.db.deleteFrom('event').where('seq', '<', 4).execute()
    const behind = follow('admin', { after: 1 })
    await waitFor('the stream has them', () => behind.seen.some(({ kind }) => kind === 'reset'))
    const ahead = follow('admin', { after: 1000 })
    await waitFor('the stream has them', () => ahead.seen.some(({ kind }) => kind === 'reset'))
    const level = follow('admin', { after: 3 })
    await waitFor('the stream has them', () => level.subjects().length === 2)
    expect(level.seen.some(({ kind }) => kind === 'reset')).toBe(false)
  })

  test('shows nobody what their role, scope or ownership does not', async () => {
    const scope = { tenant: 'red' }
    site.callers.set('red', { actor: 'user:usr_red', roles: ['operator'], scope })
    site.callers.set('consumer', { actor: 'user:usr_c', roles: ['data-consumer'], scope })
    site.callers.set('officer', {
      actor: 'user:usr_o',
      scope: null,
      roles: ['security-officer'],
    })
    const [red, consumer, officer] = ['red', 'consumer', 'officer'].map((name) => {
      return follow(name, { after: 0 })
    })
    const labels = { tenant: 'red' }
    await emit({ subject: 'blue', labels: { tenant: 'blue' } })
    await emit({ subject: 'unlabelled' })
    await emit({ subject: 'foreign', labels, data: { actor: 'user:usr_x' } })
    await emit({ subject: 'own', labels, data: { actor: 'user:usr_c' } })
    await emit({ subject: 'audit', labels, topic: 'audit' })
    await emit({ subject: 'alert', labels, topic: 'alerts' })
    await emit({ subject: 'point', labels, topic: 'points' })
    await waitFor('the stream has them', () => red!.subjects().includes('point'))
    await waitFor('the stream has them', () => consumer!.subjects().includes('point'))
    await waitFor('the stream has them', () => officer!.subjects().includes('alert'))
    expect(red!.subjects()).toEqual(['foreign', 'own', 'audit', 'alert', 'point'])
    expect(consumer!.subjects()).toEqual(['own', 'point'])
    expect(officer!.subjects()).toEqual(['audit', 'alert'])
  })

  test('gives only the topics asked for', async () => {
    const stream = follow('admin', { after: 0, topics: ['points'] })
    await emit({ subject: 'job' })
    await emit({ subject: 'point', topic: 'points' })
    await waitFor('the stream has them', () => stream.subjects().length === 1)
    expect(stream.subjects()).toEqual(['point'])
  })

  test('costs nobody else anything when its reader takes nothing', async () => {
    const { port } = new URL(baseUrl)
    const socket = connect(Number(port), '127.0.0.1').pause()
    socket.write(
      'GET /api/v1/events HTTP/1.1\r\nHost: x\r\nx-test-as: admin\r\nLast-Event-ID: 0\r\n\r\n',
    )
    await opened(1)
    const big = { text: 'x'.repeat(100_000) }
    for (let i = 0; i < 50; i += 1) await emit({ subject: `job_${i}`, data: big })
    const stream = follow('admin', { after: 0 })
    await waitFor('the stream has them', () => stream.subjects().length === 50)
    // It wakes and gets all of it, from where it was.
    let received = 0
    socket.on('data', (bytes) => (received += bytes.length)).resume()
    await waitFor('the stream has them', () => received > 50 * 100_000)
    socket.destroy()
  })

  test('is refused to who may not, and to who has too many', async () => {
    site.callers.set('nothing', { actor: 'user:usr_n', roles: [], scope: null })
    await expect(follow('nothing').done).rejects.toThrowError(ApiError)
    await expect(follow('stranger').done).rejects.toMatchObject({ problem: { status: 401 } })
    const streams = Array.from({ length: STREAM_COUNT_PER_PRINCIPAL_MAX }, () => follow('admin'))
    await opened(streams.length)
    await emit()
    const url = `${baseUrl}/api/v1/events`
    const headers = { 'x-test-as': 'admin' }
    await waitFor('it is refused', async () => {
      const answer = await fetch(url, { headers })
      await answer.body?.cancel()
      return answer.status === 429
    })
  })
})

describe('the client', () => {
  test('calls routes with their types, and goes through all pages', async () => {
    const tenant = await addTenant(site, 'red')
    const client = clientOf('admin')
    const { body, etag } = await client.call('getSource', { params: { sourceId: tenant.source } })
    expect([body.name, etag]).toEqual(['red-source', '"1"'])
    const params = { sourceId: tenant.source }
    const changed = await client.call('changeSource', {
      params,
      body: { name: 'renamed' },
      ifMatch: etag!,
    })
    expect(changed.body.name).toBe('renamed')
    for (let i = 0; i < 7; i += 1) {
      const made = { name: `s${i}`, hostId: tenant.host, path: '/x' }
      await client.call('createSource', { body: made, idempotencyKey: `key-${i}` })
    }
    const names: string[] = []
    for await (const source of iterateItems(client, 'listSources', { query: { limit: 3 } })) {
      names.push(source.name)
    }
    expect(names).toEqual(['renamed', 's0', 's1', 's2', 's3', 's4', 's5', 's6'])
  })

  test('turns problems into errors that keep code, hint and exit code', async () => {
    const params = { sourceId: site.id('source') }
    const error = await clientOf('admin')
      .call('getSource', { params })
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ code: 'OBJECT_NOT_FOUND', exitCode: 3, category: 'not_found' })
  })

  test('says that a server does not answer, or is none of ours', async () => {
    const nowhere = new ApiClient({ baseUrl: 'http://127.0.0.1:1' })
    await expect(nowhere.call('getHealth')).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' })
    const page = () => Promise.resolve(new Response('<html>', { status: 404 }))
    const other = new ApiClient({ baseUrl, fetch: page })
    await expect(other.call('getHealth')).rejects.toThrowError(MaasError)
  })
})
