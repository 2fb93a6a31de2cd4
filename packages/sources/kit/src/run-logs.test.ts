import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { runProgram } from './run-program.ts'
import { LOG_SIZE_MAX, trimRunLogs } from './run-logs.ts'

test('a log that a server fills is emptied, and goes on at its begin', () => {
  using root = new TemporaryDirectory()
  const run = join(root.path, 'vdb_1')
  mkdirSync(run)
  const [log, before, small, other] = [
    'server.log',
    'server.log.before',
    'a.log',
    'admin.json',
  ].map((name) => join(run, name)) as [string, string, string, string]
  for (const path of [log, before, other]) writeFileSync(path, Buffer.alloc(LOG_SIZE_MAX + 1, 'x'))
  writeFileSync(small, 'kept')
  writeFileSync(join(root.path, 'stray.log'), 'kept')
  trimRunLogs({ runRoot: root.path })
  appendFileSync(log, 'next')
  expect(readFileSync(log, 'utf8')).toBe('next')
  expect(statSync(before).size).toBe(0)
  expect(readFileSync(small, 'utf8')).toBe('kept')
  expect(statSync(other).size).toBe(LOG_SIZE_MAX + 1)
})

test('what a server lays in place of its log is not followed, and not waited for', async () => {
  using root = new TemporaryDirectory()
  const run = join(root.path, 'vdb_1')
  mkdirSync(run)
  const target = join(root.path, 'target')
  writeFileSync(target, Buffer.alloc(LOG_SIZE_MAX + 1, 'x'))
  symlinkSync(target, join(run, 'link.log'))
  linkSync(target, join(run, 'hard.log'))
  await runProgram(['mkfifo', join(run, 'pipe.log')], {})
  trimRunLogs({ runRoot: root.path })
  expect(statSync(target).size).toBe(LOG_SIZE_MAX + 1)
  // Nothing runs here.
  expect(() => trimRunLogs({ runRoot: join(root.path, 'none') })).not.toThrow()
})
