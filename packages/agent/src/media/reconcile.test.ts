/** What killed and concurrent media commands may never do: give up what somebody wrote. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { makeMediumId, makeSnapshotId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { freezeTop } from '@openmaas/medium/engine/freeze'
import {
  listMedia,
  loadMedium,
  mediumDirectory,
  type MediumRecord,
  saveMedium,
} from '@openmaas/medium/media/record'
import { LayerStore } from '@openmaas/medium/overlay/layer-store'
import { makeTree } from '@openmaas/testkit/data'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { listMounts } from '../attach/fuse-mount.ts'
import { captureTree } from '../capture/capture-tree.ts'
import { makePool } from '../test-site.ts'
import { eject } from './eject.ts'
import { tryLockMedium } from './medium-lock.ts'
import { plug, resume } from './plug.ts'
import { listMediaStatus, reconcile } from './reconcile.ts'
import type { PoolAccess } from './types.ts'

let site: TemporaryDirectory
let access: PoolAccess
let record: MediumRecord

/** A medium without a disk on this machine (no root, no kernel module), ejected but kept. */
beforeEach(async () => {
  site = new TemporaryDirectory()
  const pool = await makePool(site.join('pool'))
  await makeTree(site.join('data'), { files: 3 })
  const { snapshot } = await captureTree({ pool, path: site.join('data'), name: 't', lanes: 1 })
  await pool.close()
  const { masterKey } = pool
  const deps = { fs: new NodeFs(), clock: systemClock, random: systemRandom }
  access = { path: site.join('pool'), masterKey, ...deps }
  const options = { snapshotId: snapshot.id, sourceName: 't', readOnly: false }
  const how = { mount: false, attach: false, nbd: site.join('nbd.sock') }
  const { medium } = await plug(access, { ...options, ...how })
  await eject(access, medium, { force: false, keep: true })
  record = loadMedium(access.fs, access.path, medium.id)
})
afterEach(async () => {
  for (const id of listMedia(access.fs, access.path)) {
    const at = path.join(mediumDirectory(access.path, id), 'medium.json')
    if (access.fs.stat(at) === undefined) continue
    await eject(access, loadMedium(access.fs, access.path, id), { force: true, keep: false })
  }
  site.dispose()
})

const layersOf = (id: MediumId) => {
  const store = new LayerStore(access.fs, path.join(access.path, 'media'))
  return loadMedium(access.fs, access.path, id).layers.map((layer) => store.load(layer)?.id)
}

test('a resume that is killed at any record it writes loses nothing of the medium', async () => {
  const file = path.join(mediumDirectory(access.path, record.id), 'medium.json')
  const written: Buffer[] = []
  const fs = new (class extends NodeFs {
    override rename(source: string, target: string): void {
      super.rename(source, target)
      if (target === file) written.push(readFileSync(file))
    }
  })()
  const { medium } = await resume({ ...access, fs }, record)
  await eject(access, medium, { force: false, keep: true })
  expect(written.length).toBeGreaterThanOrEqual(2)
  for (const bytes of written) {
    writeFileSync(file, bytes) // As the kill left it.
    const interrupted = await reconcile(access)
    expect(interrupted.map(({ id }) => id)).toEqual([record.id])
    expect(layersOf(record.id)).toEqual(record.layers)
  }
})

test('an eject that keeps the medium keeps the layer a clone put on it meanwhile', async () => {
  const before = record
  freezeTop(access.fs, access.path, before) // By a clone or seal, after the caller has looked.
  const { layers } = loadMedium(access.fs, access.path, before.id)
  expect(layers.length).toBe(2)
  await eject(access, before, { force: false, keep: true })
  expect(loadMedium(access.fs, access.path, before.id).layers).toEqual(layers)
  const { medium } = await resume(access, before)
  expect(medium.layers).toEqual(layers)
})

test('a plugged medium is not resumed: that would pull the disk', async () => {
  await resume(access, record)
  await expect(resume(access, record)).rejects.toMatchObject({ code: 'MEDIUM_BUSY' })
  expect(listMediaStatus(access)).toMatchObject([{ state: 'plugged' }])
})

test('what looked interrupted before its lock was taken is looked at again', async () => {
  const running = await resume(access, record)
  const file = path.join(mediumDirectory(access.path, record.id), 'medium.json')
  const now = readFileSync(file)
  // Seen as it was in the middle of the resume; the resume ends before the lock is taken.
  saveMedium(access.fs, access.path, { ...running.medium, state: 'resuming' })
  let looks = 0
  const fs = new (class extends NodeFs {
    override tryLock(handle: number): boolean {
      const taken = super.tryLock(handle)
      looks += 1
      if (looks === 1) writeFileSync(file, now)
      return taken
    }
  })()
  expect(await reconcile({ ...access, fs })).toEqual([])
  expect(listMediaStatus(access)).toMatchObject([{ state: 'plugged' }])
})

/** Processes that have that word on their command line. */
function processesOf(word: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(word)
    } catch {
      return false // It has just ended.
    }
  })
}

test('a plug whose point has been deleted leaves no process behind', async () => {
  const snapshotId = makeSnapshotId(access.clock, access.random)
  const options = { snapshotId, sourceName: 't', readOnly: false }
  const how = { mount: false, attach: false, nbd: site.join('other.sock') }
  await expect(plug(access, { ...options, ...how })).rejects.toMatchObject({
    code: 'SNAPSHOT_NOT_FOUND',
  })
  expect(processesOf(site.path)).toEqual([])
  expect(listMedia(access.fs, access.path)).toEqual([record.id])
})

test('of a pool that was moved meanwhile, a medium is ejected whole: no process is left', async () => {
  await resume(access, record)
  renameSync(access.path, site.join('moved'))
  access = { ...access, path: site.join('moved') }
  await eject(access, record, { force: false, keep: false })
  expect(processesOf(record.id)).toEqual([])
  expect(listMediaStatus(access)).toEqual([])
})

test('a plug that a full disk stops says so, and the next command clears it away', async () => {
  let full = false
  const fs = new (class extends NodeFs {
    override write(...args: Parameters<NodeFs['write']>): void {
      if (full) throw new MaasError('FS_NO_SPACE', 'full')
      super.write(...args)
    }
    override rename(source: string, target: string): void {
      super.rename(source, target)
      if (target.endsWith('medium.json')) full = true
    }
  })()
  const options = { snapshotId: record.snapshotId, sourceName: 't', readOnly: false }
  const how = { mount: false, attach: false, nbd: site.join('other.sock') }
  await expect(plug({ ...access, fs }, { ...options, ...how })).rejects.toMatchObject({
    code: 'FS_NO_SPACE',
  })
  expect((await reconcile(access)).map(({ id }) => id)).toEqual([record.id])
  expect(listMedia(access.fs, access.path)).toEqual([record.id])
})

test('a plug killed before it wrote a record stands in nobody’s way', async () => {
  const id = makeMediumId(access.clock, access.random)
  tryLockMedium(access.fs, access.path, id)?.[Symbol.dispose]()
  expect(listMedia(access.fs, access.path)).toEqual([record.id])
  expect((await reconcile(access)).map((each) => each.id)).toEqual([record.id])
  rmSync(mediumDirectory(access.path, id), { recursive: true })
})

const isRoot = process.getuid?.() === 0
test.skipIf(!isRoot)(
  isRoot ? 'what others mounted where a medium once was stays' : 'skipped: root missing',
  async () => {
    const mountPoint = site.join('mnt')
    mkdirSync(mountPoint)
    // A stranger's file system, at the place and with the device number of an old attachment.
    execFileSync('mount', ['-t', 'tmpfs', '/dev/loop77', mountPoint])
    try {
      const { runtimeDirectory } = record.attachment!
      const attachment = { ...record.attachment!, mountPoint, loopDevice: '/dev/loop77' }
      const fuseMount = path.join(runtimeDirectory, 'fuse')
      saveMedium(access.fs, access.path, { ...record, attachment: { ...attachment, fuseMount } })
      await reconcile(access)
      expect(listMounts().map(({ target }) => target)).toContain(mountPoint)
    } finally {
      execFileSync('umount', [mountPoint])
    }
  },
)
