/**
 * Goal: what people do wrong is answered in plain words with a code of the error table and its
 * exit code, and changes nothing in the pool.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTree } from '@openmaas/testkit/data'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { errorOf } from '../support/command-line.ts'
import { attempt } from '../support/program.ts'
import { Site } from '../support/site.ts'

let site: Site

/** All that a pool keeps of what was backed up. The log also says who owned it when. */
function digest(): string {
  const hash = createHash('sha256')
  for (const name of globSync('**/*', { cwd: site.pool }).toSorted()) {
    const path = join(site.pool, name)
    if (!/^(packs|keys|pool\.json)/.test(name) || !statSync(path).isFile()) continue
    hash.update(name).update(readFileSync(path))
  }
  return hash.digest('hex')
}

/** Who holds the lock on a file, without trying to take it: proc_locks(5). */
function lockOwner(path: string): number | undefined {
  const inode = `:${statSync(path).ino}`
  const rows = readFileSync('/proc/locks', 'utf8').split('\n')
  const row = rows.map((line) => line.trim().split(/\s+/)).find((each) => each[5]?.endsWith(inode))
  return row?.[4] === undefined ? undefined : Number(row[4])
}

beforeAll(async () => {
  site = await Site.make()
  makeTree(site.folder('source'), { files: 30 })
  await site.cli.backup(site.join('source'))
  writeFileSync(site.join('file'), 'no directory')
  writeFileSync(site.join('wrong'), 'another passphrase\n')
  site.folder('empty')
})
afterAll(() => site[Symbol.asyncDispose]())

describe('a failure', () => {
  test.each<[string, string, number, (site: Site) => string[]]>([
    ['a source that is not there', 'PATH_NOT_FOUND', 3, (s) => ['backup', s.join('nowhere')]],
    ['a source that is a file', 'SOURCE_UNSUPPORTED', 2, (s) => ['backup', s.join('file')]],
    [
      'a volume that is a directory',
      'SOURCE_UNSUPPORTED',
      2,
      (s) => ['backup', s.join('source'), '--volume'],
    ],
    [
      'a pool that is not there',
      'POOL_NOT_FOUND',
      3,
      (s) => ['points', '--pool', s.join('nowhere')],
    ],
    ['a pool where one is', 'POOL_EXISTS', 5, (s) => ['pool', 'init', s.pool]],
    ['a pool among other files', 'POOL_EXISTS', 5, (s) => ['pool', 'init', s.join('source')]],
    ['a point that is not there', 'SNAPSHOT_NOT_FOUND', 3, () => ['plug', 'ABCDEF']],
    [
      'a point to delete that is not there',
      'SNAPSHOT_NOT_FOUND',
      3,
      () => ['points', 'delete', 'ABCDEF', '--yes'],
    ],
    ['a medium that is not there', 'MEDIUM_NOT_FOUND', 3, () => ['eject', 'ABCDEF']],
    [
      'a passphrase file that is not there',
      'CONFIG_INVALID',
      2,
      (s) => ['points', '--passphrase-file', s.join('nowhere')],
    ],
    ['a command that is none', 'USAGE', 2, () => ['frobnicate']],
    ['an option that is none', 'USAGE', 2, () => ['points', '--frobnicate']],
  ])('%s is %s, exit code %i', async (_what, code, exitCode, args) => {
    const before = digest()
    const error = await site.cli.failure(args(site))
    expect(error).toMatchObject({ code, exitCode })
    expect(error.message).not.toBe('')
    expect(digest()).toBe(before)
  })

  test.each([
    ['points'],
    ['backup', 'source'],
    ['plug', 'latest'],
    ['restore', 'latest', '--to', 'restored'],
    ['points', 'delete', 'latest', '--yes'],
    ['pool', 'gc', '--yes'],
    ['pool', 'fsck'],
    ['pool', 'key', 'add', 'other'],
  ])('a wrong passphrase for "%s …" changes nothing', async (...args) => {
    const before = digest()
    const options = ['--passphrase-file', site.join('wrong')]
    const error = await site.cli.failure([...args, ...options], { directory: site.path })
    expect(error).toMatchObject({ code: 'POOL_PASSPHRASE_WRONG', exitCode: 4 })
    expect(digest()).toBe(before)
  })

  test('a result that cannot be written is no success', async () => {
    const command = site.cli.begin(['points', '--json'], ['sh', '-c', '"$@" >/dev/full', 'sh'])
    expect((await command.ended).exitCode).not.toBe(0)
  })
})

test('an empty directory is a complete point of no files', async () => {
  const result = await site.cli.backup(site.join('empty'))
  expect(result).toMatchObject({ status: 'complete', files: 0, size: 0 })
  await site.cli.json(['restore', result.id, '--to', site.join('nothing')])
  expect(globSync('**/*', { cwd: site.join('nothing') })).toEqual([])
})

requires({ root: true, paths: ['/dev/fuse', '/dev/loop-control'], programs: ['e2fsck'] }, () => {
  test('an empty directory is plugged as an empty disk that takes files', async () => {
    await site.cli.backup(site.join('empty'))
    const disk = await site.cli.plug('latest:empty')
    expect(globSync('**/*', { cwd: disk.mountPoint })).toEqual([])
    writeFileSync(join(disk.mountPoint, 'new'), 'written')
    expect((await attempt(['umount', disk.mountPoint])).exitCode).toBe(0)
    expect((await attempt(['e2fsck', '-fn', disk.device])).exitCode).toBe(0)
    await site.cli.json(['eject', disk.id])
  })
})

requires(['strace'], () => {
  test('a pool that another process owns is busy for writers, and open to readers', async () => {
    // Slow, so that it is met while it owns the pool; then it stands still for as long as needed.
    const slow = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:delay_enter=4000000:when=4']
    const wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', ...slow]
    const owner = site.cli.begin(['backup', site.join('source'), '--json'], wrapper)
    const pid = await waitFor('the pool is owned', () => lockOwner(join(site.pool, 'lock')))
    process.kill(pid, 'SIGSTOP')
    try {
      const refused = await site.cli.attempt(['pool', 'fsck'])
      expect(errorOf(refused)).toMatchObject({ code: 'POOL_BUSY', exitCode: 5 })
      expect((await site.cli.points()).length).toBeGreaterThan(0)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    const ended = await owner.ended
    expect(ended.exitCode, ended.stderr).toBe(0)
    await site.cli.json(['pool', 'fsck', '--data'])
  })
})
