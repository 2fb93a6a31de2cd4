import { MaasError } from '@openmaas/kernel/errors'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ShiftedClock } from './shifted-clock.test-support.ts'
import { Site } from './site.test-support.ts'

let site: Site
let clock: ShiftedClock
beforeEach(async () => {
  clock = new ShiftedClock()
  site = await Site.start({ clock })
})
afterEach(() => site[Symbol.asyncDispose]())
const empty = { entries: [], more: false }
const soon = { timeoutMs: 20_000 }
const params = { path: '/' }

/** A handler that ends when it is told to. */
function slowly() {
  const calls: (() => void)[] = []
  const aborted: unknown[] = []
  const handlers: OrderHandlers = {
    'host.list': (_params, { signal, progress }) =>
      new Promise((resolve, reject) => {
        progress({ phase: 'listing', bytesDone: 1, bytesTotal: null, itemsDone: 1 })
        calls.push(() => resolve(empty))
        signal.addEventListener('abort', () => {
          aborted.push(signal.reason)
          reject(signal.reason as Error)
        })
      }),
  }
  return { calls, aborted, handlers }
}

describe('an order', () => {
  test('survives a restart of the server: the same key finds the same work', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const { calls, handlers } = slowly()
    site.openSession(host, handlers)
    await server.waitOnline(hostId)
    const options = { key: 'job_1:list', ...soon }
    const first = server.orders.order(hostId, 'host.list', params, options)
    const failed = first.catch((error: unknown) => error)
    await waitFor('it is under way', () => calls.length === 1)
    await server.stop()
    expect(await failed).toMatchObject({ code: 'HOST_OFFLINE' })
    await server.start()
    // The host is not back yet: the order waits for it.
    const progress: unknown[] = []
    const onProgress = (now: unknown): void => void progress.push(now)
    const again = server.orders.order(hostId, 'host.list', params, { ...options, onProgress })
    await server.waitOnline(hostId)
    calls[0]!()
    expect(await again).toEqual(empty)
    expect(calls).toHaveLength(1)
    const third = await server.orders.order(hostId, 'host.list', params, options)
    expect([third, calls.length]).toEqual([empty, 1])
  })

  test('goes on over a broken connection', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const { calls, handlers } = slowly()
    const first = site.openSession(host, handlers)
    await server.waitOnline(hostId)
    const order = server.orders.order(hostId, 'host.list', params, { key: 'k', ...soon })
    await waitFor('it is under way', () => calls.length === 1)
    // It is stopped as by systemd, and comes back without a memory; control did not cancel.
    await first[Symbol.asyncDispose]()
    const second = slowly()
    site.openSession(host, second.handlers)
    await waitFor('it began again', () => second.calls.length === 1)
    second.calls[0]!()
    expect(await order).toEqual(empty)
  })

  test('that is cancelled has stopped when it says so', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const { calls, aborted, handlers } = slowly()
    site.openSession(host, handlers)
    await server.waitOnline(hostId)
    const abort = new AbortController()
    const options = { key: 'k', ...soon, signal: abort.signal }
    const order = server.orders.order(hostId, 'host.list', params, options)
    await waitFor('it is under way', () => calls.length === 1)
    abort.abort()
    await expect(order).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(aborted).toHaveLength(1)
  })

  test('to a host that is away fails, or waits for one that just left', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const order = (key: string) =>
      server.orders.order(hostId, 'host.list', params, { key, ...soon })
    await expect(order('a')).rejects.toMatchObject({ code: 'HOST_OFFLINE' })
    const handlers = { 'host.list': () => Promise.resolve(empty) }
    const session = site.openSession(host, handlers)
    await server.waitOnline(hostId)
    await session[Symbol.asyncDispose]()
    await waitFor('it is gone', () => !server.orders.isConnected(hostId))
    const waiting = order('b')
    site.openSession(host, handlers)
    expect(await waiting).toEqual(empty)
  })

  test('that fails brings code, message and details', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    site.openSession(host, {
      'host.list': () => Promise.reject(new MaasError('FS_DENIED', 'no way', { path: '/x' })),
    })
    await server.waitOnline(hostId)
    const options = { key: 'k', ...soon }
    await expect(server.orders.order(hostId, 'host.list', params, options)).rejects.toMatchObject({
      code: 'FS_DENIED',
      message: 'no way',
      details: { path: '/x' },
    })
    await expect(server.orders.order(hostId, 'host.discover', {}, options)).rejects.toMatchObject({
      code: 'ORDER_UNKNOWN',
    })
  })

  test('to an embedded host needs no connection, and is the same in all else', async () => {
    const { orders } = site.server
    const { calls, aborted, handlers } = slowly()
    orders.embed('hst_embedded', handlers)
    expect(orders.isConnected('hst_embedded')).toBe(true)
    const order = (key: string, signal?: AbortSignal) =>
      orders.order('hst_embedded', 'host.list', params, { key, ...soon, ...(signal && { signal }) })
    const [one, two] = [order('k'), order('k')]
    await waitFor('it is under way', () => calls.length === 1)
    calls[0]!()
    expect(await Promise.all([one, two, order('k')])).toEqual([empty, empty, empty])
    const abort = new AbortController()
    const third = order('l', abort.signal)
    await waitFor('it is under way', () => calls.length === 2)
    abort.abort()
    await expect(third).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(aborted).toHaveLength(1)
    await expect(
      orders.order('hst_embedded', 'host.list', { path: 7 } as never, { key: 'm', ...soon }),
    ).rejects.toMatchObject({ code: 'ORDER_INVALID' })
  })
})

describe('a host that is removed', () => {
  test('is cut off at once, and what it was doing has failed', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const { calls, handlers } = slowly()
    const session = site.openSession(host, handlers)
    await server.waitOnline(hostId)
    const order = server.orders.order(hostId, 'host.list', params, { key: 'k', ...soon })
    const failed = order.catch((error: unknown) => error)
    await waitFor('it is under way', () => calls.length === 1)
    await server.catalog.transaction((trx) => server.registry.remove(trx, hostId))
    server.registry.cutOff(hostId)
    expect(await failed).toMatchObject({ code: 'HOST_REMOVED' })
    await waitFor('it knows', () => session.problem?.code === 'HOST_REMOVED')
    expect(server.orders.isConnected(hostId)).toBe(false)
  })

  test('by another server on the same catalog is cut off within a minute', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const session = site.openSession(host, {})
    await server.waitOnline(hostId)
    await server.catalog.db
      .updateTable('certificate')
      .set({ revokedAt: 1 })
      .where('hostId', '=', hostId)
      .execute()
    clock.advance(20_000)
    await waitFor('it knows', () => session.problem?.code === 'HOST_REMOVED')
  })

  test('may not hold a pool', async () => {
    const { server } = site
    const { hostId } = (await site.joinHost()).identity
    const pool = { id: 'pol_1', name: 'p', nodeId: hostId, path: '/p', labelsJson: '{}' }
    const rest = {
      state: 'online',
      statsJson: '{}',
      seenAt: null,
      createdAt: 0,
      version: 1,
    } as const
    await server.catalog.db
      .insertInto('pool')
      .values({ ...pool, ...rest })
      .execute()
    await expect(
      server.catalog.transaction((trx) => server.registry.remove(trx, hostId)),
    ).rejects.toMatchObject({ code: 'HOST_IN_USE', details: { poolId: 'pol_1' } })
  })
})

describe('a host that goes away', () => {
  test('is offline after 30 s, and not before', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const session = site.openSession(host, {})
    await server.waitOnline(hostId)
    await session[Symbol.asyncDispose]()
    await waitFor('it is gone', () => !server.orders.isConnected(hostId))
    await server.registry.tick()
    expect(await server.hostState(hostId)).toBe('online')
    clock.advance(30_000)
    await waitFor('it is offline', async () => (await server.hostState(hostId)) === 'offline')
  })

  test('while the server is down is offline 30 s after its start', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const session = site.openSession(host, {})
    await server.waitOnline(hostId)
    await server.stop()
    await session[Symbol.asyncDispose]()
    await server.start()
    expect(await server.hostState(hostId)).toBe('online')
    clock.advance(30_000)
    await waitFor('it is offline', async () => (await server.hostState(hostId)) === 'offline')
  })

  test('and comes back twice, as a copied machine does: the newest connection counts', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    site.openSession(host, {})
    await server.waitOnline(hostId)
    const copy = site.openSession(host, { 'host.list': () => Promise.resolve(empty) })
    await waitFor('the copy is in', () => copy.state === 'online')
    const options = { key: 'k', ...soon }
    expect(await server.orders.order(hostId, 'host.list', params, options)).toEqual(empty)
  })
})
