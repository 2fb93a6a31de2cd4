/** Moments of production recovered on clones, and compared with the oracle: equal or a fault. */
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { SeededRandom } from '@openmaas/kernel/random'
import { type Queries, withConnection } from '@openmaas/source-postgres/connection'
import { lsn } from '@openmaas/source-postgres/lsn'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Production } from '../postgres/production.test-support.ts'
import type { Journal } from './journal.ts'
import type { Commit, Oracle } from './oracle.ts'
import type { Moment, Patient } from './patient.ts'
import { type Content, contentOf, readContent } from './schema.ts'

/** Of two commits this near a time, the clocks do not tell which one comes first. */
const CLOCK_MS = 2
/** A point a minute, and time for what is killed meanwhile. */
const POINT_MS = 240_000

export interface CheckSite {
  readonly patient: Patient
  readonly oracle: Oracle
  readonly production: Production
  readonly journal: Journal
  readonly sourceId: string
  readonly hostId: string
}

export function ask<T>(shown: ConnectionRevealed, work: (queries: Queries) => Promise<T>) {
  const { host, port, user, password } = shown
  return withConnection({ host, port, user, password, tls: 'off', ca: null }, work)
}

export class Checks {
  readonly #site: CheckSite
  readonly #random: SeededRandom

  constructor(site: CheckSite, seed: number) {
    this.#site = site
    this.#random = new SeededRandom(seed)
  }

  /** Whatever the standby had told production that it has is in the next point. */
  async newest(): Promise<void> {
    const { journal, oracle, patient, sourceId } = this.#site
    journal.checks.newest += 1
    const confirmed = await waitFor('production tells what is confirmed', () => this.confirmed(), {
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
    const must = oracle.read().findLastIndex((commit) => commit.lsn <= confirmed) + 1
    await this.#compare('newest', { pointId: point.id }, (content) => {
      if (content.count < must) return `${must} were confirmed`
      return null
    })
  }

  /** @returns null when production is away, or the standby */
  async confirmed(): Promise<bigint | null> {
    const sql = `select flush_lsn::text from pg_stat_replication
                  where application_name like 'openmaas%' and flush_lsn is not null`
    const told = await this.#site.production.sql(sql)
    return typeof told === 'string' ? lsn(told) : null
  }

  /** A whole second between the first point and a moment ago. */
  async second(): Promise<void> {
    const { journal } = this.#site
    journal.checks.second += 1
    const [fromMs, untilMs] = await this.#range()
    const seconds = Math.floor((untilMs - fromMs) / 1000) - 1
    const atMs = (Math.ceil(fromMs / 1000) + this.#random.below(Math.max(1, seconds))) * 1000
    const commits = await this.#site.oracle.until(atMs + CLOCK_MS)
    const surely = commits.filter((commit) => commit.atMs <= atMs - CLOCK_MS).length
    const moment = { at: new Date(atMs).toISOString() }
    await this.#compare('second', moment, ({ count }) =>
      count < surely || count > commits.length ? `${surely} to ${commits.length} expected` : null,
    )
  }

  async transaction(): Promise<void> {
    const { journal, oracle } = this.#site
    journal.checks.transaction += 1
    const [fromMs, untilMs] = await this.#range()
    const known = oracle.read()
    const first = known.findIndex((commit) => commit.atMs > fromMs)
    const last = known.findLastIndex((commit) => commit.atMs < untilMs)
    const commit = known[first + this.#random.below(Math.max(1, last - first))]!
    const moment = { transaction: commit.xid }
    await this.#compare('transaction', moment, ({ count }) =>
      count === commit.seq ? null : `${commit.seq} expected`,
    )
  }

  /** From the first point until a few seconds ago; for what is later a point is taken first. */
  async #range(): Promise<readonly [number, number]> {
    const { patient, sourceId } = this.#site
    const params = { sourceId }
    const range = await patient.ask('the range is told', (api) =>
      api.call('getRecoverRange', { params }),
    )
    return [Date.parse(range.ranges[0]!.from), Date.now() - 5000]
  }

  /** @param judge what is wrong with the count, if anything is */
  async #compare(
    kind: 'newest' | 'second' | 'transaction',
    moment: Moment,
    judge: (content: Content) => string | null,
  ): Promise<void> {
    const { journal, patient, oracle } = this.#site
    const made = await patient.make(this.#site, moment, kind)
    journal.createMs.push(made.tookMs)
    const content = await this.#read(made.connection)
    const text = `${kind} ${JSON.stringify(moment)}: ${content.count} commits`
    const wrong = judge(content) ?? differs(content, await oracle.first(content.count))
    if (wrong === null) {
      journal.checks.passed += 1
      journal.say(`equal: ${text}, ${(made.tookMs / 1000).toFixed(1)} s`)
      await patient.drop(made.id)
    } else {
      // Left as it is, to be looked at.
      journal.fault(`${text}, but ${wrong} (${made.id}, ${made.mediumId})`)
    }
  }

  /** It may be killed with its agent or node while it is read. */
  #read(connection: ConnectionRevealed): Promise<Content> {
    const read = (): Promise<Content> => ask(connection, readContent)
    return waitFor('the virtual database answers', read, { timeoutMs: POINT_MS })
  }
}

export function differs(content: Content, commits: readonly Commit[]): string | null {
  const expected = contentOf(commits)
  if (JSON.stringify(content) === JSON.stringify(expected)) return null
  return `it is ${JSON.stringify(content)}, not ${JSON.stringify(expected)}`
}
