/**
 * A PostgreSQL for tests and measurements: in a temporary directory, on a unix socket, as user
 * postgres.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, globSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import pg from 'pg'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'

/** Debian keeps the server's programs out of PATH, in a folder for each version. */
const PROGRAMS = globSync('/usr/lib/postgresql/*/bin/postgres')
  .map((path) => join(path, '..'))
  .toSorted()
  .at(-1)
export const START_TIMEOUT_MS = 60_000

function idOf(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
}

/** A server of our own, without durability: it holds nothing worth keeping. */
export class PostgresServer {
  readonly #directory = new TemporaryDirectory({ inMemory: true })
  readonly #socket = this.#directory.join('run')
  #child: ChildProcess | undefined
  #count = 0

  async start(): Promise<void> {
    const data = this.#directory.join('data')
    const [uid, gid] = [idOf('-u'), idOf('-g')]
    mkdirSync(this.#socket)
    for (const path of [this.#directory.path, this.#socket]) chownSync(path, uid, gid)
    const as = { uid, gid, cwd: this.#directory.path, stdio: 'ignore' } as const
    const options = ['--no-sync', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8']
    execFileSync(join(PROGRAMS!, 'initdb'), ['-D', data, ...options], as)
    const settings = ['listen_addresses=', 'fsync=off', 'max_connections=50', 'shared_buffers=16MB']
    this.#child = spawn(
      join(PROGRAMS!, 'postgres'),
      ['-D', data, '-k', this.#socket, ...settings.flatMap((setting) => ['-c', setting])],
      as,
    )
    await waitFor('PostgreSQL answers', () => this.#answers(), {
      timeoutMs: START_TIMEOUT_MS,
    })
  }

  /** @param template a database that nobody is connected to, to begin as a copy of */
  async makeDatabase(template?: string): Promise<string> {
    this.#count += 1
    const name = `catalog_${this.#count}`
    const like = template === undefined ? '' : ` template ${template} strategy file_copy`
    await this.#execute(`create database ${name}${like}`)
    return `postgres://postgres@localhost/${name}?host=${encodeURIComponent(this.#socket)}`
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child !== undefined && child.exitCode === null) {
      const ended = once(child, 'exit')
      // Immediate shutdown: nobody comes back to these data.
      child.kill('SIGQUIT')
      await ended
    }
    this.#directory.dispose()
  }

  async #answers(): Promise<true> {
    await this.#execute('select 1')
    return true
  }

  async #execute(statement: string): Promise<void> {
    const client = new pg.Client({ host: this.#socket, user: 'postgres', database: 'postgres' })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
}

/** Root, who may start it as another user, and the server's programs. */
export function postgresMissing(): boolean {
  return PROGRAMS === undefined || process.getuid?.() !== 0 || process.platform !== 'linux'
}
