import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cloudEvent } from '@openmaas/api/resources/event'
import { systemRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { EventFeed, appendEvent } from '../catalog/events.ts'
import { SERVER_KEY } from '../http/handlers.test-support.ts'
import { RETRY_PAUSES_MS, WebhookDispatcher } from './dispatcher.ts'
import { sign, verify } from './signature.ts'

const SECRET = 'whsec_' + Buffer.alloc(32, 5).toString('base64')

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly url: string
}

/** A receiver over HTTP, which answers with what it is told. */
class Receiver {
  readonly received: Received[] = []
  status = 204
  #server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString()
      this.received.push({ headers: request.headers, body, url: request.url ?? '' })
      const elsewhere = { location: '/elsewhere' }
      response.writeHead(this.status, this.status === 302 ? elsewhere : {}).end()
    })
  })

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  get types(): string[] {
    return this.received.map(({ body }) => JSON.parse(body).type)
  }
}

describe('signatures', () => {
  // The example of the Standard Webhooks specification.
  test('are those of Standard Webhooks', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestampSeconds: 1614265330,
      body: '{"test": 2432232314}',
    }
    const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    expect(sign(secret, message)).toBe(signature)
    expect(verify(secret, message, `v1,AAAA ${signature}`)).toBe(true)
    expect(verify(secret, { ...message, body: '{}' }, signature)).toBe(false)
  })
})

describeBothCatalogs('the webhook dispatcher', (make) => {
  let catalog: Catalog
  let clock: FakeClock
  let receiver: Receiver
  let url: string
  let events: EventFeed

  beforeEach(async () => {
    clock = new FakeClock()
    catalog = await make(clock)
    receiver = new Receiver()
    url = await receiver.open()
    events = new EventFeed(catalog, { onError: () => {} })
    await addWebhook('whk_1')
  })
  afterEach(async () => {
    receiver.close()
    await events[Symbol.asyncDispose]()
  })

  const makeDispatcher = (post: typeof fetch = fetch) =>
    new WebhookDispatcher({
      catalog,
      events,
      clock,
      random: systemRandom,
      serverKey: SERVER_KEY,
      post,
      source: () => 'https://maas.example.org',
    })

  function addWebhook(id: string, more: object = {}): Promise<unknown> {
    return catalog.db
      .insertInto('webhook')
      .values({
        id,
        name: id,
        url,
        secretSealed: SERVER_KEY.seal('webhook', id, SECRET),
        topicsJson: '["jobs"]',
        enabled: 1,
        lastSeq: 0,
        createdAt: 0,
        version: 1,
        ...more,
      })
      .execute()
  }

  async function emit(type: string, topic: 'jobs' | 'points' = 'jobs'): Promise<void> {
    const event = { topic, type, subject: 'job_1', labels: { env: 'prod' }, data: { a: 1 } }
    await catalog.transaction((trx) => appendEvent(trx, event, clock))
  }

  const deliveries = () =>
    catalog.db.selectFrom('delivery').selectAll().orderBy('eventSeq').execute()

  test('sends each event of the topics once, in order, as a signed CloudEvent', async () => {
    await emit('job.queued')
    await emit('job.progress')
    await emit('point.created', 'points')
    await emit('job.ended')
    const dispatcher = makeDispatcher()
    await dispatcher.tick()
    await dispatcher.tick()
    expect(receiver.types).toEqual(['openmaas.job.queued', 'openmaas.job.ended'])
    const { headers, body } = receiver.received[0]!
    expect(headers['content-type']).toContain('application/cloudevents+json')
    expect(cloudEvent.parse(JSON.parse(body))).toMatchObject({
      source: 'https://maas.example.org',
      subject: 'job_1',
      data: { a: 1, topic: 'jobs', labels: { env: 'prod' } },
    })
    const message = {
      id: String(headers['webhook-id']),
      timestampSeconds: Number(headers['webhook-timestamp']),
      body,
    }
    expect(verify(SECRET, message, String(headers['webhook-signature']))).toBe(true)
    expect((await deliveries()).map(({ state }) => state)).toEqual(['delivered', 'delivered'])
  })

  test('tries again after longer and longer pauses, then gives up', async () => {
    receiver.status = 500
    await emit('job.ended')
    const dispatcher = makeDispatcher()
    await dispatcher.tick()
    for (const pause of RETRY_PAUSES_MS) {
      clock.advance(pause - 1)
      const before = receiver.received.length
      await dispatcher.tick()
      expect(receiver.received).toHaveLength(before)
      clock.advance(1)
      await dispatcher.tick()
      expect(receiver.received).toHaveLength(before + 1)
    }
    const [delivery] = await deliveries()
    expect(delivery).toMatchObject({ state: 'failed', attempts: 9, status: 500 })
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  })

  test('a receiver that fails gets its events in order when it is well again', async () => {
    receiver.status = 503
    await emit('job.queued')
    await emit('job.ended')
    const dispatcher = makeDispatcher()
    await dispatcher.tick()
    expect(receiver.received).toHaveLength(1)
    receiver.status = 200
    clock.advance(5000)
    await dispatcher.tick()
    await dispatcher.tick()
    const last = receiver.types.slice(1)
    expect(last.sort()).toEqual(['openmaas.job.ended', 'openmaas.job.queued'])
  })

  test('does not follow a redirect, and survives a receiver that is not there', async () => {
    await addWebhook('whk_2', { url: 'http://127.0.0.1:1/' })
    receiver.status = 302
    await emit('job.ended')
    await makeDispatcher().tick()
    expect(receiver.received.map((one) => one.url)).toEqual(['/hook'])
    const states = (await deliveries()).map(({ state, status }) => [state, status])
    expect(states).toContainEqual(['waiting', 302])
    expect(states).toContainEqual(['waiting', null])
  })

  test('one that was killed while it sent is followed by one that sends again', async () => {
    await emit('job.ended')
    const never: typeof fetch = () => new Promise(() => {})
    void makeDispatcher(never).tick()
    while ((await deliveries()).every(({ nextAt }) => nextAt <= clock.wallMs())) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    const next = makeDispatcher()
    await next.tick()
    expect(receiver.received).toHaveLength(0)
    clock.advance(60_000)
    await next.tick()
    expect(receiver.received).toHaveLength(1)
  })

  test('forgets deliveries that ended a month ago', async () => {
    await emit('job.ended')
    const dispatcher = makeDispatcher()
    await dispatcher.tick()
    clock.advance(31 * 86_400_000)
    await dispatcher.tick()
    expect(await deliveries()).toEqual([])
  })

  test('two servers at once send each event once', async () => {
    for (let i = 0; i < 10; i += 1) await emit('job.ended')
    const [first, second] = [makeDispatcher(), makeDispatcher()]
    await Promise.all([first.tick(), second.tick()])
    await Promise.all([first.tick(), second.tick()])
    expect(receiver.received).toHaveLength(10)
    expect(new Set(receiver.received.map(({ body }) => JSON.parse(body).id)).size).toBe(10)
  })
})
