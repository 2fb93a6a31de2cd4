/** Who is killed: how, how it comes back, and how we know that it is well again. */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { ServerProgram } from '../serve/server.test-support.ts'
import { commandLine, kill, listProcesses } from '../support/leftovers.ts'
import type { Checks } from './checks.ts'
import type { Engine } from './engine.ts'
import type { Journal } from './journal.ts'
import type { Made } from './patient.ts'
import { killServersIn, type Processes } from './processes.ts'

/** After this long without the standby at production's heels the chain has not healed. */
const HEAL_MS = 180_000
const ANSWER_MS = 180_000
const SLOW_MS = 10_000

export interface Victim {
  readonly name: string
  kill(): Promise<void>
  /** Of what does not come back by itself. */
  restore(): Promise<void>
}

export interface VictimSite {
  /** Of everything that belongs to the soak. */
  readonly root: string
  readonly processes: Processes
  readonly engine: Engine
  /** The medium of the source, and the virtual database that lives throughout. */
  readonly volumeId: string
  readonly own: OwnDatabase
}

const ENGINE = /\/(?:engine\/main|attach\/remote-main)\.ts/
const mountOf = (mediumId: string): string => `/mnt/openmaas/${mediumId}`
const nothing = (): Promise<void> => Promise.resolve()

export function listVictims(site: VictimSite): Victim[] {
  const { root, processes, engine, volumeId, own } = site
  const { control, node, agent } = processes
  const role = (name: string, of: typeof node): Victim => ({
    name,
    kill: () => of.end('SIGKILL'),
    restore: () => {
      of.begin()
      return nothing()
    },
  })
  return [
    { name: 'production', kill: () => engine.kill(), restore: () => engine.start() },
    role('agent', agent),
    role('node', node),
    {
      name: 'control',
      kill: () => control.kill(),
      restore: () => begin(control),
    },
    { name: 'virtual database', kill: () => own.kill(), restore: () => own.check() },
    {
      name: 'standby',
      kill: () => {
        killServersIn(`${mountOf(volumeId)}/data`)
        return nothing()
      },
      restore: nothing,
    },
    {
      name: 'engines',
      kill: () => {
        for (const pid of enginesIn(root)) kill(pid)
        return nothing()
      },
      restore: nothing,
    },
  ]
}

/** On a machine that does much else it is ready later than tests wait. */
async function begin(control: ServerProgram): Promise<void> {
  const beginMs = performance.now()
  await control.begin().catch(() => undefined)
  const answers = (): Promise<unknown> => control.api.call('listHosts')
  await waitFor('control answers', answers, { timeoutMs: ANSWER_MS })
  if (performance.now() - beginMs > SLOW_MS) {
    const seconds = Math.round((performance.now() - beginMs) / 1000)
    process.stdout.write(`control was ready after ${seconds} s\n`)
  }
}

/** Whatever serves blocks, on either side: of the volume, and of clones. Their keepers live. */
function enginesIn(root: string): number[] {
  return listProcesses().filter((pid) => {
    const line = commandLine(pid)
    return ENGINE.test(line) && line.includes(root) && !line.includes('openmaas-keeper')
  })
}

/** @returns how long it took until the standby had what production had at the beginning */
export async function waitHealed(site: {
  readonly engine: Engine
  readonly checks: Checks
}): Promise<number> {
  const beginMs = performance.now()
  const options = { timeoutMs: HEAL_MS }
  const committed = (): Promise<bigint> => site.engine.committed()
  const wanted = await waitFor('production tells where it is', committed, options)
  const caughtUp = async (): Promise<boolean> => ((await site.checks.confirmed()) ?? 0n) >= wanted
  await waitFor('the standby has caught up', caughtUp, options)
  return performance.now() - beginMs
}

/** A virtual database that is written to throughout: what it acknowledged stays. */
export class OwnDatabase {
  readonly #made: Made
  readonly #engine: Engine
  readonly #journal: Journal
  #count = 0
  #stopped = false
  #writing: Promise<void> = Promise.resolve()

  constructor(made: Made, engine: Engine, journal: Journal) {
    this.#made = made
    this.#engine = engine
    this.#journal = journal
  }

  async begin(): Promise<void> {
    await this.#ask('create table own (n int)')
    this.#writing = this.#write()
  }

  #ask(sql: string): Promise<string | null> {
    return this.#engine.ask(this.#made.connection, sql)
  }

  async #write(): Promise<void> {
    while (!this.#stopped) {
      const row = this.#count + 1
      // Again after a write whose answer was lost: once or twice is both right.
      await this.#ask(`insert into own values (${row})`).then(
        () => (this.#count = row),
        () => undefined,
      )
      await delay(500)
    }
  }

  async kill(): Promise<void> {
    const killed = killServersIn(`${mountOf(this.#made.mediumId)}/data`)
    if (killed === 0) this.#journal.fault('the virtual database was not running')
    await Promise.resolve()
  }

  async check(): Promise<void> {
    const acknowledged = this.#count
    const beginMs = performance.now()
    const count = await waitFor(
      'the virtual database answers again',
      () => this.#ask('select count(distinct n) from own'),
      { timeoutMs: ANSWER_MS },
    )
    const tookMs = performance.now() - beginMs
    this.#journal.say(`the virtual database answered after ${(tookMs / 1000).toFixed(1)} s`)
    if (Number(count) < acknowledged) {
      this.#journal.fault(`the virtual database has ${count} rows of ${acknowledged}`)
    }
  }

  async end(): Promise<void> {
    this.#stopped = true
    await this.#writing
    await this.check()
  }
}
