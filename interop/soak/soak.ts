/**
 * A database under load for a long time, while everything is killed: what is promised holds.
 *
 *   node interop/soak/soak.ts [--minutes 5] [--rate 80] [--every 20] [--seed 1]
 *     [--checks 3 (of seconds and of transactions at least)] [--synchronous 3] [--root DIR]
 *
 * Production (PostgreSQL 15) with an oracle log that its load writes; control, node and agent each
 * a process of its own; a point a minute. One victim after another, then at random, is killed
 * with SIGKILL: production, agent, node, control, a virtual database, the standby, all engines.
 * All the while moments are recovered on clones and compared with the oracle. In the end
 * production is killed in synchronous mode, so often. Exit code 1 when anything is not as promised.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SeededRandom } from '@openmaas/kernel/random'
import { runProgram } from '@openmaas/source-kit/run-program'
import { waitFor } from '@openmaas/testkit/wait-for'
import { describeMachine, formatMachine, load as loadAverage } from '../../bench/machine.ts'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { Checks, type CheckSite } from './checks.ts'
import { Journal, wordsOf } from './journal.ts'
import { Oracle } from './oracle.ts'
import { Patient } from './patient.ts'
import { type Processes, startProcesses } from './processes.ts'
import { report } from './report.ts'
import { ACCOUNTS_PER_SCALE, SCHEMA } from './schema.ts'
import { checkSynchronous } from './synchronous.ts'
import { listVictims, OwnDatabase, waitHealed } from './victims.ts'

const PROMISED_POINT_MS = 180_000
const DOWN_MAX_MS = 4000
const CHECK_PAUSE_MS = 15_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    rate: { type: 'string', default: '80' },
    scale: { type: 'string', default: '2' },
    every: { type: 'string', default: '20' },
    checks: { type: 'string', default: '3' },
    synchronous: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    root: { type: 'string' },
  },
})

const root = values.root ?? mkdtempSync(join(tmpdir(), 'openmaas-soak-'))
mkdirSync(root, { recursive: true })
chmodSync(root, 0o755) // The servers' user passes through it.
const journal = new Journal(join(root, 'journal.txt'))
const seed = Number(values.seed)

function startLoad(production: Production): ChildProcess {
  const { socket, log } = { socket: production.directory, log: join(root, 'oracle.jsonl') }
  const words = ['--socket', socket, '--port', String(production.port), '--log', log]
  const program = fileURLToPath(new URL('load.ts', import.meta.url))
  const more = ['--rate', values.rate, '--scale', values.scale]
  return spawn(process.execPath, [program, ...words, ...more], { stdio: 'inherit' })
}

async function makeProduction(): Promise<Production> {
  const settings = { wal_keep_size: '0', max_wal_size: '256MB', shared_buffers: '128MB' }
  const production = await Production.make(join(root, 'production'), { major: 15, settings })
  const pgbench = ['pgbench', '-h', production.directory, '-p', String(production.port)]
  pgbench.push('-U', 'boss', '-i', '-q', '-s', values.scale, 'postgres')
  await runProgram(pgbench, { user: null })
  await production.query(async (queries) => {
    for (const sql of SCHEMA) await queries.rows(sql)
  })
  return production
}

async function protect(patient: Patient, processes: Processes, production: Production) {
  await patient.api().call('createPolicy', {
    body: {
      name: 'minute',
      selector: { sla: 'minute' },
      spec: { rpo: '1m', retention: { last: 10_000 } },
    },
  })
  const { port } = production
  const connection = { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
  const source = await patient.api().call('createSource', {
    body: {
      name: 'shop',
      hostId: processes.agent.hostId,
      kind: 'postgres',
      poolId: processes.poolId,
      labels: { sla: 'minute' },
      database: { connection, volumeBytes: 8 * 1024 ** 3, retainedLimitBytes: 2 * 1024 ** 3 },
    },
  })
  const params = { sourceId: source.id }
  await waitFor(
    'there is a first point',
    async () => (await patient.api().call('getSource', { params })).lastPointId !== null,
    { timeoutMs: PROMISED_POINT_MS },
  )
  return source.id
}

async function killLoop(site: {
  readonly victims: ReturnType<typeof listVictims>
  readonly production: Production
  readonly checks: Checks
  readonly endMs: number
}): Promise<void> {
  const { victims, production, checks, endMs } = site
  const random = new SeededRandom(seed + 1)
  for (let number = 0; Date.now() < endMs; number += 1) {
    // One after another first, then at random.
    const index = number < victims.length ? number : random.below(victims.length)
    const victim = victims[index]!
    try {
      await victim.kill()
      journal.killed(victim.name)
      const downMs = random.below(DOWN_MAX_MS)
      await delay(downMs)
      await victim.restore()
      const ms = await waitHealed({ production, checks })
      journal.healMs.push({ victim: victim.name, ms })
      const [down, healed] = [downMs, ms].map((each) => (each / 1000).toFixed(1))
      journal.say(`killed ${victim.name}, away for ${down} s, caught up ${healed} s later`)
    } catch (error) {
      journal.fault(`after a kill of ${victim.name}: ${wordsOf(error)}`)
    }
    await delay(Number(values.every) * 500 + random.below(Number(values.every) * 1000))
  }
}

async function checkLoop(checks: Checks, endMs: number): Promise<void> {
  const kinds = ['newest', 'second', 'transaction', 'second', 'transaction'] as const
  for (let number = 0; Date.now() < endMs; number += 1) {
    await checkOnce(checks, kinds[number % kinds.length]!)
    await delay(CHECK_PAUSE_MS)
  }
}

async function checkOnce(checks: Checks, kind: 'newest' | 'second' | 'transaction') {
  try {
    await checks[kind]()
  } catch (error) {
    journal.fault(`the check ${kind} could not be made: ${wordsOf(error)}`)
  }
}

/** What the time did not suffice for, with nobody killed. */
async function topUp(checks: Checks): Promise<void> {
  const wanted = Number(values.checks)
  for (const kind of ['second', 'transaction'] as const) {
    while (journal.checks[kind] < wanted) await checkOnce(checks, kind)
  }
}

async function soak(processes: Processes, production: Production): Promise<void> {
  const patient = new Patient(() => processes.control.api, journal)
  const oracle = new Oracle(join(root, 'oracle.jsonl'))
  const load = startLoad(production)
  try {
    const sourceId = await protect(patient, processes, production)
    const source = await patient.api().call('getSource', { params: { sourceId } })
    const { hostId } = processes.agent
    const site: CheckSite = { patient, oracle, production, journal, sourceId, hostId }
    const checks = new Checks(site, seed)
    const own = new OwnDatabase(await patient.make(site, {}, 'own'), journal)
    await own.begin()
    journal.say(`protected, load ${loadAverage().toFixed(1)}`)
    const volumeId = source.database!.mediumId!
    const victims = listVictims({ root, processes, production, volumeId, own })
    const endMs = Date.now() + Number(values.minutes) * 60_000
    await Promise.all([killLoop({ victims, production, checks, endMs }), checkLoop(checks, endMs)])
    await topUp(checks)
    await own.end()
    const kills = Number(values.synchronous)
    for (let number = 0; number < kills; number += 1) await checkSynchronous(site)
    await report(site, { root, volumeId, seededBefore: source })
    await removeAll(patient, production, sourceId)
  } finally {
    if (load.exitCode === null) {
      load.kill('SIGTERM')
      await once(load, 'exit')
    }
  }
}

async function removeAll(patient: Patient, production: Production, sourceId: string) {
  const query = { 'filter[active]': 'true' } as const
  const { items } = await patient.api().call('listVirtualDatabases', { query })
  for (const { id } of items) await patient.drop(id)
  const danger = { confirm: 'shop', reason: 'the soak is over' }
  await patient.api().call('deleteSource', { params: { sourceId }, body: danger })
  const { items: jobs } = await patient.api().call('listJobs', {
    query: { 'filter[kind]': 'unprotect-database' },
  })
  const job = await patient.ended(jobs[0]!.id)
  if (job.state !== 'succeeded') journal.fault(`unprotect ${JSON.stringify(job.problem)}`)
  const slots = await production.sql('select count(*)::int from pg_replication_slots')
  if (slots !== 0) journal.fault(`production keeps ${String(slots)} slots`)
}

process.stdout.write(`${formatMachine(describeMachine())}\n`)
journal.say(`root ${root}, ${values.minutes} min, seed ${seed}, ${folderOf(15)}, `)
journal.say(`${values.rate} tps, ${Number(values.scale) * ACCOUNTS_PER_SCALE} accounts`)
const production = await makeProduction()
try {
  await using processes = await startProcesses(root)
  await soak(processes, production)
} finally {
  await production.stop()
}
const left = findLeftovers([root])
if (left.length > 0) journal.fault(`left behind: ${left.join('\n')}`)
journal.say(`${journal.faults.length} faults; load ${loadAverage().toFixed(1)}`)
if (journal.faults.length === 0 && values.root === undefined) rmSync(root, { recursive: true })
process.exitCode = journal.faults.length === 0 ? 0 : 1
