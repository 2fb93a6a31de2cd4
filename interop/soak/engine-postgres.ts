/** PostgreSQL 15 with pgbench's tables, a history whose numbers are the order of commits. */
import { runProgram } from '@openmaas/source-kit/run-program'
import { type Queries, withConnection } from '@openmaas/source-postgres/connection'
import { lsn } from '@openmaas/source-postgres/lsn'
import { waitFor } from '@openmaas/testkit/wait-for'
import { folderOf, Production } from '../postgres/production.test-support.ts'
import { type Content, contentOfRow } from './content.ts'
import type { Engine, EngineOptions, Login } from './engine.ts'

const MAJOR = 15
/** Until a standby that is being restarted streams again. */
const WAITING_MS = 240_000
const OWNER = { user: 'boss', password: 'of the soak' }

const SCHEMA = [
  `create table soak_counter (one int primary key, seq bigint not null, total bigint not null)`,
  `insert into soak_counter values (1, 0, 0)`,
  `create table soak_history (seq bigint primary key, key bigint unique, aid int, delta int,
     filler text default repeat('x', 60), at timestamptz default clock_timestamp())`,
  `create function soak_step(_key bigint, _aid int, _delta int, out seq bigint)
     language plpgsql as $$
     begin
       update pgbench_accounts set abalance = abalance + _delta where aid = _aid;
       update pgbench_tellers set tbalance = tbalance + _delta where tid = 1 + _aid % 10;
       update soak_counter c set seq = c.seq + 1, total = c.total + _delta
         where one = 1 returning c.seq into soak_step.seq;
       insert into soak_history (seq, key, aid, delta) values (soak_step.seq, _key, _aid, _delta);
     end $$`,
]

const CONTENT = `
  select count(*)::text as count, coalesce(max(seq), 0)::text as last,
         coalesce(sum(delta), 0)::text as deltas,
         (select total::text from soak_counter) as total,
         (select sum(abalance)::text from pgbench_accounts) as balances,
         md5(coalesce(string_agg(seq || ':' || aid || ':' || delta, ',' order by seq), ''))
           as digest
    from soak_history`

export class PostgresEngine implements Engine {
  readonly name = 'postgres'
  readonly kind = 'postgres'
  readonly owner = OWNER
  readonly resolutionMs = 0
  readonly #production: Production

  private constructor(production: Production) {
    this.#production = production
  }

  static async make({ directory, scale }: EngineOptions): Promise<PostgresEngine> {
    const settings = { wal_keep_size: '0', max_wal_size: '256MB', shared_buffers: '128MB' }
    const production = await Production.make(directory, { major: MAJOR, settings })
    const pgbench = ['pgbench', '-h', production.directory, '-p', String(production.port)]
    pgbench.push('-U', OWNER.user, '-i', '-q', '-s', String(scale), 'postgres')
    await runProgram(pgbench, { user: null })
    await production.query(async (queries) => {
      for (const sql of SCHEMA) await queries.rows(sql)
    })
    await production.sql(`alter role ${OWNER.user} password '${OWNER.password}'`)
    return new PostgresEngine(production)
  }

  get title(): string {
    return `PostgreSQL ${MAJOR} of ${folderOf(MAJOR)}`
  }

  get connection() {
    const { port } = this.#production
    return { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' }
  }

  get target() {
    return { socket: this.#production.directory, port: this.#production.port }
  }

  kill(): Promise<void> {
    return this.#production.kill()
  }

  start(): Promise<void> {
    return this.#production.start()
  }

  async committed(): Promise<bigint> {
    return lsn(String(await this.#production.sql('select pg_current_wal_flush_lsn()::text')))
  }

  async confirmed(): Promise<bigint | null> {
    const sql = `select flush_lsn::text from pg_stat_replication
                  where application_name like 'openmaas%' and flush_lsn is not null`
    const told = await this.#production.sql(sql)
    return typeof told === 'string' ? lsn(told) : null
  }

  placeOf(position: string): bigint {
    return lsn(position)
  }

  async ask(copy: Login, sql: string): Promise<string | null> {
    const value = await on(copy, (queries) => queries.value(sql))
    if (value === null || value === undefined) return null
    return typeof value === 'string' ? value : JSON.stringify(value)
  }

  async readContent(copy: Login): Promise<Content> {
    const [row] = await on(copy, (queries) => queries.rows(CONTENT))
    return contentOfRow(row!)
  }

  async beginWaiting(): Promise<void> {
    const options = { timeoutMs: WAITING_MS }
    const streaming = `select application_name from pg_stat_replication
                        where application_name like 'openmaas%' and state = 'streaming'`
    const ask = (): Promise<unknown> => this.#production.sql(streaming)
    const name = await waitFor('the standby streams', ask, options)
    await this.#waitFor(`FIRST 1 (${String(name)})`)
    const waits = `select count(*)::int from pg_stat_replication where sync_state = 'sync'`
    const isWaiting = async () => (await this.#production.sql(waits)) === 1
    await waitFor('production waits', isWaiting, options)
  }

  endWaiting(): Promise<void> {
    return this.#waitFor('')
  }

  async #waitFor(standbys: string): Promise<void> {
    await this.#production.sql(`alter system set synchronous_standby_names = '${standbys}'`)
    await this.#production.sql('select pg_reload_conf()')
  }

  async census(): Promise<Record<string, number>> {
    const count = async (what: string): Promise<number> =>
      Number(await this.#production.sql(`select count(*)::int from ${what}`))
    return {
      'slots of production': await count('pg_replication_slots'),
      'roles of production': await count('pg_roles'),
      'followers of production': await count('pg_stat_replication'),
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#production.stop()
  }
}

function on<T>({ host, port, user, password }: Login, work: (queries: Queries) => Promise<T>) {
  return withConnection({ host, port, user, password, tls: 'off', ca: null }, work)
}
