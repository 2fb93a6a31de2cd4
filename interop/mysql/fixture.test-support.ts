/** What the conformance suite of source-kit needs of MariaDB and of MySQL. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import type {
  Commit,
  InstanceAccess,
  PluginFixture,
} from '@openmaas/source-kit/conformance.test-support'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { runProgram } from '@openmaas/source-kit/run-program'
import { findServer, killProcess, sessionMembers } from '@openmaas/source-kit/server-process'
import { makeMysqlPlugin } from '@openmaas/source-mysql/plugin'
import { Session, numberOf } from '@openmaas/source-mysql/session'
import type { Product } from '@openmaas/source-mysql/version'
import { PASSWORD, ProductionServer } from './server.test-support.ts'

/** Where tools/debian-programs unpacks MySQL, which Debian has in sid only. */
export const MYSQL_PROGRAMS = '/var/cache/openmaas/sid-mysql/usr/sbin'
/** In memory: what is tested is the order of writes, not the disk. */
const ROOT = '/dev/shm'

export class MysqlFixture implements PluginFixture {
  readonly product: Product
  readonly directory: string
  readonly plugin: SourcePlugin
  readonly production: ProductionServer
  readonly timeResolutionMs: number
  /** The last that was made. */
  volume = ''
  #copies = 0
  #load: Session | null = null

  private constructor(product: Product, directory: string, production: ProductionServer) {
    this.product = product
    this.directory = directory
    this.production = production
    // MariaDB logs whole seconds; the next one has begun after this, whatever the rounding.
    this.timeResolutionMs = product === 'mariadb' ? 1100 : 2
    this.plugin = makeMysqlPlugin({
      programDirectories: product === 'mysql' ? [MYSQL_PROGRAMS] : [],
      runRoot: this.runRoot,
    })
  }

  static async make(product: Product): Promise<MysqlFixture> {
    const directory = mkdtempSync(join(ROOT, `openmaas-${product}-`))
    chmodSync(directory, 0o755) // The server's user passes through it.
    try {
      const production = await ProductionServer.make({
        product,
        directory: join(directory, 'production'),
        programs: product === 'mysql' ? MYSQL_PROGRAMS : null,
      })
      await using session = await production.session()
      await session.run('CREATE DATABASE app')
      await session.run(
        'CREATE TABLE app.load_rows (id INT PRIMARY KEY, at TIMESTAMP(6) DEFAULT NOW(6))',
      )
      const account = "'nobody_much'@'%'"
      await session.run(`CREATE USER ${account} IDENTIFIED BY ${session.quote(PASSWORD)}`)
      return new MysqlFixture(product, directory, production)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  get runRoot(): string {
    return join(this.directory, 'run')
  }

  get connection(): DatabaseConnection {
    return this.production.connection
  }

  get powerless(): DatabaseConnection {
    return { ...this.connection, user: 'nobody_much' }
  }

  makeVolume(): Promise<string> {
    this.volume = this.#newDirectory('volume')
    return Promise.resolve(this.volume)
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
    const pids = this.#serversOn(directory)
    for (const pid of pids) killProcess(pid, 'SIGSTOP')
    try {
      await runProgram(['cp', '-a', `${directory}/.`, copy])
    } finally {
      for (const pid of pids) killProcess(pid, 'SIGCONT')
    }
    return copy
  }

  /** Of the standby and of instances, by the data directory they were given. */
  #serversOn(directory: string): number[] {
    const option = `--datadir=${join(directory, 'data')}`
    return this.#standbySessions().filter((pid) => commandOf(pid).includes(option))
  }

  #standbySessions(): number[] {
    const record = findServer({
      run: join(this.runRoot, 'src_00000000000000000000000001'),
      name: 'server',
    })
    return record === null ? [] : sessionMembers(record.pid)
  }

  /** One connection for all of the load: its commits come in the order they are asked for. */
  async #session(): Promise<Session> {
    this.#load ??= await this.production.session()
    return this.#load
  }

  async commit(row: number): Promise<Commit> {
    const session = await this.#session()
    await session.run(`INSERT INTO app.load_rows (id) VALUES (${row})`)
    if (this.product === 'mariadb') {
      const sql =
        'SELECT @@last_gtid AS gtid, UNIX_TIMESTAMP(at) AS at FROM app.load_rows WHERE id = ?'
      const [answer] = await session.rows(sql, [String(row)])
      // Everything of that second was committed by its end.
      const second = Math.floor(numberOf(answer?.['at']))
      return { id: answer?.['gtid'] ?? '', atMs: second * 1000 + 999 }
    }
    const [answer] = await session.rows(
      'SELECT @@global.gtid_executed AS gtids, UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS at',
    )
    const id = (answer?.['gtids'] ?? '').replace(/:.*-/, ':')
    return { id, atMs: numberOf(answer?.['at']) }
  }

  async rows({ port, user, password }: InstanceAccess): Promise<number[]> {
    const host = '127.0.0.1'
    await using session = await Session.open('the instance', { host, port, user, password })
    const rows = await session.rows('SELECT id FROM app.load_rows ORDER BY id')
    return rows.map((one) => Number(one['id']))
  }

  /** @throws MaasError when the instance takes no writes */
  async write({ port, user, password }: InstanceAccess): Promise<void> {
    const host = '127.0.0.1'
    await using session = await Session.open('the instance', { host, port, user, password })
    await session.run('DELETE FROM app.load_rows')
  }

  killStandby(volume: { readonly directory: string }): Promise<void> {
    const [pid] = this.#serversOn(volume.directory).filter(
      (one) => !commandOf(one).includes('openmaas-keeper'),
    )
    if (pid === undefined) throw new Error('the standby does not run')
    killProcess(pid, 'SIGKILL')
    return Promise.resolve()
  }

  assertion(count: number): { readonly database: string; readonly sql: string } {
    return { database: 'app', sql: `SELECT COUNT(*) = ${count} FROM load_rows` }
  }

  async restartProduction(): Promise<void> {
    await this.#endLoad()
    await this.production.stop()
    await this.production.start()
  }

  async #endLoad(): Promise<void> {
    await this.#load?.[Symbol.asyncDispose]()
    this.#load = null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endLoad()
    await this.production.stop('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // It has ended.
  }
}
