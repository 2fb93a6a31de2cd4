/** Goal: any time and any transaction under load is recovered on a clone, equal to the oracle. */
import process from 'node:process'
import { test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { recoverAnySecond } from './any-second.test-support.ts'
import { PostgresFixture } from './fixture.test-support.ts'
import { folderOf } from './production.test-support.ts'

/** Of times and of transactions each; 20 take a minute, which is for a run by hand. */
const TARGETS = Number(process.env['OPENMAAS_TEST_TARGETS'] ?? 5)
const SEED = Number(process.env['OPENMAAS_TEST_SEED'] ?? 1)

requires({ root: true, paths: [folderOf(15) ?? 'PostgreSQL 15'] }, () => {
  test(`${TARGETS} times and ${TARGETS} transactions are recovered as production had them`, async () => {
    await using fixture = await PostgresFixture.make({ major: 15 })
    await recoverAnySecond(fixture, { targets: TARGETS, seed: SEED, commits: 1500 })
  })
})
