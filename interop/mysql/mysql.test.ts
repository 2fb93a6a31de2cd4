/** Goal: the plug-in holds the contract of all plug-ins on genuine MySQL 9.7. */
import { join } from 'node:path'
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { requires } from '@openmaas/testkit/requires'
import { MYSQL_PROGRAMS, MysqlFixture } from './fixture.test-support.ts'

requires({ root: true, paths: [join(MYSQL_PROGRAMS, 'mysqld')] }, () => {
  verifySourcePlugin('MySQL 9.7', () => MysqlFixture.make('mysql'))
})
