/** Production for the benchmarks: PostgreSQL under pgbench, MariaDB under sysbench. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { runProgram } from '@openmaas/source-kit/run-program'
import { withConnection } from '@openmaas/source-postgres/connection'
import { Session } from '@openmaas/source-mysql/session'
import { PASSWORD, ProductionServer } from '../../interop/mysql/server.test-support.ts'
import { Production } from '../../interop/postgres/production.test-support.ts'
import { cpuOfMs } from './site.ts'

/** A scale of pgbench is 100,000 accounts with their index. */
const MB_PER_SCALE = 15
/** A row of sysbench with its index. */
const ROWS_PER_MB = 4200
const TABLES = 4
const CLIENTS = 4

export interface LoadResult {
  readonly tps: number
  readonly latencyMs: number
}

export interface Engine extends AsyncDisposable {
  readonly kind: 'postgres' | 'mysql'
  readonly connection: { host: string; port: number; user: string; password: string }
  /** @param tps null: as fast as it goes */
  load(seconds: number, tps: number | null): Promise<LoadResult>
  /** Of production's own processes until now. */
  cpuMs(): number
  /** Bytes of log that it has written until now. */
  logBytes(): Promise<number>
  /** The first question a user asks: one row by its key. */
  query(shown: ConnectionRevealed): Promise<void>
}

export class PostgresEngine implements Engine {
  readonly kind = 'postgres'
  readonly production: Production
  readonly #scale: number

  private constructor(production: Production, scale: number) {
    this.production = production
    this.#scale = scale
  }

  static async make(directory: string, megabytes: number): Promise<PostgresEngine> {
    const settings = {
      shared_buffers: '512MB',
      max_wal_size: '2GB',
      wal_keep_size: '0',
      checkpoint_timeout: '5min',
    }
    const production = await Production.make(directory, { major: 15, settings })
    const scale = Math.max(1, Math.round(megabytes / MB_PER_SCALE))
    const engine = new PostgresEngine(production, scale)
    await engine.#pgbench(['-i', '-q', '-s', String(scale)])
    await production.sql('checkpoint')
    return engine
  }

  /** As it was filled, without its log. */
  get sizeBytes(): number {
    return this.#scale * MB_PER_SCALE * 1e6
  }

  get connection() {
    const { port } = this.production
    return { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
  }

  async load(seconds: number, tps: number | null): Promise<LoadResult> {
    const words = ['-n', '-c', String(CLIENTS), '-j', '2', '-T', String(seconds)]
    const rate = tps === null ? [] : ['-R', String(tps)]
    const output = await this.#pgbench([...words, ...rate])
    return {
      tps: numberIn(output, /tps = ([\d.]+)/),
      latencyMs: numberIn(output, /latency average = ([\d.]+) ms/),
    }
  }

  cpuMs(): number {
    const path = join(this.production.data, 'postmaster.pid')
    return cpuOfMs(Number(readFileSync(path, 'utf8').split('\n')[0]))
  }

  async logBytes(): Promise<number> {
    return Number(
      await this.production.sql(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text`),
    )
  }

  async query({ host, port, user, password }: ConnectionRevealed): Promise<void> {
    const connection = { host, port, user, password, tls: 'off', ca: null } as const
    const aid = this.#scale * 50_000
    const sql = 'select abalance from pgbench_accounts where aid = $1'
    await withConnection(connection, (queries) => queries.rows(sql, [aid]))
  }

  async #pgbench(words: readonly string[]): Promise<string> {
    const { directory, port } = this.production
    const command = ['pgbench', '-h', directory, '-p', String(port), '-U', 'boss']
    // Filling tens of gigabytes takes as long as it takes; so below.
    const options = { user: null, timeoutMs: null }
    const { stdout } = await runProgram([...command, ...words, 'postgres'], options)
    return stdout
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.production.stop()
  }
}

export class MariadbEngine implements Engine {
  readonly kind = 'mysql'
  readonly production: ProductionServer
  readonly #rows: number

  private constructor(production: ProductionServer, rows: number) {
    this.production = production
    this.#rows = rows
  }

  static async make(directory: string, megabytes: number): Promise<MariadbEngine> {
    const options = { product: 'mariadb', directory, programs: null } as const
    const production = await ProductionServer.make(options)
    await production.stop()
    await production.start(['--innodb-buffer-pool-size=512M', '--innodb-log-file-size=512M'])
    {
      await using session = await production.session()
      await session.run('CREATE DATABASE sbtest')
    }
    const rows = Math.round((megabytes * ROWS_PER_MB) / TABLES)
    const engine = new MariadbEngine(production, rows)
    await engine.#sysbench(['prepare'])
    return engine
  }

  get connection() {
    return { host: '127.0.0.1', port: this.production.port, user: 'openmaas', password: PASSWORD }
  }

  async load(seconds: number, tps: number | null): Promise<LoadResult> {
    const rate = tps === null ? [] : [`--rate=${tps}`]
    const output = await this.#sysbench([`--time=${seconds}`, ...rate, 'run'])
    return {
      tps: numberIn(output, /transactions: +\d+ +\(([\d.]+) per sec/),
      latencyMs: numberIn(output, /avg: +([\d.]+)/),
    }
  }

  cpuMs(): number {
    const path = join(this.production.options.directory, 'production.json')
    return cpuOfMs((JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid)
  }

  async logBytes(): Promise<number> {
    await using session = await this.production.session()
    const rows = await session.rows('SHOW BINARY LOGS')
    return rows.reduce((bytes, row) => bytes + Number(row['File_size']), 0)
  }

  async query({ host, port, user, password }: ConnectionRevealed): Promise<void> {
    const connection = { host, port, user, password, tls: 'off', ca: null } as const
    await using session = await Session.toProduction(connection)
    await session.rows(`SELECT c FROM sbtest.sbtest1 WHERE id = ${this.#rows >> 1}`)
  }

  async #sysbench(words: readonly string[]): Promise<string> {
    const { socket } = this.production
    const common = ['sysbench', 'oltp_read_write', `--tables=${TABLES}`, '--db-driver=mysql']
    common.push(`--table-size=${this.#rows}`, `--threads=${CLIENTS}`, '--mysql-db=sbtest')
    common.push(`--mysql-socket=${socket}`, '--mysql-user=root')
    const { stdout } = await runProgram([...common, ...words], { user: null, timeoutMs: null })
    return stdout
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.production[Symbol.asyncDispose]()
  }
}

export function makeEngine(name: string, directory: string, megabytes: number): Promise<Engine> {
  const make = name === 'mariadb' ? MariadbEngine : PostgresEngine
  return make.make(directory, megabytes)
}

function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new Error(`no ${pattern.source} in: ${text.slice(-2000)}`)
  return Number(found)
}
