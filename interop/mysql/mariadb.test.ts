/**
 * Goal: on the MariaDB of this host, the plug-in holds the contract of all plug-ins, and recovers
 * clones to any second and any transaction.
 */
import process from 'node:process'
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { requires } from '@openmaas/testkit/requires'
import { MysqlFixture } from './fixture.test-support.ts'
import { verifyConfinement } from './confinement.test-support.ts'
import { verifyRandomRecoveries } from './recovery.test-support.ts'

/** OPENMAAS_RECOVERIES: as many as you like to wait for. */
const COUNT = Number(process.env['OPENMAAS_RECOVERIES'] ?? 20)

requires({ root: true, programs: ['mariadbd', 'mariadb-backup'] }, () => {
  verifySourcePlugin('MariaDB 10.11', () => MysqlFixture.make('mariadb'))
  verifyConfinement('mariadb')
  verifyRandomRecoveries('mariadb', { count: COUNT, pointGapMs: 3000 })
})
