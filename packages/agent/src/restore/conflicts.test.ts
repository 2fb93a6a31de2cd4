/** What a restore may do to what stands in its way, and to what does not belong to it at all. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import { SeededRandom } from '@openmaas/kernel/random'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import { DirectoryBuilder, directoryRef } from '@openmaas/pool/tree/directory-builder'
import { writeTreeRoot, sumSnapshot } from '@openmaas/pool/tree/root'
import { makeFileStat } from '@openmaas/source-files/file-stat'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { captureTree } from '../capture/capture-tree.ts'
import { makePool, openReader } from '../test-site.ts'
import { restoreTree } from './restore-tree.ts'
import type { RestoreOptions } from './types.ts'

let site: TemporaryDirectory
let pool: Pool
let source: string
let target: string

beforeEach(async () => {
  site = new TemporaryDirectory()
  pool = await makePool(site.join('pool'))
  ;[source, target] = [site.join('source'), site.join('target')]
  for (const directory of [source, target]) mkdirSync(directory)
})
afterEach(async () => {
  await pool.close()
  site.dispose()
})

const capture = async () =>
  (await captureTree({ pool, path: source, name: 't', lanes: 1 })).snapshot

async function restore(snapshot: SnapshotRow, more: Partial<RestoreOptions>): Promise<void> {
  const reader = await openReader(pool)
  try {
    await restoreTree({ reader, snapshot, target, lanes: 1, ...more })
  } finally {
    reader.close()
  }
}

/** Flips a byte in the middle of every data pack. */
function damageData(): void {
  for (const pack of pool.core.state.livePacks()) {
    if (pack.kind !== 'data') continue
    const file = path.join(site.join('pool', 'packs'), pack.packId.slice(0, 2), pack.packId)
    const fd = openSync(file, 'r+')
    writeSync(fd, Buffer.from([0x5a, 0xa5]), 0, 2, Math.floor(pack.size / 2))
  }
}

describe.skipIf(!posixAvailable())('restoreTree', () => {
  test('what is to be overwritten stays until its successor is whole', async () => {
    writeFileSync(path.join(source, 'file'), new SeededRandom(1).bytes(50_000))
    const snapshot = await capture()
    damageData()
    writeFileSync(path.join(target, 'file'), 'mine')
    const run = restore(snapshot, { conflict: 'overwrite' })
    await expect(run).rejects.toMatchObject({ code: 'RECORD_INVALID' })
    expect(readFileSync(path.join(target, 'file'), 'utf8')).toBe('mine')
  })

  test('overwriting replaces a directory by a file, and a file by a file', async () => {
    for (const name of ['a', 'b']) writeFileSync(path.join(source, name), name)
    const snapshot = await capture()
    mkdirSync(path.join(target, 'a', 'below'), { recursive: true })
    writeFileSync(path.join(target, 'b'), 'mine')
    await restore(snapshot, { conflict: 'overwrite' })
    expect(readdirSync(target).toSorted()).toEqual(['a', 'b'])
    for (const name of ['a', 'b']) {
      expect(readFileSync(path.join(target, name), 'utf8')).toBe(name)
    }
  })

  test('a name is not linked to a stranger that stays in the place of its first name', async () => {
    writeFileSync(path.join(source, 'a'), 'shared')
    linkSync(path.join(source, 'a'), path.join(source, 'b'))
    linkSync(path.join(source, 'a'), path.join(source, 'c'))
    const snapshot = await capture()
    writeFileSync(path.join(target, 'a'), 'mine')
    utimesSync(path.join(target, 'a'), 1, 1)
    await restore(snapshot, { conflict: 'skip' })
    expect(readFileSync(path.join(target, 'a'), 'utf8')).toBe('mine')
    expect(readFileSync(path.join(target, 'b'), 'utf8')).toBe('shared')
    expect(statSync(path.join(target, 'c')).ino).toBe(statSync(path.join(target, 'b')).ino)
    // Another run finds all of it as it should be.
    await restore(snapshot, { conflict: 'skip' })
    rmSync(path.join(target, 'c'))
    await restore(snapshot, { conflict: 'skip' })
    expect(readFileSync(path.join(target, 'c'), 'utf8')).toBe('shared')
  })

  test.each(['../stolen', '..', '/tmp/openmaas-stolen', 'a/../../stolen', '.', 'a\0b'])(
    'a point that names %j writes nothing',
    async (name) => {
      for (const kind of ['file', 'directory'] as const) {
        const snapshot = await commitHostile(name, kind)
        await expect(restore(snapshot, {})).rejects.toMatchObject({ code: 'RESTORE_ESCAPE' })
        expect(existsSync(site.join('stolen'))).toBe(false)
        expect(existsSync('/tmp/openmaas-stolen')).toBe(false)
      }
    },
  )
})

/** A snapshot with one entry of that name. */
async function commitHostile(name: string, kind: 'file' | 'directory'): Promise<SnapshotRow> {
  const session = pool.openSession()
  const lane = session.inlineLane()
  const builder = new DirectoryBuilder(lane)
  const entryName = Buffer.from(name)
  if (kind === 'file') {
    const id = lane.put(ChunkType.data, Buffer.from('stolen'))
    const stat = { ...makeFileStat(), mode: 0o100644, size: 6 }
    builder.addFile(entryName, stat, { kind: 'single', id })
  } else {
    const empty = directoryRef(new DirectoryBuilder(lane).finish(), [])
    builder.addDirectory(entryName, { ...makeFileStat(), mode: 0o040755 }, empty)
  }
  const directory = directoryRef(builder.finish(), [])
  const stat = { ...makeFileStat(), mode: 0o040755 }
  const root = writeTreeRoot(lane, { stat, directory, xattrs: [], links: undefined })
  const weights = sumSnapshot(directory, undefined)
  return session.commit({
    kind: 'tree',
    source: { name: 't', host: 'h', path: '/' },
    startedAt: '',
    endedAt: '',
    root: root.toString('hex'),
    summary: { ...weights },
    status: 'complete',
  })
}
