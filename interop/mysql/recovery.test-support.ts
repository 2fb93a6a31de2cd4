/**
 * Random seconds and random transactions, recovered on clones while production works on, equal
 * what the load itself wrote down.
 */
import process from 'node:process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import type { RecoveryTarget } from '@openmaas/protocols/channel/database-orders'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Product } from '@openmaas/source-mysql/version'
import { MysqlFixture } from './fixture.test-support.ts'
import { Load } from './load.test-support.ts'
import type { LoggedCommit } from './load.test-support.ts'

const SOURCE = { engine: 'mysql', id: 'src_00000000000000000000000001' }
const ADMINISTRATOR = { user: 'keeper', password: 'Any-thing-1' }
const CONTEXT = { signal: new AbortController().signal, progress: (): void => {} }
/** Points while the load runs, so that targets lie behind several of them. */
const POINTS = 4
/** Two cores: two recoveries beside each other. */
const BESIDE = 2

interface Point {
  readonly directory: string
  /** By production's clock: all before it is in; what is after it is not. */
  readonly markedMs: number
  readonly copiedMs: number
}

export interface RecoveryOptions {
  /** Of seconds, and of transactions. */
  readonly count: number
  /** From point to point, the load running. */
  readonly pointGapMs: number
}

export function verifyRandomRecoveries(product: Product, options: RecoveryOptions): void {
  const { count } = options
  const seed = Number(process.env['OPENMAAS_SEED'] ?? 20_261_122)
  describe(`${count} random seconds and transactions of ${product}, seed ${seed}`, () => {
    const run = new RecoveryRun(product, new SeededRandom(seed))
    beforeAll(async () => await run.begin(options.pointGapMs))
    afterAll(async () => await run.end())

    test('transactions: the clone ends with each', async () => {
      const targets = run.randomCommits(count).map((commit) => ({
        commit,
        point: run.points.findLastIndex(({ copiedMs }) => copiedMs < commit.beginMs),
      }))
      await run.inTurn(targets, async ({ commit, point }) => {
        const rows = await run.recover(point, { kind: 'transaction', id: commit.gtid })
        expect(rows, commit.gtid).toEqual(run.rowsUntil(commit.sequence))
      })
    })

    test('seconds: the clone has what was committed before, and nothing else', async () => {
      await run.inTurn(run.randomSeconds(count), async ({ atMs, point }) => {
        const rows = await run.recover(point, { kind: 'time', atMs })
        run.expectRowsAt(rows, atMs)
      })
    })
  })
}

class RecoveryRun {
  readonly #product: Product
  readonly #random: SeededRandom
  #fixture!: MysqlFixture
  #commits: readonly LoggedCommit[] = []
  readonly points: Point[] = []
  #clones = 0

  constructor(product: Product, random: SeededRandom) {
    this.#product = product
    this.#random = random
  }

  async begin(gapMs: number): Promise<void> {
    this.#fixture = await MysqlFixture.make(this.#product)
    const { plugin, connection } = this.#fixture
    const place = { ...SOURCE, directory: await this.#fixture.makeVolume() }
    await plugin.seed({ ...place, connection, bytesPerSecond: null }, CONTEXT)
    const how = { retainedLimitBytes: 1e9, synchronous: false }
    await plugin.follow({ ...place, connection, ...how }, CONTEXT)
    const load = new Load(this.#product, this.#fixture.production)
    load.begin()
    for (let index = 0; index < POINTS; index += 1) {
      const marked = await plugin.mark({ ...place, connection }, CONTEXT)
      const directory = await this.#fixture.copyVolume(place.directory)
      const copiedMs = Date.now()
      this.points.push({ directory, markedMs: marked.atMs, copiedMs })
      await waitFor('the load went on', () => Date.now() > copiedMs + gapMs)
    }
    this.#commits = await load.end()
    const marked = await plugin.mark({ ...place, connection }, CONTEXT)
    const directory = await this.#fixture.copyVolume(place.directory)
    this.points.push({ directory, markedMs: marked.atMs, copiedMs: Date.now() })
  }

  async end(): Promise<void> {
    if (this.#fixture === undefined) return
    await this.#fixture.plugin.unfollow(
      { ...SOURCE, directory: this.#fixture.volume, connection: null, forget: false },
      CONTEXT,
    )
    await this.#fixture[Symbol.asyncDispose]()
  }

  /** Between the first and the last point. */
  randomCommits(count: number): LoggedCommit[] {
    const first = this.points[0]!.copiedMs
    const within = this.#commits.filter(({ beginMs }) => beginMs > first)
    expect(within.length).toBeGreaterThan(count)
    return Array.from({ length: count }, () => within[this.#random.below(within.length)]!)
  }

  randomSeconds(count: number): { atMs: number; point: number }[] {
    // The first whole second after a point is one it can be recovered to.
    const first = Math.ceil(this.points[0]!.copiedMs / 1000) + 1
    const last = Math.floor(this.points.at(-1)!.markedMs / 1000)
    return Array.from({ length: count }, () => {
      const atMs = (first + this.#random.below(last - first + 1)) * 1000
      const point = this.points.findLastIndex(({ copiedMs }) => copiedMs < atMs - 1000)
      return { atMs, point }
    })
  }

  rowsUntil(sequence: number): number[] {
    return sorted(this.#commits.filter((commit) => commit.sequence <= sequence))
  }

  /** Whole up to some commit, with all that ended before and none that began after. */
  expectRowsAt(rows: readonly number[], atMs: number): void {
    const there = new Set(rows)
    const last = this.#commits.findLast(({ row }) => there.has(row))
    expect(rows, 'in the order of commits').toEqual(this.rowsUntil(last?.sequence ?? 0))
    // MariaDB logs the second in which a statement began.
    const missing = this.#commits.filter(({ row, endMs }) => endMs < atMs && !there.has(row))
    const early = this.#commits.filter(({ row, beginMs }) => beginMs > atMs && there.has(row))
    expect({ missing, early }, `at ${atMs}`).toEqual({ missing: [], early: [] })
  }

  /** A clone of a point, with the log of the next ones. */
  async recover(index: number, target: RecoveryTarget): Promise<number[]> {
    const { plugin } = this.#fixture
    const directory = await this.#fixture.copyVolume(this.points[index]!.directory)
    this.#clones += 1
    const clone = {
      engine: 'mysql',
      id: `vdb_${String(this.#clones).padStart(26, '0')}`,
      directory,
    }
    const logDirectories = this.points.slice(index + 1).map((point) => point.directory)
    const where = { port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
    try {
      const { port } = await plugin.activate(
        { ...clone, ...ADMINISTRATOR, ...where, logDirectories, target },
        CONTEXT,
      )
      return await this.#fixture.rows({ ...ADMINISTRATOR, port })
    } finally {
      await plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
      rmSync(directory, { recursive: true })
    }
  }

  async inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const waiting = [...items]
    const worker = async (): Promise<void> => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
    }
    await Promise.all(Array.from({ length: BESIDE }, worker))
  }
}

function sorted(commits: readonly LoggedCommit[]): number[] {
  return commits.map(({ row }) => row).toSorted((a, b) => a - b)
}
