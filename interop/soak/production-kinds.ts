/** A production server of either engine with a small table that changes: all that cycles need. */
import { join } from 'node:path'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { Session } from '@openmaas/source-mysql/session'
import { PASSWORD, ProductionServer } from '../mysql/server.test-support.ts'
import { Production } from '../postgres/production.test-support.ts'
import { ask } from './checks.ts'

export interface Subject extends AsyncDisposable {
  readonly kind: 'postgres' | 'mysql'
  readonly connection: { host: string; port: number; user: string; password: string }
  /** One more row on production. */
  write(): Promise<void>
  /** How many rows a virtual database has. */
  count(shown: ConnectionRevealed): Promise<number>
  /** What protection may have left on production. */
  census(): Promise<Record<string, number>>
}

export async function makePostgres(root: string): Promise<Subject> {
  const production = await Production.make(join(root, 'production'), { major: 15 })
  await production.sql('create table goods (id serial primary key, at timestamptz default now())')
  const { port } = production
  const count = async (what: string): Promise<number> =>
    Number(await production.sql(`select count(*)::int from ${what}`))
  return {
    kind: 'postgres',
    connection: { host: '127.0.0.1', port, user: 'openmaas', password: 'let me in' },
    write: async () => void (await production.sql('insert into goods default values')),
    count: async (shown) =>
      Number(await ask(shown, (queries) => queries.value('select count(*)::int from goods'))),
    census: async () => ({
      'slots of production': await count('pg_replication_slots'),
      'roles of production': await count('pg_roles'),
      'followers of production': await count('pg_stat_replication'),
    }),
    [Symbol.asyncDispose]: () => production.stop(),
  }
}

export async function makeMariadb(root: string): Promise<Subject> {
  const directory = join(root, 'production')
  const production = await ProductionServer.make({ product: 'mariadb', directory, programs: null })
  const run = async (sql: string): Promise<void> => {
    await using session = await production.session()
    await session.run(sql)
  }
  const count = async (sql: string): Promise<number> => {
    await using session = await production.session()
    return Number(await session.value(sql))
  }
  await run('CREATE DATABASE shop')
  await run('CREATE TABLE shop.goods (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB')
  const { port } = production
  return {
    kind: 'mysql',
    connection: { host: '127.0.0.1', port, user: 'openmaas', password: PASSWORD },
    write: () => run('INSERT INTO shop.goods VALUES ()'),
    count: async ({ host, port: own, user, password }) => {
      const connection = { host, port: own, user, password, tls: 'off', ca: null } as const
      await using session = await Session.toProduction(connection)
      return Number(await session.value('SELECT COUNT(*) FROM shop.goods'))
    },
    census: async () => ({
      'users of production': await count('SELECT COUNT(*) FROM mysql.user'),
      'followers of production': await count(
        `SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Binlog Dump'`,
      ),
    }),
    [Symbol.asyncDispose]: () => production[Symbol.asyncDispose](),
  }
}
