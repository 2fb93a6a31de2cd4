/**
 * Goal: a real /usr, backed up, backed up again unchanged, changed, and backed up a third time;
 * each point plugged read-write as a disk of its own whose contents and metadata rsync cannot
 * tell from the source, and which e2fsck finds clean before and after it was written to; and
 * ejecting leaves no loop device, mount or process.
 *
 * A part of /usr by default; OPENMAAS_USR=/usr takes all of it (minutes).
 */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  globSync,
  linkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeAwkwardTree } from '@openmaas/testkit/awkward-tree'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { BackupResult, PlugResult } from '../support/command-line.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { run } from '../support/program.ts'
import { Site } from '../support/site.ts'

/** Many small files, links of both kinds, some large programs: what is small enough for CI. */
const PART = ['/usr/sbin', '/usr/share/man', '/usr/share/perl', '/usr/share/zoneinfo']
const FOLDERS = process.env['OPENMAAS_USR'] === undefined ? PART : [process.env['OPENMAAS_USR']]
/** All of /usr on a machine that does other things. */
vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 600_000 })

/** One file in so many is changed. */
const CHANGE_ONE_IN = 97

let site: Site
let source: string
const points: BackupResult[] = []
const disks: PlugResult[] = []

/** What rsync would do to make the second like the first, both ways: nothing. */
async function expectEqual(one: string, other: string): Promise<void> {
  const compare = [
    'rsync',
    '-aHAXn',
    '--numeric-ids',
    '--checksum',
    '--itemize-changes',
    '--delete',
  ]
  expect(await run([...compare, `${one}/`, `${other}/`])).toBe('')
  expect(await run([...compare, `${other}/`, `${one}/`])).toBe('')
}

async function backup(): Promise<BackupResult> {
  const result = await site.cli.backup(source)
  expect(result).toMatchObject({ status: 'complete', warningCount: 0 })
  points.push(result)
  return result
}

async function plug(point: BackupResult): Promise<PlugResult> {
  const disk = await site.cli.plug(point.id, '--at', site.join(`disk-${disks.length}`))
  disks.push(disk)
  return disk
}

requires(
  {
    root: true,
    paths: ['/dev/fuse', '/dev/loop-control'],
    programs: ['rsync', 'e2fsck', 'cp'],
  },
  () => {
    beforeAll(async () => {
      site = await Site.make()
      source = site.folder('usr')
      // A copy, since it is going to be changed.
      await run(['cp', '-a', '--parents', ...FOLDERS.filter((path) => existsSync(path)), source])
      makeAwkwardTree(site.folder('usr/awkward'))
    })
    afterAll(async () => {
      await site[Symbol.asyncDispose]()
      const ids = disks.map(({ id }) => id)
      await waitFor('nothing is left', () => findLeftovers([...ids, site.path]).length === 0)
    })

    test('the first point is the source, as a clean ext4 file system', async () => {
      const first = await backup()
      expect(first.files).toBeGreaterThan(1000)
      const disk = await plug(first)
      await expectEqual(source, disk.mountPoint)
    })

    test('backed up again unchanged, no file is read and next to nothing stored', async () => {
      const second = await backup()
      expect(second).toMatchObject({ bytesRead: 0, newBytes: expect.any(Number) })
      expect(second.unchangedFiles).toBe(second.files)
      expect(second.storedBytes).toBeLessThan(64 * 1024)
      const disk = await plug(second)
      await expectEqual(source, disk.mountPoint)
    })

    test('changed and backed up a third time, what changed is read and all of it is there', async () => {
      await run(['cp', '-a', '--reflink=auto', source, site.join('before')])
      const changed = changeSource()
      const third = await backup()
      expect(third.parent).toBe(points[1]!.id)
      expect(third.files - third.unchangedFiles).toBeGreaterThanOrEqual(changed)
      expect(third.bytesRead).toBeLessThan(points[0]!.bytesRead / 4)
      const disk = await plug(third)
      await expectEqual(source, disk.mountPoint)
    })

    test('the points taken before the change are still as they were', async () => {
      await expectEqual(site.join('before'), disks[0]!.mountPoint)
      await expectEqual(site.join('before'), disks[1]!.mountPoint)
    })

    test('e2fsck finds each disk clean after programs wrote to it', async () => {
      for (const disk of disks) {
        await run(['cp', '-a', `${disk.mountPoint}/usr/sbin`, `${disk.mountPoint}/copied`])
        rmSync(join(disk.mountPoint, 'usr/share'), { recursive: true, force: true })
        await run(['umount', disk.mountPoint])
        await run(['e2fsck', '-fn', disk.device])
      }
    })

    test('e2fsck finds a disk clean that nobody has mounted', async () => {
      const disk = await site.cli.plug(points[2]!.id, '--no-mount')
      disks.push(disk)
      await run(['e2fsck', '-fn', disk.device])
    })

    test('ejecting leaves no loop device, mount or process, and the point as it was', async () => {
      for (const disk of disks) await site.cli.json(['eject', disk.id])
      const ids = disks.map(({ id }) => id)
      await waitFor('nothing is left', () => findLeftovers([...ids, site.path]).length === 0)
      expect(await site.cli.media()).toEqual([])
      const again = await plug(points[2]!)
      await expectEqual(source, again.mountPoint)
      await site.cli.json(['eject', again.id])
    })
  },
)

/** Every kind of change that a package upgrade makes. @returns files that must be looked at */
function changeSource(): number {
  const files = globSync('usr/**/*', { cwd: source, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  const chosen = files.filter((_, index) => index % CHANGE_ONE_IN === 0)
  for (const [index, path] of chosen.entries()) {
    switch (index % 6) {
      case 0:
        appendFileSync(path, 'one line more\n')
        break
      case 1:
        writeFileSync(path, `replaced ${index}\n`)
        break
      case 2:
        renameSync(path, `${path}.renamed`)
        break
      case 3:
        chmodSync(path, 0o640)
        break
      case 4:
        utimesSync(path, 1_000_000_000, 1_234_567_890.125)
        break
      default:
        rmSync(path)
    }
  }
  linkSync(files[1]!, join(source, 'hard link'))
  symlinkSync('/nowhere', join(source, 'dangling'))
  return Math.floor((chosen.length * 2) / 6)
}
