/** What the conformance suite of source-kit needs of PostgreSQL. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Commit, InstanceAccess } from '@openmaas/source-kit/conformance.test-support'
import type { PluginFixture } from '@openmaas/source-kit/conformance.test-support'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { runProgram } from '@openmaas/source-kit/run-program'
import { killProcess } from '@openmaas/source-kit/server-process'
import { withConnection } from '@openmaas/source-postgres/connection'
import { placeOf } from '@openmaas/source-postgres/place'
import { makePostgresPlugin } from '@openmaas/source-postgres/plugin'
import { postmasterPid } from '@openmaas/source-postgres/standby'
import { Production, type ProductionOptions, programsHere } from './production.test-support.ts'

/** In memory: what is tested is the order of writes, not the disk. */
const ROOT = '/dev/shm'

export class PostgresFixture implements PluginFixture {
  readonly timeResolutionMs = 2
  readonly directory: string
  readonly plugin: SourcePlugin
  readonly production: Production
  #copies = 0

  private constructor(directory: string, production: Production) {
    this.directory = directory
    this.production = production
    this.plugin = makePostgresPlugin(this.options)
  }

  static async make(options: ProductionOptions): Promise<PostgresFixture> {
    const directory = mkdtempSync(join(ROOT, 'openmaas-postgres-'))
    chmodSync(directory, 0o755) // The server's user passes through it.
    try {
      const production = await Production.make(join(directory, 'production'), options)
      await production.sql(`
        create table load (row int primary key, at timestamptz default clock_timestamp());
        create role nobody_much login password 'hello'`)
      return new PostgresFixture(directory, production)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  get options(): { programs: ReturnType<typeof programsHere>; runRoot: string } {
    return { programs: programsHere(), runRoot: join(this.directory, 'run') }
  }

  get connection(): DatabaseConnection {
    return this.production.connection
  }

  get powerless(): DatabaseConnection {
    return { ...this.connection, user: 'nobody_much', password: 'hello' }
  }

  makeVolume(): Promise<string> {
    return Promise.resolve(this.#newDirectory('volume'))
  }

  #newDirectory(name: string): string {
    this.#copies += 1
    const directory = join(this.directory, `${name}-${this.#copies}`)
    mkdirSync(directory)
    return directory
  }

  /** The server stands still meanwhile: a copy file by file is of one moment, as a snapshot is. */
  async copyVolume(directory: string): Promise<string> {
    const copy = this.#newDirectory('copy')
    const pids = processesIn(join(directory, 'data'))
    for (const pid of pids) killProcess(pid, 'SIGSTOP')
    try {
      await runProgram(['cp', '-a', `${directory}/.`, copy])
    } finally {
      for (const pid of pids) killProcess(pid, 'SIGCONT')
    }
    return copy
  }

  async commit(row: number): Promise<Commit> {
    return await this.production.query(async (queries) => {
      const sql = 'insert into load (row) values ($1) returning pg_current_xact_id()::text'
      const id = String(await queries.value(sql, [row]))
      const time = 'select extract(epoch from pg_xact_commit_timestamp($1::text::xid)) * 1000'
      return { id, atMs: Number(await queries.value(time, [id])) }
    })
  }

  async rows({ port, user, password }: InstanceAccess): Promise<number[]> {
    const connection = { host: '127.0.0.1', port, user, password, tls: 'off', ca: null } as const
    const rows = await withConnection(connection, (queries) =>
      queries.rows('select row from load order by row'),
    )
    return rows.map((one) => Number(one['row']))
  }

  killStandby(volume: { readonly id: string; readonly directory: string }): Promise<void> {
    const pid = postmasterPid(placeOf(volume, this.options))
    if (pid === null) throw new Error('the standby does not run')
    killProcess(pid, 'SIGKILL')
    return Promise.resolve()
  }

  assertion(count: number): { readonly database: string; readonly sql: string } {
    return { database: 'postgres', sql: `select count(*) = ${count} from load` }
  }

  async restartProduction(): Promise<void> {
    await this.production.stop()
    await this.production.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.production.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Of a server: their working directory is its data directory. */
function processesIn(data: string): number[] {
  const inside = (name: string): boolean => {
    try {
      return readlinkSync(`/proc/${name}/cwd`) === data
    } catch {
      return false // It has ended.
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && inside(name))
    .map(Number)
}
