import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import { setxattr } from '@openmaas/kernel/posix/xattr'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import { makeTree } from '@openmaas/testkit/data'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { captureTree } from '../capture/capture-tree.ts'
import { describeTree, makePool, openReader } from '../test-site.ts'
import { temporaryName } from './entry-restorer.ts'
import { restoreTree } from './restore-tree.ts'
import type { RestoreOptions } from './types.ts'

let site: TemporaryDirectory
let pool: Pool
let reader: PoolReader
let snapshot: SnapshotRow
let source: string
let target: string

beforeAll(async () => {
  site = new TemporaryDirectory()
  source = site.join('source')
  target = site.join('target')
  pool = await makePool(site.join('pool'))
  makeTree(source, { files: 30, filesPerDirectory: 10 })
  writeFileSync(site.join('source', 'file'), 'the file')
  mkdirSync(site.join('source', 'directory', 'below'), { recursive: true })
  writeFileSync(site.join('source', 'directory', 'below', 'bottom'), 'bottom')
  snapshot = (await captureTree({ pool, path: source, name: 'test', lanes: 1 })).snapshot
  reader = await openReader(pool)
})
afterEach(() => rmSync(target, { recursive: true, force: true }))
afterAll(async () => {
  reader.close()
  await pool.close()
  site.dispose()
})

const restore = (more: Partial<RestoreOptions> = {}) =>
  restoreTree({ reader, snapshot, target, lanes: 2, ...more })

describe.skipIf(!posixAvailable())('restoreTree', () => {
  test('restores parts under their own names', async () => {
    const result = await restore({ paths: ['directory/below', '/file'] })
    expect(result.progress).toMatchObject({ entries: 3, entriesTotal: 3, files: 2 })
    expect(readdirSync(target).toSorted()).toEqual(['below', 'file'])
    expect(readFileSync(site.join('target', 'below', 'bottom'), 'utf8')).toBe('bottom')
  })

  test('refuses a path that is not in the point', async () => {
    const code = 'RESTORE_NOT_IN_POINT'
    await expect(restore({ paths: ['nowhere'] })).rejects.toMatchObject({ code })
    expect(existsSync(target)).toBe(false)
  })

  test('a second run finds everything complete and writes nothing', async () => {
    await restore()
    const before = describeTree(target)
    const again = await restore({ conflict: 'fail' })
    expect(again.progress).toMatchObject({ bytes: 0, skipped: 32 })
    expect(describeTree(target)).toEqual(before)
  })

  // Goal: creation gives a mode that the umask, or a default ACL above, has changed; what comes
  // out is the point's all the same.
  test.each(['nothing', 'a default ACL'])('gives every mode, below %s', async (above) => {
    const modes = [0o600, 0o644, 0o666, 0o777, 0o4755, 0o2711, 0o000]
    const source2 = site.join('modes')
    mkdirSync(`${source2}/below`, { recursive: true })
    for (const mode of modes) {
      const file = `${source2}/below/${mode.toString(8)}`
      writeFileSync(file, 'content')
      chmodSync(file, mode)
    }
    const { snapshot: point } = await captureTree({ pool, path: source2, name: 'modes', lanes: 1 })
    mkdirSync(target)
    if (above !== 'nothing') {
      // Version 2; user::rwx, group::---, other::--x (linux/posix_acl_xattr.h).
      const entries = [
        [1, 7],
        [4, 0],
        [32, 1],
      ].map(([tag, bits]) => [tag!, 0, bits!, 0])
      const acl = Buffer.from([2, 0, 0, 0, ...entries.flatMap((e) => [...e, 255, 255, 255, 255])])
      const set = setxattr(
        Buffer.from(`${target}\0`),
        Buffer.from('system.posix_acl_default\0'),
        acl,
      )
      if (set < 0) return // The file system of the test has no ACLs.
    }
    const fresh = await openReader(pool)
    await restore({ reader: fresh, snapshot: point })
    fresh.close()
    const found = modes.map((mode) => statSync(`${target}/below/${mode.toString(8)}`).mode & 0o7777)
    expect(found).toEqual(modes)
    rmSync(source2, { recursive: true })
  })

  // Goal: what an interrupted run leaves is what a run finds that comes after it. Method: take
  // away part of a restored tree, and put a torn temporary file there.
  test('goes on where an interrupted run stood', async () => {
    await restore()
    rmSync(site.join('target', 'directory'), { recursive: true })
    rmSync(site.join('target', 'file'))
    const left = temporaryName(Buffer.from('file\0')).toString('latin1').slice(0, -1)
    writeFileSync(site.join('target', left), 'torn')
    const again = await restore()
    expect(again.progress.bytes).toBe('the file'.length + 'bottom'.length)
    expect(readdirSync(target)).not.toContain(left)
    const lines = (directory: string) => describeTree(directory).slice(1)
    expect(lines(target)).toEqual(lines(source))
  })

  test.each([
    ['fail', 'mine', 'RESTORE_CONFLICT'],
    ['skip', 'mine', undefined],
    ['overwrite', 'the file', undefined],
    ['rename', 'the file', undefined],
  ] as const)('with --conflict %s the file there becomes "%s"', async (conflict, text, code) => {
    mkdirSync(target)
    writeFileSync(site.join('target', 'file'), 'mine')
    utimesSync(site.join('target', 'file'), 1, 1)
    const run = restore({ conflict, paths: ['file'] })
    if (code === undefined) expect((await run).status).toBe('complete')
    else await expect(run).rejects.toMatchObject({ code })
    expect(readFileSync(site.join('target', 'file'), 'utf8')).toBe(text)
    const names = conflict === 'rename' ? ['file', 'file.~1~'] : ['file']
    expect(readdirSync(target).toSorted()).toEqual(names)
    if (conflict === 'rename') {
      expect(readFileSync(site.join('target', 'file.~1~'), 'utf8')).toBe('mine')
    }
  })

  test('a link in the target is never followed out of it', async () => {
    const outside = site.join('outside')
    mkdirSync(outside)
    for (const conflict of ['fail', 'skip', 'overwrite', 'rename'] as const) {
      rmSync(target, { recursive: true, force: true })
      mkdirSync(target)
      symlinkSync(outside, site.join('target', 'directory'))
      symlinkSync(site.join('outside', 'stolen'), site.join('target', 'file'))
      const run = restore({ conflict })
      if (conflict === 'fail') await expect(run).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' })
      else await run
      expect(readdirSync(outside), conflict).toEqual([])
      if (conflict !== 'overwrite') continue
      expect(statSync(site.join('target', 'directory')).isDirectory()).toBe(true)
      expect(readFileSync(site.join('target', 'file'), 'utf8')).toBe('the file')
    }
  })

  test('dry, it counts and makes nothing', async () => {
    const { progress } = await restore({ dryRun: true })
    expect(progress.entriesTotal).toBe(describeTree(source).length)
    expect(existsSync(target)).toBe(false)
  })

  test('cancelled, it says so', async () => {
    const signal = AbortSignal.abort()
    await expect(restore({ signal })).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})
