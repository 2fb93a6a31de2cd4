/** Goal: the plug-in holds the contract of all plug-ins on the MariaDB of this host. */
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { requires } from '@openmaas/testkit/requires'
import { MysqlFixture } from './fixture.test-support.ts'

requires({ root: true, programs: ['mariadbd', 'mariadb-backup'] }, () => {
  verifySourcePlugin('MariaDB 10.11', () => MysqlFixture.make('mariadb'))
})
