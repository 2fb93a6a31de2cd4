/**
 * Goal: on genuine MySQL 9.7, the plug-in holds the contract of all plug-ins, and recovers clones
 * to any second and any transaction. Its programs come from Debian's sid, are unpacked once, and
 * kept.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { verifySourcePlugin } from '@openmaas/source-kit/conformance.test-support'
import { runProgram } from '@openmaas/source-kit/run-program'
import { requires } from '@openmaas/testkit/requires'
import { MYSQL_PROGRAMS, MysqlFixture } from './fixture.test-support.ts'
import { verifyConfinement } from './confinement.test-support.ts'
import { verifyRandomRecoveries } from './recovery.test-support.ts'

/** Each takes two starts of 1.3 s. OPENMAAS_RECOVERIES: as many as you like to wait for. */
const COUNT = Number(process.env['OPENMAAS_RECOVERIES'] ?? 2)
/** 56 MB of packages, and unpacking them. */
const UNPACK_MS = 240_000

await unpackPrograms()

/** Where that fails, the tests below are skipped and say what is missing. */
async function unpackPrograms(): Promise<void> {
  if (existsSync(join(MYSQL_PROGRAMS, 'mysqld')) || process.getuid?.() !== 0) return
  const script = join(import.meta.dirname, '../../tools/debian-programs')
  const tree = MYSQL_PROGRAMS.replace(/\/usr\/sbin$/, '')
  const packages = ['mysql-server-core', 'mysql-client-core']
  try {
    await runProgram([script, 'sid', tree, 'usr/sbin,usr/bin', ...packages], {
      timeoutMs: UNPACK_MS,
    })
  } catch (error) {
    process.stderr.write(`${String(error)}\n`)
  }
}

requires({ root: true, paths: [join(MYSQL_PROGRAMS, 'mysqld')] }, () => {
  verifySourcePlugin('MySQL 9.7', () => MysqlFixture.make('mysql'))
  verifyConfinement('mysql')
  verifyRandomRecoveries('mysql', { count: COUNT, pointGapMs: 1000 })
})
