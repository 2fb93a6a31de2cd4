/**
 * A production server of PostgreSQL for tests: real, with a role that may do just what protection
 * needs, and a load whose every commit is known.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { freePort } from '@openmaas/source-kit/free-port'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import {
  killProcess,
  sessionMembers,
  startServer,
  stopServer,
} from '@openmaas/source-kit/server-process'
import { roleSql } from '@openmaas/source-postgres/check'
import { formatLsn, parseSegmentName } from '@openmaas/source-postgres/lsn'
import { type Queries, withConnection } from '@openmaas/source-postgres/connection'
import { listPrograms, type ProgramFolders } from '@openmaas/source-postgres/programs'

/** Where tools/debian-programs unpacks what this suite of Debian does not have. */
export const PROGRAMS_17 = '/var/cache/openmaas/trixie-postgresql-17/usr/lib/postgresql/17/bin'

export function programsHere(): ProgramFolders {
  return existsSync(join(PROGRAMS_17, 'postgres')) ? { 17: PROGRAMS_17 } : {}
}

/** Folder of the programs of a version, or undefined where there are none. */
export function folderOf(major: number): string | undefined {
  return listPrograms(programsHere()).get(major)
}

const LIMIT_MS = 60_000
const SEGMENT_SIZE = 16n * 1024n * 1024n

export interface ProductionOptions {
  readonly major: number
  readonly settings?: Readonly<Record<string, string>>
  readonly checksums?: boolean
}

export class Production {
  readonly directory: string
  readonly port: number
  readonly #folder: string
  readonly #settings: Readonly<Record<string, string>>

  private constructor(directory: string, port: number, options: ProductionOptions) {
    this.directory = directory
    this.port = port
    this.#folder = folderOf(options.major)!
    this.#settings = options.settings ?? {}
  }

  /** Made and started. */
  static async make(directory: string, options: ProductionOptions): Promise<Production> {
    const production = new Production(directory, await freePort(['127.0.0.1']), options)
    mkdirSync(directory, { recursive: true })
    const user = serverUser('postgres')
    if (user !== null) await chown(directory, user.uid, user.gid)
    const initdb = [join(production.#folder, 'initdb'), '-D', production.data, '-U', 'boss']
    initdb.push('--locale=C', '--encoding=UTF8', '--auth-local=trust', '--no-sync')
    initdb.push('--auth-host=scram-sha-256')
    if (options.checksums !== false) initdb.push('--data-checksums')
    await runProgram(initdb, { user })
    await production.start()
    await production.sql(roleSql('openmaas', 'let me in'))
    return production
  }

  get data(): string {
    return join(this.directory, 'data')
  }

  /** As whoever protects it. */
  get connection(): DatabaseConnection {
    const { port } = this
    return {
      host: '127.0.0.1',
      port,
      user: 'openmaas',
      password: 'let me in',
      tls: 'off',
      ca: null,
    }
  }

  /** As its owner. */
  get owner(): DatabaseConnection {
    const { directory: host, port } = this
    return { host, port, user: 'boss', password: null, tls: 'off', ca: null }
  }

  async start(): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: this.directory,
      shared_buffers: '32MB',
      track_commit_timestamp: 'on',
      wal_keep_size: '512MB',
      // Without it, recovery.signal is refused; it is asked for nothing.
      restore_command: 'false',
      ...this.#settings,
    }
    const command = [join(this.#folder, 'postgres'), '-D', this.data]
    for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`)
    await startServer({ ...this.#place, command, user: serverUser('postgres'), restart: false })
    await this.answers()
  }

  async answers(): Promise<void> {
    await waitFor('production answers', () => this.sql('select 1'), { timeoutMs: LIMIT_MS })
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** As after a failover: it goes on, on a new timeline. */
  async promote(): Promise<void> {
    await this.stop()
    const signal = join(this.data, 'recovery.signal')
    writeFileSync(signal, '')
    const user = serverUser('postgres')
    if (user !== null) await chown(signal, user.uid, user.gid)
    await this.start()
    // It answers before its recovery has ended, and takes no writes until then.
    const over = async () => (await this.sql('select pg_is_in_recovery()')) === false
    await waitFor('production takes writes', over, { timeoutMs: LIMIT_MS })
  }

  /** Its state of now, under that name, for `comeBack`. */
  async setAside(name: string): Promise<void> {
    await this.stop()
    await runProgram(['cp', '-a', this.data, join(this.directory, name)])
    await this.start()
  }

  /** As when the machine that was replaced is switched on again, at the same address. */
  async comeBack(name: string): Promise<void> {
    await this.stop()
    rmSync(this.data, { recursive: true })
    await runProgram(['mv', join(this.directory, name), this.data])
    await this.start()
  }

  /** Makes a certificate for localhost. @returns it, as its own authority; after a restart */
  async useTls(): Promise<string> {
    const [key, certificate] = ['server.key', 'server.crt'].map((name) => join(this.data, name))
    const command = ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt']
    command.push('ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost')
    command.push('-addext', 'subjectAltName=DNS:localhost', '-keyout', key!, '-out', certificate!)
    await runProgram(command, { user: serverUser('postgres') })
    await this.sql('alter system set ssl = on')
    await this.sql('select pg_reload_conf()')
    return readFileSync(certificate!, 'utf8')
  }

  async stop(): Promise<void> {
    await stopServer(this.#place, { signal: 'SIGINT', timeoutMs: LIMIT_MS })
  }

  /** kill -9 of the server and of what it started, as a power failure does. */
  async kill(): Promise<void> {
    const record = await startServer(this.#anything)
    for (const pid of sessionMembers(record.pid)) killProcess(pid, 'SIGKILL')
    await stopServer(this.#place, { signal: 'SIGKILL', timeoutMs: LIMIT_MS })
    rmSync(join(this.data, 'postmaster.pid'), { force: true })
  }

  get #place(): { run: string; name: string } {
    return { run: this.directory, name: 'production' }
  }

  /** Finds the one that runs. */
  get #anything(): Parameters<typeof startServer>[0] {
    return { ...this.#place, command: ['false'], user: null, restart: false }
  }

  /** Each statement by itself, as psql does. @returns the first value of the last one */
  async sql(text: string): Promise<unknown> {
    return await this.query(async (queries) => {
      let value
      const statements = text.split(';').filter((one) => one.trim() !== '')
      for (const statement of statements) value = await queries.value(statement)
      return value
    })
  }

  async query<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    return await withConnection(this.owner, work)
  }

  /** Commits in the order of the log, as PostgreSQL's own tool reads it: the oracle. */
  async commits(): Promise<{ xid: string; atMs: number }[]> {
    const names = await this.query((queries) =>
      queries.rows('select name from pg_ls_waldir() order by name'),
    )
    const end = String(await this.sql('select pg_current_wal_flush_lsn()'))
    const command = [join(this.#folder, 'pg_waldump'), '-p', join(this.data, 'pg_wal')]
    const timeline = await this.sql('select timeline_id from pg_control_checkpoint()')
    const first = parseSegmentName(String(names[0]!['name']), SEGMENT_SIZE)!
    const begin = formatLsn(first.number * SEGMENT_SIZE)
    command.push('-r', 'Transaction', '-s', begin, '-e', end, '-t', String(timeline))
    const { stdout } = await runProgram(command, {
      user: serverUser('postgres'),
      environment: { TZ: 'UTC' },
    })
    const commits: { xid: string; atMs: number }[] = []
    for (const line of stdout.split('\n')) {
      const match = /tx: +(\d+),.*desc: COMMIT (\S+ \S+) UTC/.exec(line)
      if (match !== null) commits.push({ xid: match[1]!, atMs: exactMs(match[2]!) })
    }
    return commits
  }
}

/** "2026-11-22 21:08:00.123456" keeps its microseconds. */
function exactMs(text: string): number {
  const [whole, fraction = '0'] = text.split('.')
  return Date.parse(`${whole!.replace(' ', 'T')}Z`) + Number(`0.${fraction}`) * 1000
}
