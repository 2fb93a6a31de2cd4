/** Moments of production recovered on clones, and compared with the oracle: equal or a fault. */
import { SeededRandom } from '@openmaas/kernel/random'
import { waitFor } from '@openmaas/testkit/wait-for'
import { type Content, contentOf } from './content.ts'
import type { Engine } from './engine.ts'
import { type CheckKind, type Journal, wordsOf } from './journal.ts'
import type { Commit, Oracle } from './oracle.ts'
import type { Moment, Patient } from './patient.ts'

/** A point a minute, and time for what is killed meanwhile. */
const POINT_MS = 240_000
const POINTS_MAX = 100
/** Of what may be recovered without a point that is taken for it. */
const RECENT_MS = 5000

export interface CheckSite {
  readonly patient: Patient
  readonly oracle: Oracle
  readonly engine: Engine
  readonly journal: Journal
  readonly sourceId: string
  readonly hostId: string
}

/** The checks that go on beside the kills. */
export type RunningKind = Exclude<CheckKind, 'synchronous'>

export class Checks {
  readonly #site: CheckSite
  readonly #random: SeededRandom

  constructor(site: CheckSite, seed: number) {
    this.#site = site
    this.#random = new SeededRandom(seed)
  }

  async check(kind: RunningKind): Promise<void> {
    const { journal } = this.#site
    try {
      await this[kind]()
    } catch (error) {
      journal.checked(kind, 'gaveUp')
      journal.fault(`the check ${kind} could not be made: ${wordsOf(error)}`)
    }
  }

  /** Whatever the standby had on its disk, and whatever the point says of itself, is in it. */
  async newest(): Promise<void> {
    const { oracle, engine, patient, sourceId } = this.#site
    const confirmed = await waitFor('it is told what is confirmed', () => this.confirmed(), {
      timeoutMs: POINT_MS,
    })
    const sampledMs = Date.now()
    const query = { 'filter[sourceId]': sourceId, limit: 1 }
    const point = await waitFor(
      'there is a later point',
      async () => {
        const { items } = await patient.api().call('listPoints', { query })
        const found = items[0]
        return found !== undefined && Date.parse(found.takenAt) > sampledMs && found
      },
      { timeoutMs: POINT_MS },
    )
    const must = oracle.countUntil(confirmed)
    const position = point.database?.position
    const said = position === undefined ? 0 : oracle.countUntil(engine.placeOf(position))
    await this.#compare('newest', { pointId: point.id }, ({ count }) => {
      if (count < must) return `${must} were confirmed`
      return count < said ? `the point says that it has ${said}` : null
    })
  }

  /** @returns null when production is away, or the standby */
  confirmed(): Promise<bigint | null> {
    return this.#site.engine.confirmed(this.#site.sourceId)
  }

  /** A whole second between the first point and a moment ago. */
  async second(): Promise<void> {
    const [fromMs, untilMs] = await this.#range()
    const seconds = Math.floor((untilMs - fromMs) / 1000) - 1
    const atMs = (Math.ceil(fromMs / 1000) + this.#random.below(Math.max(1, seconds))) * 1000
    const { least, most } = await this.#site.oracle.countsAt(atMs)
    const moment = { at: new Date(atMs).toISOString() }
    await this.#compare('second', moment, ({ count }) =>
      count < least || count > most ? `${least} to ${most} expected` : null,
    )
  }

  async transaction(): Promise<void> {
    const [fromMs, untilMs] = await this.#range()
    const known = this.#site.oracle.read().filter(({ transaction, beginMs, endMs }) => {
      return transaction !== null && beginMs > fromMs && endMs < untilMs
    })
    const commit = known[this.#random.below(Math.max(1, known.length))]
    if (commit === undefined) throw new Error('no commit is known in the range')
    await this.#compare('transaction', { transaction: commit.transaction! }, ({ count }) =>
      count === commit.seq ? null : `${commit.seq} expected`,
    )
  }

  /** The first transaction behind what a point says that it has: it may be in that point, too. */
  async boundary(): Promise<void> {
    const { oracle, engine, patient, sourceId } = this.#site
    const query = { 'filter[sourceId]': sourceId, limit: POINTS_MAX }
    const { items } = await patient.ask('the points are listed', (api) =>
      api.call('listPoints', { query }),
    )
    // What was committed while the oldest was taken is older than what can be recovered.
    const point = items[this.#random.below(Math.max(1, items.length - 1))]!
    const before = oracle.countUntil(engine.placeOf(point.database!.position))
    const known = oracle.read().slice(before)
    const commit = known.find(({ transaction }) => transaction !== null)
    if (commit === undefined) throw new Error(`no commit is known behind ${point.id}`)
    await this.#compare('boundary', { transaction: commit.transaction! }, ({ count }) =>
      count === commit.seq ? null : `${commit.seq} expected`,
    )
  }

  /** From the first point until a few seconds ago; for what is later a point is taken first. */
  async #range(): Promise<readonly [number, number]> {
    const { patient, sourceId, engine, journal } = this.#site
    const params = { sourceId }
    const { ranges } = await patient.ask('the range is told', (api) =>
      api.call('getRecoverRange', { params }),
    )
    if (ranges.length !== 1) journal.fault(`seconds are missing: ${JSON.stringify(ranges)}`)
    return [Date.parse(ranges[0]!.from) + engine.resolutionMs, Date.now() - RECENT_MS]
  }

  /** @param judge what is wrong with the count, if anything is */
  async #compare(
    kind: RunningKind,
    moment: Moment,
    judge: (content: Content) => string | null,
  ): Promise<void> {
    const { journal, patient, oracle, engine } = this.#site
    const made = await patient.make(this.#site, moment, kind)
    journal.createMs.push(made.tookMs)
    // It may be killed with its agent or node while it is read.
    const read = (): Promise<Content> => engine.readContent(made.connection)
    const content = await waitFor('the virtual database answers', read, { timeoutMs: POINT_MS })
    const text = `${kind} ${JSON.stringify(moment)}: ${content.count} commits`
    const wrong = judge(content) ?? differs(content, await oracle.first(content.count))
    journal.checked(kind, wrong === null ? 'equal' : 'unequal')
    if (wrong === null) {
      journal.say(`equal: ${text}, ${(made.tookMs / 1000).toFixed(1)} s`)
      await patient.drop(made.id)
    } else {
      // Left as it is, to be looked at.
      journal.fault(`${text}, but ${wrong} (${made.id}, ${made.mediumId})`)
    }
  }
}

export function differs(content: Content, commits: readonly Commit[]): string | null {
  const expected = contentOf(commits)
  if (JSON.stringify(content) === JSON.stringify(expected)) return null
  return `it is ${JSON.stringify(content)}, not ${JSON.stringify(expected)}`
}
