/**
 * How long the lists and dashboard queries of a large site take: 10,000 sources, 1,000,000
 * points, 100,000 jobs, on SQLite and on PostgreSQL, with the answers in reach of the cache. A
 * row is the median and the longest of its runs, each with another parameter.
 */
import { join } from 'node:path'
import { sql } from 'kysely'
import { openCatalog } from '@openmaas/control/catalog/catalog'
import type { Catalog } from '@openmaas/control/catalog/catalog'
import { loadPage } from '@openmaas/control/catalog/page'
import {
  PostgresServer,
  postgresMissing,
} from '@openmaas/control/catalog/postgres-server.test-support'
import { systemClock } from '@openmaas/kernel/clock'
import { SeededRandom } from '@openmaas/kernel/random'
import { median } from '../measure.ts'
import { formatTable, say } from '../output.ts'
import { type Counts, DAY_MS, fillLargeCatalog, idOf, NOW } from './catalog-data.ts'
import { type Context, withScratch } from './context.ts'

const FULL: Counts = { hosts: 1000, pools: 8, sources: 10_000, points: 1e6, jobs: 1e5, events: 2e5 }
const QUICK: Counts = { hosts: 100, pools: 4, sources: 1000, points: 1e5, jobs: 1e4, events: 2e4 }
const RUNS = 20
const PAGE = 50

type Query = (catalog: Catalog, random: SeededRandom, counts: Counts) => Promise<unknown>

const count = sql<number>`count(*)`

/** What the console's pages and the scheduler ask for. */
const QUERIES: Readonly<Record<string, Query>> = {
  'sources, first page by name': ({ db }) =>
    loadPage(db.selectFrom('source').selectAll(), {
      table: 'source',
      sort: 'name',
      descending: false,
      limit: PAGE,
    }),
  'sources with two labels': ({ db }) =>
    db
      .selectFrom('source')
      .selectAll()
      .where('labelsJson', 'like', '%"env":"prod"%')
      .where('labelsJson', 'like', '%"team":"pay"%')
      .orderBy('name')
      .limit(PAGE)
      .execute(),
  'points, newest page': ({ db }) => newestPoints(db.selectFrom('point').selectAll()),
  'points, a page in the middle': async ({ db }, random, counts) => {
    const at = NOW - random.below(365) * DAY_MS
    const after = idOf('pnt', random.below(counts.points))
    const place = Buffer.from(JSON.stringify(['point:-takenAt', at, after])).toString('base64url')
    return newestPoints(db.selectFrom('point').selectAll(), place)
  },
  'points of a source': ({ db }, random, counts) =>
    newestPoints(
      db
        .selectFrom('point')
        .selectAll()
        .where('sourceId', '=', idOf('src', random.below(counts.sources))),
    ),
  'points of a pool': ({ db }, random, counts) =>
    newestPoints(
      db
        .selectFrom('point')
        .selectAll()
        .where('poolId', '=', idOf('pol', random.below(counts.pools))),
    ),
  'newest point before a time': ({ db }, random, counts) =>
    db
      .selectFrom('point')
      .selectAll()
      .where('sourceId', '=', idOf('src', random.below(counts.sources)))
      .where('takenAt', '<=', NOW - random.below(300) * DAY_MS)
      .orderBy('takenAt', 'desc')
      .limit(1)
      .execute(),
  'jobs, newest page': ({ db }) =>
    loadPage(db.selectFrom('job').selectAll(), {
      table: 'job',
      sort: 'queuedAt',
      descending: true,
      limit: PAGE,
    }),
  'jobs that failed': ({ db }) =>
    loadPage(db.selectFrom('job').selectAll().where('state', '=', 'failed'), {
      table: 'job',
      sort: 'queuedAt',
      descending: true,
      limit: PAGE,
    }),
  'jobs of a source': ({ db }, random, counts) =>
    loadPage(
      db
        .selectFrom('job')
        .selectAll()
        .where('sourceId', '=', idOf('src', random.below(counts.sources))),
      {
        table: 'job',
        sort: 'queuedAt',
        descending: true,
        limit: PAGE,
      },
    ),
  'next job to claim': ({ db }) =>
    db
      .selectFrom('job')
      .selectAll()
      .where('state', '=', 'queued')
      .where('notBefore', '<=', NOW)
      .orderBy('priority', 'desc')
      .orderBy('notBefore')
      .limit(10)
      .execute(),
  'dashboard: jobs of a day by state': ({ db }) =>
    db
      .selectFrom('job')
      .select(['state', count.as('count')])
      .where('queuedAt', '>=', NOW - DAY_MS)
      .groupBy('state')
      .execute(),
  'dashboard: sources by state of protection': ({ db }) =>
    db
      .selectFrom('source')
      .select([
        sql<number>`sum(case when paused = 1 then 1 else 0 end)`.as('paused'),
        sql<number>`sum(case when last_success_at is null then 1 else 0 end)`.as('never'),
        sql<number>`sum(case when last_success_at < ${NOW - DAY_MS} then 1 else 0 end)`.as('late'),
        count.as('count'),
      ])
      .execute(),
  'dashboard: points that can be used': ({ db }) =>
    db
      .selectFrom('pointTotal')
      .select([sql<number>`sum(point_count)`.as('count'), sql<number>`sum(size_bytes)`.as('bytes')])
      .where('state', '=', 'available')
      .execute(),
  'dashboard: newest point of all': ({ db }) =>
    db
      .selectFrom('point')
      .select((e) => e.fn.max('takenAt').as('at'))
      .execute(),
  'dashboard: bytes added per day of a month': ({ db }) =>
    db
      .selectFrom('pointDay')
      .select(['day', sql<number>`sum(added_bytes)`.as('bytes')])
      .where('day', '>=', NOW / DAY_MS - 30)
      .groupBy('day')
      .execute(),
  'events since a number': ({ db }, random, counts) =>
    db
      .selectFrom('event')
      .selectAll()
      .where('seq', '>', random.below(counts.events))
      .where('topic', 'in', ['points'])
      .orderBy('seq')
      .limit(500)
      .execute(),
}

function newestPoints(
  query: Parameters<typeof loadPage<'point', { id: string }>>[0],
  cursor?: string,
) {
  return loadPage(query, { table: 'point', sort: 'takenAt', descending: true, limit: PAGE, cursor })
}

interface Times {
  readonly median: number
  readonly longest: number
}

async function measureQueries(catalog: Catalog, counts: Counts): Promise<Map<string, Times>> {
  const result = new Map<string, Times>()
  for (const [name, query] of Object.entries(QUERIES)) {
    const random = new SeededRandom(1)
    const times: number[] = []
    for (let run = 0; run < RUNS; run += 1) {
      const begin = performance.now()
      await query(catalog, random, counts)
      times.push(performance.now() - begin)
    }
    result.set(name, { median: median(times), longest: Math.max(...times) })
  }
  return result
}

async function measureDialect(url: string, counts: Counts): Promise<Map<string, Times>> {
  await using catalog = await openCatalog({ url, clock: systemClock })
  const begin = performance.now()
  await fillLargeCatalog(catalog, counts)
  await sql`analyze`.execute(catalog.db)
  say(`filled in ${Math.round((performance.now() - begin) / 1000)} s`)
  return await measureQueries(catalog, counts)
}

export async function benchCatalog(context: Context): Promise<string> {
  const counts = context.quick ? QUICK : FULL
  say('catalog on SQLite')
  const sqlite = await withScratch(context, (directory) =>
    measureDialect(`sqlite:${join(directory, 'catalog.db')}`, counts),
  )
  let postgres = new Map<string, Times>()
  if (!postgresMissing()) {
    say('catalog on PostgreSQL')
    const server = new PostgresServer()
    try {
      await server.start()
      postgres = await measureDialect(await server.makeDatabase(), counts)
    } finally {
      await server.stop()
    }
  }
  const cells = (times: Times | undefined): string[] =>
    times === undefined
      ? ['skipped: PostgreSQL missing', '']
      : [times.median.toFixed(1), times.longest.toFixed(1)]
  const rows = Object.keys(QUERIES).map((name) => [
    name,
    ...cells(sqlite.get(name)),
    ...cells(postgres.get(name)),
  ])
  const header = ['query', 'SQLite: median ms', 'longest', 'PostgreSQL: median ms', 'longest']
  const size = [counts.sources, counts.points, counts.jobs].map((number) =>
    number.toLocaleString('en'),
  )
  const title = `## Catalog of ${size[0]} sources, ${size[1]} points, ${size[2]} jobs`
  return `${title}\n\n${formatTable(header, rows)}`
}
