/** A production server of either product: in a directory of its own, in memory, on a free port. */
import { chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { freePort } from '@openmaas/source-kit/free-port'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { serverLogTail, startServer, stopServer } from '@openmaas/source-kit/server-process'
import { Session } from '@openmaas/source-mysql/session'
import type { Product } from '@openmaas/source-mysql/version'

export const PASSWORD = 'pro"duc\'tion\\1'
/** The account with the least rights that suffice, as the check names them. */
const RIGHTS: Readonly<Record<Product, string>> = {
  mariadb: 'RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICATION SLAVE',
  mysql: 'BACKUP_ADMIN, PROCESS, REPLICATION CLIENT, REPLICATION SLAVE',
}
const START_MS = 120_000

export interface ProductionOptions {
  readonly product: Product
  readonly directory: string
  /** Folder of mysqld; null: the host's. */
  readonly programs: string | null
}

export class ProductionServer implements AsyncDisposable {
  readonly options: ProductionOptions
  readonly port: number

  private constructor(options: ProductionOptions, port: number) {
    this.options = options
    this.port = port
  }

  static async make(options: ProductionOptions): Promise<ProductionServer> {
    const server = new ProductionServer(options, await freePort(['127.0.0.1']))
    const user = serverUser('mysql')
    mkdirSync(options.directory, { recursive: true })
    if (user !== null) chownSync(options.directory, user.uid, user.gid)
    if (!existsSync(server.data)) await server.#initialize()
    await server.start()
    await using session = await server.session()
    const account = "'openmaas'@'%'"
    await session.run(`CREATE USER ${account} IDENTIFIED BY ${session.quote(PASSWORD)}`)
    await session.run(`GRANT ${RIGHTS[options.product]} ON *.* TO ${account}`)
    if (options.product === 'mysql') {
      await session.run("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
    }
    return server
  }

  get data(): string {
    return join(this.options.directory, 'data')
  }

  get socket(): string {
    return join(this.options.directory, 'production.sock')
  }

  get connection(): DatabaseConnection {
    const { port } = this
    // MySQL makes itself a certificate at its first start; MariaDB needs to be given one.
    const tls = this.options.product === 'mysql' ? 'require' : 'off'
    return { host: '127.0.0.1', port, user: 'openmaas', password: PASSWORD, tls, ca: null }
  }

  async #initialize(): Promise<void> {
    const user = serverUser('mysql')
    const { product, programs } = this.options
    if (product === 'mysql') {
      const command = [join(programs!, 'mysqld'), '--no-defaults', '--initialize-insecure']
      await runProgram([...command, `--datadir=${this.data}`], { user })
      return
    }
    const command = ['mariadb-install-db', '--no-defaults', `--datadir=${this.data}`]
    const more = ['--auth-root-authentication-method=normal', '--skip-test-db']
    await runProgram([...command, ...more], { user })
  }

  async start(more: readonly string[] = []): Promise<void> {
    const { product, programs, directory } = this.options
    const common = [
      '--no-defaults',
      `--datadir=${this.data}`,
      `--socket=${this.socket}`,
      `--pid-file=${join(directory, 'production.pid')}`,
      `--port=${this.port}`,
      '--bind-address=127.0.0.1',
      '--server-id=1',
      '--log-bin=binlog',
      '--binlog-format=ROW',
      '--sync-binlog=1',
      '--innodb-buffer-pool-size=64M',
    ]
    const own =
      product === 'mariadb'
        ? ['--gtid-strict-mode=ON', '--performance-schema=OFF', '--innodb-log-file-size=8M']
        : [
            '--gtid-mode=ON',
            '--innodb-redo-log-capacity=8M',
            '--enforce-gtid-consistency=ON',
            '--mysqlx=OFF',
            '--secure-file-priv=NULL',
          ]
    const program = product === 'mariadb' ? '/usr/sbin/mariadbd' : join(programs!, 'mysqld')
    const command = [program, ...common, ...own, ...more]
    await startServer({ ...this.#place, command, user: serverUser('mysql'), restart: false })
    const deadline = performance.now() + START_MS
    for (;;) {
      const session = await this.session().catch(() => null)
      if (session !== null) return session[Symbol.asyncDispose]()
      if (performance.now() > deadline) {
        throw new Error(`production does not start: ${await serverLogTail(this.#place)}`)
      }
      await delay(50)
    }
  }

  get #place(): { run: string; name: string } {
    return { run: this.options.directory, name: 'production' }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await stopServer(this.#place, { signal, timeoutMs: 60_000 })
  }

  /** As root. */
  session(): Promise<Session> {
    return Session.open('production', { socketPath: this.socket, user: 'root' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}
