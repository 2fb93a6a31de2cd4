/**
 * What every plug-in must hold, against a real engine. A plug-in's test gives a fixture and calls
 * verifySourcePlugin; the rest is the same for all engines: docs/protocols/source-plugin.md.
 *
 * Copies of the volume's directory, made by the fixture while everything goes on, stand for the
 * snapshots and clones that a pool makes.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '@openmaas/testkit/wait-for'
import type {
  DatabaseConnection,
  RecoveryTarget,
  RunningInstance,
} from '@openmaas/protocols/channel/database-orders'
import type { PluginContext, SourcePlugin } from './plugin.ts'

export interface Commit {
  /** As a recovery target names it: xid, GTID. */
  readonly id: string
  /** The moment that recovery to a time goes by. */
  readonly atMs: number
}

export interface InstanceAccess {
  readonly port: number
  readonly user: string
  readonly password: string
}

export interface PluginFixture extends AsyncDisposable {
  readonly plugin: SourcePlugin
  /** Of a production server that runs, as the role that protects it. */
  readonly connection: DatabaseConnection
  /** A role that may connect and nothing else. */
  readonly powerless: DatabaseConnection
  /** Two commits that are this far apart can be told apart by a time. */
  readonly timeResolutionMs: number
  /** An empty directory, as a volume that was just mounted. */
  makeVolume(): Promise<string>
  /** A consistent copy of a volume as it is at this moment. */
  copyVolume(directory: string): Promise<string>
  /** Writes one row in a transaction of its own. */
  commit(row: number): Promise<Commit>
  /** The rows of an instance, in order. */
  rows(instance: InstanceAccess): Promise<number[]>
  /** kill -9 of the standby's server process. */
  killStandby(volume: { readonly id: string; readonly directory: string }): Promise<void>
  /** SQL that is true in an instance with so many rows. */
  assertion(count: number): { readonly database: string; readonly sql: string }
  restartProduction(): Promise<void>
}

const SOURCE = 'src_00000000000000000000000001'
const RETAINED = 4 * 1024 ** 3
/** Of a standby that was killed, until it streams again. */
const HEAL_MS = 120_000

/** Call it in a test file; the fixture is made once. */
export function verifySourcePlugin(name: string, make: () => Promise<PluginFixture>): void {
  describe(`${name} holds what a source plug-in must`, () => {
    const run = new ConformanceRun()
    beforeAll(async () => await run.begin(await make()))
    afterAll(async () => await run.end())

    verifyChecks(run)
    verifySeed(run)
    verifyHealing(run)
    verifyRecovery(run)
    verifyInstances(run)
    verifyEnd(run)
  })
}

function verifyChecks(run: ConformanceRun): void {
  test('check answers with a remedy for each thing that does not hold', async () => {
    const { plugin, connection, powerless } = run.fixture
    const engine = plugin.engine
    const answer = await plugin.check({ engine, connection }, run.context)
    expect(answer.checks.filter((one) => !one.ok)).toEqual([])
    expect(answer.identity).not.toBe('')
    const refused = await plugin.check({ engine, connection: powerless }, run.context)
    const failed = refused.checks.filter((one) => !one.ok)
    expect(failed.length).toBeGreaterThan(0)
    for (const one of failed) expect(one.remedy, one.name).not.toBe('')
  })

  test('a wrong password and a server that is away are told apart', async () => {
    const { plugin, connection } = run.fixture
    const ask = (change: Partial<DatabaseConnection>): Promise<unknown> =>
      plugin.check({ engine: plugin.engine, connection: { ...connection, ...change } }, run.context)
    await expect(ask({ password: 'not it' })).rejects.toMatchObject({ code: 'DATABASE_DENIED' })
    await expect(ask({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
    })
  })
}

function verifySeed(run: ConformanceRun): void {
  test('before the seed is whole, nothing pretends that there is a copy', async () => {
    const { plugin } = run.fixture
    await expect(run.mark()).rejects.toMatchObject({ code: 'DATABASE_NOT_SEEDED' })
    const status = await plugin.status({ ...run.place, connection: null }, run.context)
    expect(status.state).toBe('seeding')
  })

  test('a cancelled seed is begun again, and a repeated one finds the work done', async () => {
    await run.commit(5)
    const abort = new AbortController()
    const cancelled = run.seed({ signal: abort.signal, progress: () => {} })
    abort.abort()
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' })
    const first = await run.seed(run.context)
    expect(first.sizeBytes).toBeGreaterThan(0)
    expect(await run.seed(run.context)).toMatchObject({ version: first.version })
  })

  test('follow answers when the standby receives, also the second time', async () => {
    expect(await run.follow()).toMatchObject({ state: 'following', mustReseed: false })
    expect(await run.follow()).toMatchObject({ state: 'following', mustReseed: false })
  })

  test('a mark holds everything that was committed before it', async () => {
    await run.commit(20)
    const marked = await run.mark()
    expect(marked.consistency).toBe('application')
    run.first = await run.point()
    expect(await run.rowsAt(run.first, { kind: 'snapshot' })).toEqual(run.committed)
  })
}

function verifyHealing(run: ConformanceRun): void {
  test('a standby that is killed heals by itself, without a new seed', async () => {
    await run.fixture.killStandby(run.place)
    await run.commit(5)
    await run.heal()
    await run.mark()
  })

  test('after production restarted, the standby follows on', async () => {
    await run.fixture.restartProduction()
    await run.commit(5)
    await run.heal()
    await run.mark()
  })
}

function verifyRecovery(run: ConformanceRun): void {
  test('a clone is recovered to any time and any transaction between two points', async () => {
    const [early, late] = [await run.apart(), await run.apart()]
    run.last = await run.laterPoint()
    const clone = (target: RecoveryTarget): Promise<number[]> =>
      run.rowsAt(run.first!, target, [run.last!])
    const until = (row: number): number[] => run.committed.filter((one) => one <= row)
    expect(await clone({ kind: 'time', atMs: early.atMs })).toEqual(until(early.row))
    expect(await clone({ kind: 'transaction', id: early.id })).toEqual(until(early.row))
    expect(await clone({ kind: 'time', atMs: late.atMs })).toEqual(until(late.row))
  })

  test('a moment that the log does not reach is refused, and nothing is left running', async () => {
    const atMs = Date.now() + 3_600_000
    await expect(run.rowsAt(run.first!, { kind: 'time', atMs })).rejects.toMatchObject({
      code: 'DATABASE_TARGET_UNREACHABLE',
    })
    expect(run.running).toEqual([])
  })
}

function verifyInstances(run: ConformanceRun): void {
  test('an instance keeps its port when it is activated again, and takes writes', async () => {
    const { plugin } = run.fixture
    const copy = await run.fixture.copyVolume(run.first!)
    const clone = run.cloneOf(copy)
    const one = await run.activate(clone, { kind: 'snapshot' }, [])
    const again = await run.activate(clone, { kind: 'snapshot' }, [])
    expect(again).toMatchObject({ port: one.port, pid: one.pid })
    await plugin.deactivate({ ...clone, immediate: false }, run.context)
    const later = await run.activate(clone, { kind: 'snapshot' }, [], one.port)
    expect(later.port).toBe(one.port)
    await plugin.mark({ ...clone, connection: null }, run.context)
    const stop = { ...clone, immediate: true }
    expect(await plugin.deactivate(stop, run.context)).toEqual({ stopped: true })
    expect(await plugin.deactivate(stop, run.context)).toEqual({ stopped: false })
  })
}

function verifyEnd(run: ConformanceRun): void {
  test('verify reports each check, and tells a false assertion from a true one', async () => {
    const { plugin } = run.fixture
    const clone = run.cloneOf(await run.fixture.copyVolume(run.first!))
    const { port } = await run.activate(clone, { kind: 'snapshot' }, [])
    const rows = await run.fixture.rows({ ...ADMINISTRATOR, port })
    const assertions = [rows.length, rows.length + 1].map((count) => run.fixture.assertion(count))
    const verified = await plugin.verify(
      { ...clone, ...ADMINISTRATOR, port, assertions },
      run.context,
    )
    expect(verified.ok).toBe(false)
    expect(verified.checks.filter((one) => !one.ok)).toHaveLength(1)
    expect(verified.checks.length).toBeGreaterThan(assertions.length)
    await plugin.deactivate({ ...clone, immediate: true }, run.context)
  })

  test('unfollow ends the standby, forgets it on production, and may be repeated', async () => {
    const { plugin, connection } = run.fixture
    const request = { ...run.place, connection, forget: true }
    await plugin.unfollow(request, run.context)
    await plugin.unfollow(request, run.context)
    const status = await plugin.status({ ...run.place, connection: null }, run.context)
    expect(status.state).toBe('stopped')
  })
}

const ADMINISTRATOR = { user: 'keeper', password: 'it\'s a \\ "secret": yes' }

interface PlaceOfVolume {
  readonly engine: string
  readonly id: string
  readonly directory: string
}

/** What the tests of one plug-in share, in their order. */
class ConformanceRun {
  fixture!: PluginFixture
  place!: PlaceOfVolume
  readonly committed: number[] = []
  /** Copies of the volume at an early and at a late mark. */
  first: string | undefined
  last: string | undefined
  readonly context: PluginContext = {
    signal: new AbortController().signal,
    progress: () => {},
  }
  readonly #clones = new Map<string, PlaceOfVolume>()

  async begin(fixture: PluginFixture): Promise<void> {
    this.fixture = fixture
    const directory = await fixture.makeVolume()
    this.place = { engine: fixture.plugin.engine, id: SOURCE, directory }
  }

  async end(): Promise<void> {
    // Nothing was begun when the fixture could not be made: that error is the one to see.
    if (this.fixture === undefined) return
    const { plugin } = this.fixture
    for (const clone of this.#clones.values()) {
      await plugin.deactivate({ ...clone, immediate: true }, this.context)
    }
    await plugin.unfollow({ ...this.place, connection: null, forget: false }, this.context)
    await this.fixture[Symbol.asyncDispose]()
  }

  /** Clones whose instance was not deactivated. */
  get running(): readonly string[] {
    return [...this.#clones.keys()]
  }

  async commit(count: number): Promise<Commit & { readonly row: number }> {
    let commit
    let row = 0
    for (let index = 0; index < count; index += 1) {
      row = this.committed.length
      commit = await this.fixture.commit(row)
      this.committed.push(row)
    }
    return { ...commit!, row }
  }

  /** A commit that a time can tell from those around it. */
  async apart(): Promise<Commit & { readonly row: number }> {
    await delay(this.fixture.timeResolutionMs)
    const commit = await this.commit(1)
    await delay(this.fixture.timeResolutionMs)
    await this.commit(3)
    return commit
  }

  async seed(context: PluginContext): Promise<{ sizeBytes: number; version: string }> {
    const { plugin, connection } = this.fixture
    return await plugin.seed({ ...this.place, connection, bytesPerSecond: null }, context)
  }

  async follow(): Promise<unknown> {
    const { plugin, connection } = this.fixture
    const request = { ...this.place, connection, retainedLimitBytes: RETAINED, synchronous: false }
    return await plugin.follow(request, this.context)
  }

  /** Without anybody asking it to follow again. */
  async heal(): Promise<void> {
    const { plugin, connection } = this.fixture
    const streams = async (): Promise<boolean> => {
      const status = await plugin.status({ ...this.place, connection }, this.context)
      expect(status.mustReseed, status.reason).toBe(false)
      return status.state === 'following'
    }
    await waitFor('the standby follows again', streams, { timeoutMs: HEAL_MS })
  }

  async mark(): Promise<{ atMs: number; consistency: string }> {
    const { plugin, connection } = this.fixture
    return await plugin.mark({ ...this.place, connection }, this.context)
  }

  async point(): Promise<string> {
    return await this.fixture.copyVolume(this.place.directory)
  }

  async laterPoint(): Promise<string> {
    await this.mark()
    return await this.point()
  }

  cloneOf(directory: string): PlaceOfVolume {
    const number = String(this.#count).padStart(26, '0')
    this.#count += 1
    return { engine: this.place.engine, id: `vdb_${number}`, directory }
  }
  #count = 1

  async activate(
    clone: PlaceOfVolume,
    target: RecoveryTarget,
    logDirectories: string[],
    port: number | null = null,
  ): Promise<RunningInstance> {
    this.#clones.set(clone.id, clone)
    const listen = ['127.0.0.1']
    const how = { logDirectories, target, port, listen, settings: {}, follow: null }
    try {
      return await this.fixture.plugin.activate(
        { ...clone, ...ADMINISTRATOR, ...how },
        this.context,
      )
    } catch (error) {
      this.#clones.delete(clone.id)
      throw error
    }
  }

  /** The rows of a clone of a point, recovered to the target. */
  async rowsAt(point: string, target: RecoveryTarget, logs: string[] = []): Promise<number[]> {
    const clone = this.cloneOf(await this.fixture.copyVolume(point))
    const { port } = await this.activate(clone, target, logs)
    const rows = await this.fixture.rows({ ...ADMINISTRATOR, port })
    await this.fixture.plugin.deactivate({ ...clone, immediate: true }, this.context)
    this.#clones.delete(clone.id)
    return rows
  }
}
