/** Goal: the plug-in for PostgreSQL holds the contract of all plug-ins, on the version at hand. */
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { requires } from '@openmaas/testkit/requires'
import { PostgresFixture } from './fixture.test-support.ts'
import { folderOf } from './production.test-support.ts'

requires({ root: true, paths: [folderOf(15) ?? 'PostgreSQL 15'] }, () => {
  verifySourcePlugin('PostgreSQL 15', () => PostgresFixture.make({ major: 15 }))
})
