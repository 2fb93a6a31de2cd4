/**
 * Virtual databases made, refreshed and dropped again and again: nothing of them stays.
 *
 *   node interop/soak/cycles.ts [--cycles 30] [--engine postgres|mariadb] [--root DIR]
 *
 * Runs in a process and mount namespace of its own, where everything is ours and can be counted:
 * processes, mounts, loop devices, files, secrets, descriptors of the server, slots and roles of
 * production. Counted after the first cycle and after the last. Exit code 1 when a count differs.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { waitFor } from '@openmaas/testkit/wait-for'
import { describeMachine, formatMachine, load } from '../../bench/machine.ts'
import { ServerProgram } from '../serve/server.test-support.ts'
import {
  type Census,
  type CensusSite,
  compareCensus,
  describeDescriptors,
  takeCensus,
} from './census.ts'
import { type Engine, type Login, makeEngine } from './engine.ts'
import { Journal, spread, wordsOf } from './journal.ts'
import { dials } from './load-session.ts'
import { Patient } from './patient.ts'

const INSIDE = 'OPENMAAS_CYCLES_INSIDE'
/** What the server does beside, such as saving its catalog, comes to rest. */
const REST_MS = 120_000
/** The first cycles open what then stays open: the pool, the threads, the sockets. */
const WARM_CYCLES = 2
const CONNECTIONS_SPARE = 12

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '30' },
    engine: { type: 'string', default: 'postgres' },
    root: { type: 'string' },
  },
})

if (process.env[INSIDE] === undefined) enterNamespaces()

/** Again, as the only one among processes and mounts; whatever it leaves ends with it. */
function enterNamespaces(): never {
  const script =
    'for d in /run/openmaas /run/openmaas-db /mnt/openmaas; do ' +
    'mkdir -p $d && mount -t tmpfs -o mode=755 cycles $d || exit 1; done; "$@"'
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)]
  const command = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', 'sh', '-c']
  const words = [...command, script, 'cycles', ...self, ...process.argv.slice(2)]
  const env = { ...process.env, [INSIDE]: '1' }
  const { status } = spawnSync('unshare', words, { stdio: 'inherit', env })
  process.exit(status ?? 1)
}

const root = values.root ?? mkdtempSync(join(tmpdir(), 'openmaas-cycles-'))
mkdirSync(root, { recursive: true })
chmodSync(root, 0o755) // The servers' user passes through it.
const journal = new Journal(join(root, 'journal.txt'))
const times = { create: [] as number[], refresh: [] as number[], drop: [] as number[] }

interface Site {
  readonly server: ServerProgram
  readonly patient: Patient
  readonly engine: Engine
  readonly sourceId: string
  readonly hostId: string
  rows: number
}

async function protect(server: ServerProgram, engine: Engine): Promise<Site> {
  const patient = new Patient(() => server.api, journal)
  const { items } = await server.api.call('listHosts')
  const hostId = items.find(({ kind }) => kind === 'agent')!.id
  const { connection, kind } = engine
  const database = { connection, volumeBytes: 1024 ** 3 }
  const source = await server.api.call('createSource', {
    body: { name: 'shop', hostId, kind, database },
  })
  const site = { server, patient, engine, sourceId: source.id, hostId, rows: 0 }
  await takePoint(site)
  return site
}

async function takePoint(site: Site): Promise<void> {
  const { patient, server, engine, sourceId } = site
  site.rows += 1
  const step = { key: site.rows, aid: site.rows, delta: 1 }
  await dials[engine.name](engine.target, async (session) => void (await session.step(step)))
  const params = { sourceId }
  const { jobId } = await server.api.call('protectSource', { params, body: {} })
  await mustSucceed(patient, jobId)
}

async function mustSucceed(patient: Patient, jobId: string): Promise<void> {
  const job = await patient.ended(jobId)
  if (job.state === 'succeeded') return
  throw new Error(`${job.kind} ${job.state}: ${JSON.stringify(job.problem)}`)
}

async function measure<T>(into: number[], work: () => Promise<T>): Promise<T> {
  const beginMs = performance.now()
  const result = await work()
  into.push(performance.now() - beginMs)
  return result
}

async function cycle(site: Site, number: number): Promise<void> {
  const { patient, server, engine } = site
  const make = () => patient.make(site, {}, `cycle-${number}`)
  const { id, connection } = await measure(times.create, make)
  await expectRows(site, connection)
  await takePoint(site)
  await measure(times.refresh, async () => {
    const params = { virtualDatabaseId: id }
    const begun = await server.api.call('refreshVirtualDatabase', { params, body: {} })
    if (!('jobId' in begun)) throw new Error('a job was expected')
    await mustSucceed(patient, begun.jobId)
  })
  await expectRows(site, connection)
  await measure(times.drop, () => patient.drop(id))
  const answers = await engine.readContent(connection).catch(() => null)
  if (answers !== null) journal.fault(`${id} answers after it was dropped`)
}

async function expectRows({ engine, rows }: Site, connection: Login): Promise<void> {
  const { count } = await engine.readContent(connection)
  if (count !== rows) journal.fault(`${count} rows on the virtual database, ${rows} expected`)
}

/** Twice the same, a moment apart: then nothing is under way. */
async function censusAtRest(site: CensusSite): Promise<Census> {
  let before = await takeCensus(site)
  return waitFor(
    'nothing changes any more',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 2000))
      const now = await takeCensus(site)
      const same = compareCensus(before, now).length === 0
      before = now
      return same && now
    },
    { timeoutMs: REST_MS },
  )
}

async function run(server: ServerProgram, engine: Engine): Promise<void> {
  const site = await protect(server, engine)
  const { data } = server.options
  const place = { data, serverPid: server.pid, askProduction: () => engine.census() }
  for (let number = 1; number <= WARM_CYCLES; number += 1) await cycle(site, number)
  const before = await censusAtRest(place)
  const open = describeDescriptors(server.pid)
  const memoryBefore = residentMb(server.pid)
  const count = Number(values.cycles)
  for (let number = 1; number <= count; number += 1) {
    await cycle(site, WARM_CYCLES + number)
    if (number % 10 === 0) journal.say(`${number} cycles, load ${load().toFixed(1)}`)
  }
  await judge(place, before, count)
  journal.say(`open before: ${open}; after: ${describeDescriptors(server.pid)}`)
  journal.say(`memory of the server: ${memoryBefore} MB before, ${residentMb(server.pid)} after`)
  for (const [verb, each] of Object.entries(times)) journal.say(`${verb}: ${spread(each)}`)
}

async function judge(place: CensusSite, before: Census, count: number): Promise<void> {
  const spare = 'descriptors of the server'
  const isOver = async (): Promise<boolean> => {
    const now = await censusAtRest(place)
    // Idle connections of the API's client come and go.
    const different = compareCensus({ ...before, [spare]: 0 }, { ...now, [spare]: 0 })
    if (now[spare]! > before[spare]! + CONNECTIONS_SPARE) {
      different.push(`${spare}: ${before[spare]} before, ${now[spare]} after`)
    }
    if (different.length > 0) throw new Error(different.join('; '))
    for (const [name, value] of Object.entries(before)) {
      journal.say(`${name}: ${value} before ${count} cycles, ${now[name]} after`)
    }
    return true
  }
  await waitFor('all counts are as before', isOver, { timeoutMs: REST_MS }).catch(
    (error: unknown) => journal.fault(wordsOf(error)),
  )
}

const residentMb = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024)

process.stdout.write(`${formatMachine(describeMachine())}\n`)
{
  const directory = join(root, 'production')
  await using engine = await makeEngine(values.engine, { directory, scale: 1 })
  await using server = await ServerProgram.start({ data: join(root, 'data'), flags: ['--http'] })
  await run(server, engine)
}
journal.say(`${values.engine}: ${journal.faults.length} faults; load ${load().toFixed(1)}`)
if (journal.faults.length === 0 && values.root === undefined) rmSync(root, { recursive: true })
process.exitCode = journal.faults.length === 0 ? 0 : 1
