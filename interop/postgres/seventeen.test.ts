/**
 * Goal: PostgreSQL 17 is protected as 15 is. Its programs come from another suite of Debian, are
 * unpacked once, and kept.
 */
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { runProgram } from '@openmaas/source-kit/run-program'
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { recoverAnySecond } from './any-second.test-support.ts'
import { PostgresFixture } from './fixture.test-support.ts'
import { folderOf, PROGRAMS_17 } from './production.test-support.ts'

/** 50 MB of packages, and unpacking them. */
const UNPACK_MS = 240_000

await unpackPrograms()

/** Where that fails, the tests below are skipped and say what is missing. */
async function unpackPrograms(): Promise<void> {
  if (folderOf(17) !== undefined || process.getuid?.() !== 0) return
  const script = join(import.meta.dirname, '../../tools/debian-programs')
  const [tree, programs] = PROGRAMS_17.split('/usr/lib/') as [string, string]
  const command = [script, 'trixie', tree, `usr/lib/${programs}`, 'postgresql-17']
  try {
    await runProgram(command, { timeoutMs: UNPACK_MS })
  } catch (error) {
    process.stderr.write(`${String(error)}\n`)
  }
}

requires({ root: true, paths: [folderOf(17) ?? 'PostgreSQL 17'] }, () => {
  verifySourcePlugin('PostgreSQL 17', () => PostgresFixture.make({ major: 17 }))

  test('times and transactions are recovered as production had them', async () => {
    await using fixture = await PostgresFixture.make({ major: 17 })
    await recoverAnySecond(fixture, { targets: 2, seed: 17, commits: 500 })
  })
})
