/** Nothing that happened is missed, told twice or told out of order. */
import type { EventTopic } from '@openmaas/api/resources/event'
import { expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { waitFor } from '@openmaas/testkit/wait-for'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'
import type { Catalog } from './catalog.ts'
import { appendEvent, EVENT_PAGE_MAX, EventFeed, pruneEvents } from './events.ts'

const clock = new FakeClock()
const onError = (error: unknown): never => {
  throw error
}

function append(catalog: Catalog, subject: string, topic: EventTopic = 'jobs'): Promise<void> {
  const event = { topic, type: 'job.ended', subject, labels: { env: 'prod' }, data: { n: 1 } }
  return catalog.transaction((trx) => appendEvent(trx, event, clock))
}

describeBothCatalogs('events', (make) => {
  test('are read in order from any number on, of the topics asked for', async () => {
    const catalog = await make()
    await using feed = new EventFeed(catalog, { onError })
    expect(await feed.newest()).toBe(0)
    await append(catalog, 'job_1')
    await append(catalog, 'pnt_1', 'points')
    await append(catalog, 'job_2')
    const all = await feed.since(0)
    expect(all.map((event) => event.subject)).toEqual(['job_1', 'pnt_1', 'job_2'])
    expect(all[0]).toMatchObject({ at: clock.wallMs(), labels: { env: 'prod' }, data: { n: 1 } })
    const later = await feed.since(all[0]!.seq, { topics: ['jobs'] })
    expect(later.map((event) => event.subject)).toEqual(['job_2'])
    expect(await feed.since(0, { limit: 1 })).toHaveLength(1)
    expect(await feed.newest()).toBe(all[2]!.seq)
  })

  test('go with their change when it is rolled back', async () => {
    const catalog = await make()
    await using feed = new EventFeed(catalog, { onError })
    const failing = catalog.transaction(async (trx) => {
      await appendEvent(
        trx,
        { topic: 'jobs', type: 't', subject: 's', labels: {}, data: {} },
        clock,
      )
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await feed.since(0)).toEqual([])
    const outside = appendEvent(
      catalog.db,
      { topic: 'jobs', type: 't', subject: 's', labels: {}, data: {} },
      clock,
    )
    await expect(outside).rejects.toThrow(/in the transaction of its change/)
  })

  test('reach listeners once each, in order, from the moment of subscription', async () => {
    const catalog = await make()
    await append(catalog, 'before')
    await using feed = new EventFeed(catalog, { onError })
    const told: string[] = []
    const release = await feed.subscribe((events) =>
      told.push(...events.map((event) => event.subject)),
    )
    const count = EVENT_PAGE_MAX + 20
    await catalog.transaction(async (trx) => {
      for (let i = 0; i < count; i += 1) {
        await appendEvent(
          trx,
          { topic: 'jobs', type: 't', subject: String(i), labels: {}, data: {} },
          clock,
        )
      }
    })
    await Promise.all([append(catalog, 'x'), append(catalog, 'y')])
    await waitFor('all are told', () => told.length >= count + 2)
    expect(told.slice(0, count)).toEqual(Array.from({ length: count }, (_, i) => String(i)))
    expect(told.slice(count).toSorted()).toEqual(['x', 'y'])
    release()
    await append(catalog, 'after')
    expect(told).not.toContain('after')
  })

  test('go when they are old, and their numbers never come back', async () => {
    const catalog = await make()
    await using feed = new EventFeed(catalog, { onError })
    await append(catalog, 'old')
    const newest = await feed.newest()
    clock.advance(10_000)
    await pruneEvents(catalog.db, 5000, clock)
    expect(await feed.since(0)).toEqual([])
    await append(catalog, 'new')
    expect(await feed.newest()).toBeGreaterThan(newest)
  })
})
