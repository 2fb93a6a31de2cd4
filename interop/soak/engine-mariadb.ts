/** MariaDB with tables like pgbench's, a history whose numbers are the order of commits. */
import { Session } from '@openmaas/source-mysql/session'
import { connectLocal } from '@openmaas/source-mysql/private-server'
import { layoutOf } from '@openmaas/source-mysql/volume'
import { waitFor } from '@openmaas/testkit/wait-for'
import { PASSWORD, ProductionServer } from '../mysql/server.test-support.ts'
import { ACCOUNTS_PER_SCALE, type Content, contentOfRow } from './content.ts'
import type { Engine, EngineOptions, Login } from './engine.ts'
import { sequenceOf } from './load-mariadb.ts'

/** Until a standby that is being restarted has received all. */
const WAITING_MS = 600_000
/** Of the whole history as text: an hour of it has some megabytes. */
const TEXT_BYTES_MAX = 1024 ** 3 - 1024
/** A clone whose engine was killed reads all its rows slowly. */
const CONTENT_MS = 180_000
const OWNER = { user: 'boss', password: 'Of-the-soak-1' }
/** Longest that the server takes: it never stops waiting. */
const TIMEOUT_MAX = 4_294_967_295

const schema = (accounts: number): string[] => [
  'CREATE DATABASE shop',
  'USE shop', // Tables of numbers, as below, are in whatever database is used.
  `CREATE TABLE shop.soak_accounts (aid INT PRIMARY KEY, abalance INT NOT NULL,
     filler CHAR(84) NOT NULL DEFAULT '') ENGINE=InnoDB`,
  `INSERT INTO shop.soak_accounts (aid, abalance) SELECT seq, 0 FROM seq_1_to_${accounts}`,
  `CREATE TABLE shop.soak_tellers (tid INT PRIMARY KEY, tbalance INT NOT NULL) ENGINE=InnoDB`,
  `INSERT INTO shop.soak_tellers SELECT seq, 0 FROM seq_1_to_10`,
  `CREATE TABLE shop.soak_counter (one INT PRIMARY KEY, seq BIGINT NOT NULL,
     total BIGINT NOT NULL) ENGINE=InnoDB`,
  'INSERT INTO shop.soak_counter VALUES (1, 0, 0)',
  `CREATE TABLE shop.soak_history (seq BIGINT PRIMARY KEY, id BIGINT UNIQUE, aid INT, delta INT,
     at_ms DECIMAL(17, 3), filler CHAR(60) NOT NULL DEFAULT '') ENGINE=InnoDB`,
  'CREATE TABLE shop.soak_waits (at TIMESTAMP) ENGINE=InnoDB',
  `CREATE USER ${OWNER.user}@'%' IDENTIFIED BY '${OWNER.password}'`,
  `GRANT SELECT ON shop.* TO ${OWNER.user}@'%'`,
]

const CONTENT = `
  SELECT COUNT(*) AS count, COALESCE(MAX(seq), 0) AS last, COALESCE(SUM(delta), 0) AS deltas,
         (SELECT total FROM shop.soak_counter) AS total,
         (SELECT SUM(abalance) FROM shop.soak_accounts) AS balances,
         MD5(COALESCE(GROUP_CONCAT(CONCAT(seq, ':', aid, ':', delta) ORDER BY seq), '')) AS digest
    FROM shop.soak_history`

export class MariadbEngine implements Engine {
  readonly name = 'mariadb'
  readonly kind = 'mysql'
  readonly title: string
  readonly owner = OWNER
  // Its log tells whole seconds.
  readonly resolutionMs = 1000
  readonly #production: ProductionServer

  private constructor(production: ProductionServer, version: string) {
    this.#production = production
    this.title = `MariaDB ${version}`
  }

  static async make({ directory, scale }: EngineOptions): Promise<MariadbEngine> {
    const options = { product: 'mariadb', directory, programs: null } as const
    const production = await ProductionServer.make(options)
    await using session = await production.session()
    for (const sql of schema(scale * ACCOUNTS_PER_SCALE)) await session.run(sql)
    return new MariadbEngine(production, (await session.value('SELECT VERSION()')) ?? '')
  }

  get connection() {
    return { host: '127.0.0.1', port: this.#production.port, user: 'openmaas', password: PASSWORD }
  }

  get target() {
    return { socket: this.#production.socket, port: this.#production.port }
  }

  kill(): Promise<void> {
    return this.#production.stop('SIGKILL')
  }

  start(): Promise<void> {
    return this.#production.start()
  }

  async committed(): Promise<bigint> {
    return sequenceOf((await this.#value('SELECT @@global.gtid_binlog_pos')) ?? '')
  }

  async confirmed(sourceId: string): Promise<bigint | null> {
    const options = { programDirectories: [] }
    await using local = await connectLocal(layoutOf({ id: sourceId, directory: '' }, options))
    // What is applied is durable there; what was only received would be sent again.
    return sequenceOf((await local.value('SELECT @@global.gtid_slave_pos')) ?? '')
  }

  placeOf(position: string): bigint {
    return sequenceOf(position)
  }

  ask(copy: Login, sql: string): Promise<string | null> {
    return on(copy, async (session) => {
      await session.run('USE shop')
      return session.value(sql)
    })
  }

  readContent(copy: Login): Promise<Content> {
    return on(copy, async (session) => {
      await session.run(`SET SESSION group_concat_max_len = ${TEXT_BYTES_MAX}`)
      const [row] = await session.rows(CONTENT, [], CONTENT_MS)
      return contentOfRow(row!)
    })
  }

  async beginWaiting(): Promise<void> {
    const options = { timeoutMs: WAITING_MS }
    const clients = async (): Promise<boolean> =>
      (await this.#status('Rpl_semi_sync_master_clients')) !== '0'
    await waitFor('the standby tells what it has', clients, options)
    await this.#run('SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC')
    await this.#run(`SET GLOBAL rpl_semi_sync_master_timeout = ${TIMEOUT_MAX}`)
    await this.#run('SET GLOBAL rpl_semi_sync_master_enabled = ON')
    // One that is acknowledged from now on means that the standby has all before it, too.
    await using session = await this.#production.session()
    await session.run('INSERT INTO shop.soak_waits VALUES (NOW())', [], WAITING_MS)
    const status = await this.#status('Rpl_semi_sync_master_status')
    if (status !== 'ON') throw new Error(`production does not wait: ${status}`)
  }

  endWaiting(): Promise<void> {
    return this.#run('SET GLOBAL rpl_semi_sync_master_enabled = OFF')
  }

  async census(): Promise<Record<string, number>> {
    const count = async (sql: string): Promise<number> => Number(await this.#value(sql))
    return {
      'users of production': await count('SELECT COUNT(*) FROM mysql.user'),
      'followers of production': await count(
        `SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Binlog Dump'`,
      ),
    }
  }

  async #status(name: string): Promise<string | null> {
    await using session = await this.#production.session()
    const [row] = await session.rows(`SHOW GLOBAL STATUS LIKE '${name}'`)
    return row?.['Value'] ?? null
  }

  async #value(sql: string): Promise<string | null> {
    await using session = await this.#production.session()
    return session.value(sql)
  }

  async #run(sql: string): Promise<void> {
    await using session = await this.#production.session()
    await session.run(sql)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#production[Symbol.asyncDispose]()
  }
}

async function on<T>(copy: Login, work: (session: Session) => Promise<T>): Promise<T> {
  const { host, port, user, password } = copy
  const connection = { host, port, user, password, tls: 'off', ca: null } as const
  await using session = await Session.toProduction(connection)
  return await work(session)
}
