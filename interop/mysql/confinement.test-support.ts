/** What the user of a virtual database may do to its data, and may not do to its host. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Session } from '@openmaas/source-mysql/session'
import type { Product } from '@openmaas/source-mysql/version'
import { MysqlFixture } from './fixture.test-support.ts'
import { PASSWORD } from './server.test-support.ts'

const SOURCE = { engine: 'mysql', id: 'src_00000000000000000000000001' }
const OWNER = { user: 'keeper', password: 'Any-thing-1' }
const CONTEXT = { signal: new AbortController().signal, progress: (): void => {} }

const ALLOWED = [
  'CREATE DATABASE own',
  'CREATE TABLE own.t (a INT)',
  'INSERT INTO own.t VALUES (1)',
  'CREATE VIEW own.v AS SELECT a FROM own.t',
  'DELETE FROM app.load_rows',
  'GRANT SELECT ON app.* TO keeper',
]

const REFUSED = [
  "SELECT 1 INTO OUTFILE '/tmp/openmaas-never'",
  "LOAD DATA INFILE '/etc/passwd' INTO TABLE own.t",
  "SET GLOBAL general_log_file = '/tmp/openmaas-never'",
  "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
  "INSTALL PLUGIN x SONAME 'x.so'",
  'SHUTDOWN',
  "CREATE USER 'other'@'%'",
  "ALTER USER 'root'@'localhost' IDENTIFIED BY 'x'",
  "RENAME USER 'openmaas_local'@'localhost' TO 'x'@'%'",
  'GRANT FILE ON *.* TO keeper',
  'GRANT INSERT ON `mysq_`.* TO keeper',
  'GRANT INSERT ON mysql.* TO keeper',
  'DROP DATABASE mysql',
  'SELECT * FROM mysql.user',
  'SELECT * FROM mysql.slave_master_info',
  "INSERT INTO mysql.plugin VALUES ('x', 'x.so')",
  "CREATE DEFINER = 'root'@'localhost' VIEW own.w AS SELECT 1",
]

export function verifyConfinement(product: Product): void {
  describe(`the user of a virtual database of ${product}`, () => {
    let fixture: MysqlFixture
    let clone = { engine: 'mysql', id: `vdb_${'7'.repeat(26)}`, directory: '' }
    let port = 0
    const open = (user: string, password: string): Promise<Session> =>
      Session.open('the instance', { host: '127.0.0.1', port, user, password })

    beforeAll(async () => {
      fixture = await MysqlFixture.make(product)
      const { plugin, connection } = fixture
      const place = { ...SOURCE, directory: await fixture.makeVolume() }
      await plugin.seed({ ...place, connection, bytesPerSecond: null }, CONTEXT)
      clone = { ...clone, directory: await fixture.copyVolume(place.directory) }
      const target = { kind: 'snapshot' as const }
      const where = { port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
      const order = { ...clone, ...OWNER, ...where, logDirectories: [], target }
      port = (await plugin.activate(order, CONTEXT)).port
    })
    afterAll(async () => {
      if (fixture === undefined) return
      await fixture.plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
      await fixture[Symbol.asyncDispose]()
    })

    test('works with all data, and does nothing that leaves it', async () => {
      await using session = await open(OWNER.user, OWNER.password)
      for (const sql of ALLOWED) await session.run(sql)
      for (const sql of REFUSED) {
        await expect(session.run(sql), sql).rejects.toMatchObject({ code: 'DATABASE_DENIED' })
      }
      expect(await session.value("SELECT LOAD_FILE('/etc/passwd')")).toBe(null)
      expect(await session.value('SELECT COUNT(*) FROM own.t')).toBe('1')
    })

    test('is the only one: accounts of production do not get in', async () => {
      await expect(open('nobody_much', PASSWORD)).rejects.toThrow(/lock/i)
    })
  })
}
