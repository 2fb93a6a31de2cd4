/**
 * A database under load for a long time, while everything is killed: what is promised holds.
 *
 *   node interop/soak/soak.ts [--engine postgres|mariadb] [--minutes 5] [--rate 80] [--every 20]
 *     [--seed 1] [--checks 3] [--limit 120] [--synchronous 3] [--root DIR]
 *
 * Production with an oracle log that its load writes; control, node and agent each a process of
 * its own; a point a minute. One victim after another, then at random, is killed with SIGKILL:
 * production, agent, node, control, a virtual database, the standby, all engines. All the while
 * moments are recovered on clones and compared with the oracle: the newest point, a random second,
 * a random transaction, the first transaction behind a point. Afterwards, with nobody killed,
 * until so many seconds and so many transactions (--checks) were recovered and compared, and a
 * fourth as many first transactions behind a point; for so many minutes at most (--limit). In the
 * end production is killed in synchronous mode, so often. Exit code 1 when anything is not as
 * promised.
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
import { waitFor } from '@openmaas/testkit/wait-for'
import { describeMachine, formatMachine, load as loadAverage } from '../../bench/machine.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { Checks, type CheckSite } from './checks.ts'
import { ACCOUNTS_PER_SCALE } from './content.ts'
import { type Engine, makeEngine } from './engine.ts'
import { Journal, wordsOf } from './journal.ts'
import { Oracle } from './oracle.ts'
import { Patient } from './patient.ts'
import { type Processes, startProcesses } from './processes.ts'
import { report } from './report.ts'
import { checkSynchronous } from './synchronous.ts'
import { listVictims, OwnDatabase, waitHealed } from './victims.ts'

const PROMISED_POINT_MS = 180_000
const DOWN_MAX_MS = 4000
const CHECK_PAUSE_MS = 15_000
const LEFT_MS = 60_000

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'postgres' },
    minutes: { type: 'string', default: '5' },
    rate: { type: 'string', default: '80' },
    scale: { type: 'string', default: '2' },
    every: { type: 'string', default: '20' },
    checks: { type: 'string', default: '3' },
    limit: { type: 'string', default: '120' },
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

function startLoad({ name, target }: Engine): ChildProcess {
  const words = ['--engine', name, '--socket', target.socket, '--port', String(target.port)]
  const program = fileURLToPath(new URL('load.ts', import.meta.url))
  const more = ['--log', join(root, 'oracle.jsonl'), '--rate', values.rate]
  const command = [...process.execArgv, program, ...words, ...more, '--scale', values.scale]
  return spawn(process.execPath, command, { stdio: 'inherit' })
}

async function protect(patient: Patient, processes: Processes, engine: Engine) {
  await patient.api().call('createPolicy', {
    body: {
      name: 'minute',
      selector: { sla: 'minute' },
      spec: { rpo: '1m', retention: { last: 10_000 } },
    },
  })
  const { kind, connection } = engine
  const source = await patient.api().call('createSource', {
    body: {
      name: 'shop',
      hostId: processes.agent.hostId,
      kind,
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
  readonly engine: Engine
  readonly checks: Checks
  readonly endMs: number
}): Promise<void> {
  const { victims, engine, checks, endMs } = site
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
      const ms = await waitHealed({ engine, checks })
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
  const kinds = ['newest', 'second', 'transaction', 'boundary', 'second', 'transaction'] as const
  for (let number = 0; Date.now() < endMs; number += 1) {
    await checks.check(kinds[number % kinds.length]!)
    await delay(CHECK_PAUSE_MS)
  }
}

/** What the time did not suffice for, with nobody killed. */
async function topUp(checks: Checks): Promise<void> {
  const each = Number(values.checks)
  const endMs = Date.now() + Number(values.limit) * 60_000
  const wanted = { second: each, transaction: each, boundary: Math.ceil(each / 4) } as const
  for (const kind of ['second', 'transaction', 'boundary'] as const) {
    while (journal.compared(kind) < wanted[kind] && Date.now() < endMs) await checks.check(kind)
    const compared = journal.compared(kind)
    if (compared >= wanted[kind]) continue
    journal.fault(`${compared} of ${wanted[kind]} (${kind}) compared, ${values.limit} min later`)
  }
}

async function soak(processes: Processes, engine: Engine): Promise<void> {
  const patient = new Patient(() => processes.control.api, journal)
  const oracle = new Oracle(join(root, 'oracle.jsonl'))
  const before = await engine.census()
  const load = startLoad(engine)
  try {
    const sourceId = await protect(patient, processes, engine)
    const source = await patient.api().call('getSource', { params: { sourceId } })
    const { hostId } = processes.agent
    const site: CheckSite = { patient, oracle, engine, journal, sourceId, hostId }
    const checks = new Checks(site, seed)
    const own = new OwnDatabase(await patient.make(site, {}, 'own'), engine, journal)
    await own.begin()
    journal.say(`protected, load ${loadAverage().toFixed(1)}`)
    const volumeId = source.database!.mediumId!
    const victims = listVictims({ root, processes, engine, volumeId, own })
    const endMs = Date.now() + Number(values.minutes) * 60_000
    await Promise.all([killLoop({ victims, engine, checks, endMs }), checkLoop(checks, endMs)])
    journal.say(`nobody is killed any more, load ${loadAverage().toFixed(1)}`)
    await topUp(checks)
    await own.end()
    const kills = Number(values.synchronous)
    for (let number = 1; number <= kills; number += 1) await checkSynchronous(site, number)
    await report(site, { root, volumeId, seededBefore: source })
    await removeAll(patient, sourceId)
  } finally {
    if (load.exitCode === null) {
      load.kill('SIGTERM')
      await once(load, 'exit')
    }
  }
  await expectNothingLeft(engine, before)
}

async function removeAll(patient: Patient, sourceId: string): Promise<void> {
  const query = { 'filter[active]': 'true' } as const
  const { items } = await patient.api().call('listVirtualDatabases', { query })
  for (const { id } of items) await patient.drop(id)
  const danger = { confirm: 'shop', reason: 'the soak is over' }
  // Not while a job works on it, such as one that takes a point.
  await patient.ask('the source is removed', (api) =>
    api.call('deleteSource', { params: { sourceId }, body: danger }),
  )
  const { items: jobs } = await patient.api().call('listJobs', {
    query: { 'filter[kind]': 'unprotect-database' },
  })
  const job = await patient.ended(jobs[0]!.id)
  if (job.state !== 'succeeded') journal.fault(`unprotect ${JSON.stringify(job.problem)}`)
}

/** Slots, users, followers. Production sees late that a connection is gone. */
async function expectNothingLeft(engine: Engine, before: Record<string, number>): Promise<void> {
  let now = before
  const same = async (): Promise<boolean> => {
    now = await engine.census()
    return JSON.stringify(now) === JSON.stringify(before)
  }
  await waitFor('nothing is left on production', same, { timeoutMs: LEFT_MS }).catch(() =>
    journal.fault(`production had ${JSON.stringify(before)}, has ${JSON.stringify(now)}`),
  )
}

process.stdout.write(`${formatMachine(describeMachine())}\n`)
const scale = Number(values.scale)
const engine = await makeEngine(values.engine, { directory: join(root, 'production'), scale })
journal.say(`root ${root}, ${values.minutes} min, seed ${seed}, ${engine.title}`)
journal.say(`${values.rate} transactions a second, ${scale * ACCOUNTS_PER_SCALE} accounts`)
try {
  await using processes = await startProcesses(root)
  await soak(processes, engine)
} finally {
  await engine[Symbol.asyncDispose]()
}
const left = findLeftovers([root])
if (left.length > 0) journal.fault(`left behind: ${left.join('\n')}`)
journal.say(`${journal.faults.length} faults; load ${loadAverage().toFixed(1)}`)
if (journal.faults.length === 0 && values.root === undefined) rmSync(root, { recursive: true })
process.exitCode = journal.faults.length === 0 ? 0 : 1
