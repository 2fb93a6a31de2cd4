import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import { Chunker } from '@openmaas/pool/chunker/chunker'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { TreeNodeView } from '@openmaas/pool/tree/node-view'
import { ContentCapture } from '@openmaas/source-files/content-capture'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { makePool } from '../test-site.ts'
import { captureTree } from './capture-tree.ts'
import { LaneCounters, makeCounterMemory } from './counters.ts'
import { DirectoryCapture } from './directory-capture.ts'
import { FileCapture } from './file-capture.ts'
import { LinkCollector } from './link-collector.ts'
import { Warnings } from './warnings.ts'

let site: TemporaryDirectory

beforeEach(() => {
  site = new TemporaryDirectory()
})
afterEach(() => site.dispose())

/** Captures the site with a listing that may not be true any more. */
function captureListed(listed: readonly string[]) {
  const sink = new MemoryChunks()
  const counters = new LaneCounters(makeCounterMemory(1), 0)
  const warnings = new Warnings(counters)
  const content = new ContentCapture(sink, new Chunker(Buffer.alloc(32)))
  const files = new FileCapture({ sink, content, warnings, offer: () => {} })
  const parts = { sink, files, links: new LinkCollector(), counters, warnings, old: undefined }
  const dirfd = openSync(site.path, 'r')
  const directories = new DirectoryCapture(parts)
  const request = { dirfd, path: 'd', names: listed, children: [], oldNode: undefined }
  const view = new TreeNodeView(sink.read(directories.capture(request).node))
  closeSync(dirfd)
  const names = Array.from({ length: view.count }, (_, i) => view.nameAt(i).toString())
  return { names, warnings: warnings.kept }
}

const FILE = '\0\x08'

describe.skipIf(!posixAvailable())('a source that does not hold still', () => {
  test('a file gone since it was listed is named, and the others are captured', () => {
    writeFileSync(site.join('here'), 'bytes')
    const { names, warnings } = captureListed([`gone${FILE}`, `here${FILE}`])
    expect(names).toEqual(['here'])
    expect(warnings).toMatchObject([{ kind: 'vanished', path: 'd/gone' }])
  })

  test('what became something else since is captured as what it is, or named', () => {
    mkdirSync(site.join('directory'))
    symlinkSync('target', site.join('link'))
    const { names, warnings } = captureListed([`directory${FILE}`, `link${FILE}`])
    expect(names).toEqual(['link'])
    expect(warnings).toMatchObject([{ kind: 'changed', path: 'd/directory' }])
  })

  // Goal: a torn file is never passed off as a good one. Method: another process appends to a file
  // that takes long to read, until the run has ended.
  test('a file written to all the time is captured with a warning', async () => {
    const source = site.join('source')
    mkdirSync(source)
    const file = site.join('source', 'growing')
    writeFileSync(file, Buffer.alloc(30_000_000, 'x'))
    const writer = spawn('sh', ['-c', 'while :; do printf x >> "$0"; done', file])
    const pool = await makePool(site.join('pool'))
    try {
      await waitFor('the file grows', () => statSync(file).size > 30_000_000)
      const result = await captureTree({ pool, path: source, name: 'test', lanes: 1 })
      expect(result).toMatchObject({ status: 'warnings', warningCount: 1 })
      expect(result.warnings).toMatchObject([{ kind: 'changed', path: 'growing' }])
      const { status, warnings } = pool.manifest(result.snapshot)
      expect({ status, count: warnings?.count }).toEqual({ status: 'warnings', count: 1 })
      // It is not believed to be unchanged next time.
      const again = await captureTree({ pool, path: source, name: 'test', lanes: 1 })
      expect(again.progress.unchangedFiles).toBe(0)
    } finally {
      writer.kill('SIGKILL')
      await pool.close()
    }
  })
})
