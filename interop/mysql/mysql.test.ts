/**
 * Goal: on genuine MySQL 9.7, the plug-in holds the contract of all plug-ins, and recovers clones to
 * any second and any transaction.
 */
import { join } from 'node:path'
import process from 'node:process'
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { requires } from '@openmaas/testkit/requires'
import { MYSQL_PROGRAMS, MysqlFixture } from './fixture.test-support.ts'
import { verifyRandomRecoveries } from './recovery.test-support.ts'

/** OPENMAAS_RECOVERIES: as many as you like to wait for. */
const COUNT = Number(process.env['OPENMAAS_RECOVERIES'] ?? 4)

requires({ root: true, paths: [join(MYSQL_PROGRAMS, 'mysqld')] }, () => {
  verifySourcePlugin('MySQL 9.7', () => MysqlFixture.make('mysql'))
  verifyRandomRecoveries('mysql', COUNT)
})
