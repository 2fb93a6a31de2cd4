import {
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import type { Pool } from '@openmaas/pool/pool/pool'
import { diffTrees } from '@openmaas/pool/tree/diff'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { visitTree } from '@openmaas/pool/tree/visit'
import { settle } from '@openmaas/testkit/settle'
import { makeAwkwardTree } from '@openmaas/testkit/awkward-tree'
import { makeTree } from '@openmaas/testkit/data'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { restoreTree } from '../restore/restore-tree.ts'
import { describeTree, makePool, openReader } from '../test-site.ts'
import { captureTree } from './capture-tree.ts'
import { isRacy } from './file-capture.ts'
import type { CaptureOptions, CaptureResult } from './types.ts'

let site: TemporaryDirectory
let pool: Pool

beforeEach(async () => {
  site = new TemporaryDirectory()
  pool = await makePool(site.join('pool'))
})
afterEach(async () => {
  await pool.close()
  site.dispose()
})

const capture = (path: string, more: Partial<CaptureOptions> = {}): Promise<CaptureResult> =>
  captureTree({ pool, path, name: 'test', lanes: 2, ...more })

function treeOf(result: CaptureResult): TreeReader {
  return new TreeReader(pool.chunks, Buffer.from(result.snapshot.root, 'hex'))
}

const pathsOf = (result: CaptureResult): string[] =>
  [...treeOf(result).walk()]
    .map(({ path }) => path.toString('latin1'))
    .filter((path) => path !== '')

async function restoreAll(result: CaptureResult, target: string): Promise<void> {
  const reader = await openReader(pool)
  await restoreTree({ reader, snapshot: result.snapshot, target, lanes: 2 })
  reader.close()
}

describe('a change time', () => {
  test('is not trusted within the tick in which it was written', () => {
    const at = (ctimeSec: number, ctimeNs: number) => ({ ctimeSec, ctimeNs })
    expect(isRacy(at(100, 5_000_000), 100_010)).toBe(true)
    expect(isRacy(at(100, 5_000_000), 100_040)).toBe(false)
    // Whole seconds: a file system that counts no finer.
    expect(isRacy(at(100, 0), 101_500)).toBe(true)
    expect(isRacy(at(100, 0), 102_500)).toBe(false)
  })
})

describe.skipIf(!posixAvailable())('captureTree', () => {
  test('keeps everything a file system can hold, and restoreTree brings it back', async () => {
    const source = site.join('source')
    mkdirSync(source)
    makeAwkwardTree(source)
    const result = await capture(source)
    expect(result).toMatchObject({ status: 'complete', warningCount: 0 })
    await restoreAll(result, site.join('target'))
    expect(describeTree(site.join('target'))).toEqual(describeTree(source))
    // Sparse files stay sparse.
    expect(statSync(site.join('target', 'only-a-hole')).blocks).toBe(0)
    expect(statSync(site.join('target', 'sparse')).blocks).toBeLessThan(200)
    const seen = { count: 0 }
    const counted = visitTree(pool.chunks, Buffer.from(result.snapshot.root, 'hex'), {
      enter: () => (seen.count += 1) > 0,
      leaf: () => (seen.count += 1),
    })
    expect(counted.chunkCount).toBe(seen.count)
    expect(result.snapshot.chunkCount).toBe(seen.count)
  })

  test('takes an unchanged tree over without reading a file, and gives the same root', async () => {
    const source = site.join('source')
    mkdirSync(source)
    makeAwkwardTree(source)
    await settle()
    const first = await capture(source)
    const second = await capture(source)
    expect(second.parent).toBe(first.snapshot.id)
    expect(second.snapshot.root).toBe(first.snapshot.root)
    expect(second.progress).toMatchObject({ bytesRead: 0, newBytes: 0 })
    expect(second.weights).toEqual(first.weights)
    expect(second.progress.unchangedFiles).toBe(second.progress.files)
  })

  test('gives the same root whatever the number of lanes', async () => {
    const source = site.join('source')
    makeTree(source, { files: 300, sizeMax: 40_000 })
    writeFileSync(site.join('source', 'large'), Buffer.alloc(70_000_000, 'abcdefg'))
    const roots = []
    for (const lanes of [1, 2, 4]) {
      roots.push((await capture(source, { lanes, parent: 'none' })).snapshot.root)
    }
    expect(new Set(roots).size).toBe(1)
    await restoreAll(await capture(source), site.join('target'))
    expect(describeTree(site.join('target'))).toEqual(describeTree(source))
  })

  test('captures what changed, and only that', async () => {
    const source = site.join('source')
    makeTree(source, { files: 200 })
    await settle()
    const first = await capture(source)
    writeFileSync(site.join('source', 'new'), 'new')
    const victim = pathsOf(first).find((path) => treeOf(first).lookup(Buffer.from(path))!.content)!
    writeFileSync(site.join('source', victim), 'changed')
    mkdirSync(site.join('source', 'directory'))
    await settle()
    const second = await capture(source)
    expect(second.progress.bytesRead).toBe(10)
    const changes = [...diffTrees(treeOf(first), treeOf(second))]
      .filter(({ change }) => change !== 'metadata')
      .map(({ change, path }) => `${change} ${path}`)
    expect(changes.toSorted()).toEqual(['added directory', 'added new', `modified ${victim}`])
  })

  test('reads a file again when only its change time tells that it was written', async () => {
    const source = site.join('source')
    mkdirSync(source)
    writeFileSync(site.join('source', 'file'), 'one')
    utimesSync(site.join('source', 'file'), 1, 1)
    await settle()
    await capture(source)
    writeFileSync(site.join('source', 'file'), 'two')
    utimesSync(site.join('source', 'file'), 1, 1)
    const second = await capture(source)
    await restoreAll(second, site.join('target'))
    expect(describeTree(site.join('target'))).toEqual(describeTree(source))
    expect(second.progress.bytesRead).toBe(3)
  })

  test('leaves out what the rules leave out, and the pool itself', async () => {
    makeTree(site.join('data'), { files: 5 })
    for (const name of ['a.log', 'keep.log']) writeFileSync(site.join('data', name), name)
    const rules = { exclude: ['*.log'], include: ['keep.log'] }
    const paths = pathsOf(await capture(site.path, { rules }))
    expect(paths).toContain('data/keep.log')
    expect(paths).not.toContain('data/a.log')
    expect(paths).toContain('pool')
    expect(paths.filter((path) => path.startsWith('pool/'))).toEqual([])
  })

  test('replaces and removes: a link for a directory, nothing for a file', async () => {
    const source = site.join('source')
    makeTree(source, { files: 50 })
    mkdirSync(site.join('source', 'was-directory', 'below'), { recursive: true })
    await settle()
    const first = await capture(source)
    renameSync(site.join('source', 'was-directory'), site.join('source', 'moved'))
    symlinkSync('moved', site.join('source', 'was-directory'))
    const file = pathsOf(first).find((path) => treeOf(first).lookup(Buffer.from(path))!.content)!
    rmSync(site.join('source', file))
    await restoreAll(await capture(source), site.join('target'))
    expect(describeTree(site.join('target'))).toEqual(describeTree(source))
  })

  test('an empty directory is a point like any other', async () => {
    mkdirSync(site.join('empty'))
    const result = await capture(site.join('empty'))
    expect(result.weights).toMatchObject({ names: 1, files: 0, directories: 1, inodes: 1 })
    await restoreAll(result, site.join('target'))
    expect(describeTree(site.join('target'))).toEqual(describeTree(site.join('empty')))
  })

  test('a source that is not there, or no directory, is refused and nothing is written', async () => {
    await expect(capture(site.join('nowhere'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
    writeFileSync(site.join('file'), '')
    await expect(capture(site.join('file'))).rejects.toMatchObject({ code: 'SOURCE_UNSUPPORTED' })
    expect(pool.snapshots()).toEqual([])
  })

  test('cancelled, it leaves no point and the pool open for the next', async () => {
    const source = site.join('source')
    makeTree(source, { files: 100 })
    const signal = AbortSignal.abort()
    await expect(capture(source, { signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(pool.snapshots()).toEqual([])
    expect((await capture(source)).status).toBe('complete')
  })
})
