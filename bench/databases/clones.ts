/**
 * Copies of a database: from the request to the first query, the space of ten at once, a refresh,
 * the space of a point; and beside it, on the same data in the same run, what else makes copies.
 *
 *   node bench/databases/clones.ts [--engine postgres|mariadb] [--size 1000 (MB)] [--copies 10]
 *     [--peers yes|no|only] [--points 5] [--tps 50] [--scratch DIR]
 *
 * Peers, where they are installed: CREATE DATABASE … TEMPLATE, pgBackRest, barman (each a restore
 * of its newest backup, and a server on it); mariadb-backup. Everything lies on the same disk.
 */
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Job } from '@openmaas/api/resources/job'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { waitFor } from '@openmaas/testkit/wait-for'
import { describeMachine, formatMachine, load } from '../machine.ts'
import { median } from '../measure.ts'
import { formatTable, say } from '../output.ts'
import { type Engine, makeEngine, PostgresEngine } from './engine.ts'
import { measureMariadbPeers } from './peers-mariadb.ts'
import { measurePostgresPeers } from './peers-postgres.ts'
import { mustHaveRoom, Site, usedBytes, withRoot } from './site.ts'

const MB = 1e6
const SINGLE_ROUNDS = 3
/** Between two points: a minute, shortened. */
const POINT_SECONDS = 20

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'postgres' },
    size: { type: 'string', default: '1000' },
    copies: { type: 'string', default: '10' },
    peers: { type: 'string', default: 'yes' },
    points: { type: 'string', default: '5' },
    tps: { type: 'string', default: '50' },
    scratch: { type: 'string' },
  },
})
const megabytes = Number(values.size)
const rows: string[][] = []

function note(what: string, result: string): void {
  rows.push([what, result])
  say(`${what}: ${result}`)
}

async function timed<T>(work: () => Promise<T>): Promise<[number, T]> {
  const beginMs = performance.now()
  const result = await work()
  return [(performance.now() - beginMs) / 1000, result]
}

const mb = (bytes: number): string => `${(bytes / MB).toFixed(bytes < 100 * MB ? 1 : 0)} MB`

interface Copy {
  readonly virtualDatabaseId: string
  readonly connection: ConnectionRevealed
  /** How long each step of its job took, in seconds. */
  readonly steps: Readonly<Record<string, number>>
}

async function makeCopy(site: Site, engine: Engine, of: { sourceId: string; name: string }) {
  const body = { ...of, hostId: site.hostId }
  const made = await site.api.call('createVirtualDatabase', { body })
  if (!('virtualDatabaseId' in made)) throw new Error('a job was expected')
  const job = await site.finish(made.jobId)
  const params = { virtualDatabaseId: made.virtualDatabaseId }
  const connection = await site.api.call('revealConnection', { params })
  await firstQuery(engine, connection)
  return { ...params, connection, steps: await stepsOf(site, job) } satisfies Copy
}

async function stepsOf(site: Site, { id: jobId, queuedAt }: Job): Promise<Record<string, number>> {
  const { steps } = await site.api.call('getJob', { params: { jobId } })
  const seconds = (from: string | null, until: string | null): number =>
    (Date.parse(until ?? '') - Date.parse(from ?? '')) / 1000
  return {
    wait: seconds(queuedAt, steps[0]?.startedAt ?? null),
    ...Object.fromEntries(
      steps.map(({ name, startedAt, endedAt }) => [name, seconds(startedAt, endedAt)]),
    ),
  }
}

const firstQuery = (engine: Engine, connection: ConnectionRevealed): Promise<unknown> =>
  waitFor('it answers', async () => {
    await engine.query(connection)
    return true
  })

async function drop(site: Site, { virtualDatabaseId }: Copy): Promise<void> {
  const params = { virtualDatabaseId }
  const dropped = await site.api.call('dropVirtualDatabase', { params, body: {} })
  if ('jobId' in dropped) await site.finish(dropped.jobId)
}

async function measureSingle(site: Site, engine: Engine, sourceId: string): Promise<void> {
  const times = { newest: [] as number[], refresh: [] as number[], drop: [] as number[] }
  const steps: Copy['steps'][] = []
  for (let round = 0; round < SINGLE_ROUNDS; round += 1) {
    const name = `single-${round}`
    const [made, copy] = await timed(() => makeCopy(site, engine, { sourceId, name }))
    const [refreshed] = await timed(async () => {
      const params = { virtualDatabaseId: copy.virtualDatabaseId }
      const begun = await site.api.call('refreshVirtualDatabase', { params, body: {} })
      if ('jobId' in begun) await site.finish(begun.jobId)
      await firstQuery(engine, copy.connection)
    })
    const [dropped] = await timed(() => drop(site, copy))
    steps.push(copy.steps)
    times.newest.push(made)
    times.refresh.push(refreshed)
    times.drop.push(dropped)
  }
  const text = (each: number[]): string =>
    `${median(each).toFixed(1)} s (${each.map((s) => s.toFixed(1)).join(', ')})`
  note('from the request to the first query, newest point', text(times.newest))
  const of = (name: string): string => median(steps.map((each) => each[name]!)).toFixed(2)
  const named = Object.keys(steps[0]!).map((name) => `${name} ${of(name)}`)
  note('of which the steps of its job, in seconds', named.join(', '))
  note('refresh to the newest point, to the first query', text(times.refresh))
  note('drop', text(times.drop))
}

async function measureMany(site: Site, engine: Engine, sourceId: string): Promise<void> {
  const directory = join(site.root, 'server')
  const before = await usedBytes(directory)
  const count = Number(values.copies)
  const [took, copies] = await timed(() =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        makeCopy(site, engine, { sourceId, name: `many-${i}` }),
      ),
    ),
  )
  const after = await usedBytes(directory)
  note(`${count} copies asked for at once, all queried`, `${took.toFixed(1)} s`)
  const whole = `${mb(before)} before, ${mb(after)} with them`
  note(`space of the pool with all layers`, `${whole}: ${mb((after - before) / count)} a copy`)
  for (const copy of copies) await drop(site, copy)
}

/** What a point adds to the pool, beside the log that production wrote for it. */
async function measurePoints(site: Site, engine: Engine, sourceId: string): Promise<void> {
  const tps = Number(values.tps)
  await site.takePoint(sourceId)
  const added: number[] = []
  const logged: number[] = []
  for (let number = 0; number < Number(values.points); number += 1) {
    const before = await engine.logBytes()
    await engine.load(POINT_SECONDS, tps)
    const job = await site.takePoint(sourceId)
    logged.push((await engine.logBytes()) - before)
    added.push((job.result as { addedBytes: number }).addedBytes)
  }
  const what = `a point after ${POINT_SECONDS} s of ${tps} transactions a second`
  note(what, `${mb(median(added))} stored, ${mb(median(logged))} of log`)
}

async function run(root: string): Promise<void> {
  // Production, the standby's layers before they are sealed, the pool; peers look for themselves.
  mustHaveRoom(root, megabytes * MB * (values.peers === 'only' ? 1.2 : 2.5))
  await using engine = await makeEngine(values.engine, join(root, 'production'), megabytes)
  note('production on disk', mb(await usedBytes(join(root, 'production'))))
  if (values.peers !== 'only') {
    await using site = await Site.make(root)
    const [took, sourceId] = await timed(() => site.protect('shop', engine))
    note('copied once, with its first point', `${took.toFixed(1)} s`)
    note('pool after that', mb(await usedBytes(join(root, 'server'))))
    await measureSingle(site, engine, sourceId)
    await measureMany(site, engine, sourceId)
    if (Number(values.points) > 0) await measurePoints(site, engine, sourceId)
    await site.unprotect(sourceId, 'shop')
  }
  if (values.peers === 'no') return
  if (engine instanceof PostgresEngine) await measurePostgresPeers(engine, root, note)
  else await measureMariadbPeers(engine, root, note)
}

process.stdout.write(`${formatMachine(describeMachine())}\n${JSON.stringify(values)}\n\n`)
await withRoot(values.scratch, run)
process.stdout.write(`${formatTable([`${values.engine}, ${values.size} MB`, 'result'], rows)}\n`)
process.stdout.write(`load at the end ${load().toFixed(1)}\n`)
