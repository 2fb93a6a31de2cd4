import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { transcriptEnvironment } from './transcript.ts'

const ENTRY = path.resolve(import.meta.dirname, '../src/main.ts')
/** Enough that the backup is still reading when its first pack appears. */
const SOURCE_SIZE = 192 << 20

let site: TemporaryDirectory

beforeEach(() => {
  site = new TemporaryDirectory({ inMemory: true })
  writeFileSync(site.join('passphrase'), 'correct horse\n')
  mkdirSync(site.join('src'))
})
afterEach(() => site.dispose())

function run(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const env = transcriptEnvironment(site.path)
  return spawnSync(process.execPath, [ENTRY, ...args], { cwd: site.path, env, encoding: 'utf8' })
}

function start(...args: string[]): { child: ChildProcess; end: Promise<[number | null, string]> } {
  const env = transcriptEnvironment(site.path)
  const child = spawn(process.execPath, [ENTRY, ...args], { cwd: site.path, env })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdout.resume()
  const end = new Promise<[number | null, string]>((resolve) =>
    child.on('close', (code) => resolve([code, stderr])),
  )
  return { child, end }
}

describe('a backup that is interrupted', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s ends with 130, and the pool is as if it had never been',
    async (signal) => {
      const bytes = Buffer.alloc(SOURCE_SIZE)
      randomFillSync(bytes)
      writeFileSync(site.join('src/large'), bytes)
      expect(run('pool', 'init', 'pool').status).toBe(0)
      const { child, end } = start('backup', 'src')
      const packs = site.join('pool/packs')
      await waitFor('a pack is there', () => existsSync(packs) && readdirSync(packs).length > 0)
      child.kill(signal)
      const [code, stderr] = await end
      expect(stderr).toContain('(CANCELLED)')
      expect(code).toBe(130)
      expect(run('points', '--json').stdout).toBe('[]\n')
      expect(run('pool', 'fsck', '--data').status).toBe(0)
      const again = run('backup', 'src')
      expect([again.status, again.stderr]).toEqual([0, ''])
    },
  )
})

test('a reader that goes away ends a listing quietly', () => {
  for (let i = 0; i < 5000; i += 1) writeFileSync(site.join(`src/${'x'.repeat(100)}${i}`), '')
  expect(run('pool', 'init', 'pool').status).toBe(0)
  expect(run('backup', 'src').status).toBe(0)
  const env = transcriptEnvironment(site.path)
  const script = `"$0" "$1" ls latest | head -1; exit \${PIPESTATUS[0]}`
  const args = ['-c', script, process.execPath, ENTRY]
  const result = spawnSync('bash', args, { cwd: site.path, env, encoding: 'utf8' })
  expect([result.status, result.stderr, result.stdout.split('\n').length]).toEqual([141, '', 2])
})
