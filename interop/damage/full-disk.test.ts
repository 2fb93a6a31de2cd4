/**
 * Goal: a disk that fills in the middle of a backup, by us or by others, gives an error with its
 * code, loses nothing that was acknowledged, leaves room to delete and to collect, and takes
 * backups again once there is space.
 */
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeData, makeTree } from '@openmaas/testkit/data'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { type CommandLine, errorOf } from '../support/command-line.ts'
import { directoryContents, storedPoints } from '../support/contents.ts'
import { attempt, run } from '../support/program.ts'
import { PASSPHRASE, Site } from '../support/site.ts'

const MiB = 1024 * 1024
const DISK_SIZE = 512 * MiB
/** For one pack, but not for two, above the reserve of a tenth. */
const ROOM = 125 * MiB

let site: Site
let disk: string
let pool: string
let cli: CommandLine
let first: string
let contents: string

requires(
  { root: true, paths: ['/dev/loop-control'], programs: ['mkfs.ext4', 'mount', 'fallocate'] },
  () => {
    beforeEach(async () => {
      site = await Site.make()
      disk = site.folder('disk')
      // Sparse: of the disk's size only what is written takes memory or space.
      await run(['truncate', '-s', String(DISK_SIZE), site.join('image')])
      await run(['mkfs.ext4', '-q', '-m', '0', site.join('image')])
      await run(['mount', '-o', 'loop', site.join('image'), disk])
      pool = join(disk, 'pool')
      cli = site.commandLine(pool)
      await cli.json(['pool', 'init', pool])
      makeTree(site.folder('small'), { files: 100 })
      first = (await cli.backup(site.join('small'))).id
      contents = directoryContents(site.join('small'))
      mkdirSync(site.join('large'))
      writeFileSync(site.join('large', 'noise'), makeData('random', 90 * MiB))
    })
    afterEach(async () => {
      // A command that a failed test has left behind is still using it.
      await waitFor(
        'the disk is free',
        async () => (await attempt(['umount', disk])).exitCode === 0,
      )
      await site[Symbol.asyncDispose]()
    })

    const freeBytes = (): number => {
      const { bavail, bsize } = statfsSync(disk)
      return bavail * bsize
    }
    /** Other people's file takes all but so much. */
    const leave = (bytes: number): Promise<string> =>
      run(['fallocate', '-l', String(freeBytes() - bytes), join(disk, 'ballast')])
    async function leaveNothing(): Promise<void> {
      // The backup takes some meanwhile, and the file system too: what fits is known by trying.
      await attempt(['fallocate', '-l', String(freeBytes() - 4 * MiB), join(disk, 'ballast')])
      const { exitCode } = await attempt([
        'dd',
        'if=/dev/zero',
        `of=${join(disk, 'ballast2')}`,
        'bs=4k',
      ])
      expect(exitCode).toBe(1)
    }

    async function expectWhole(): Promise<void> {
      const { healthy } = await cli.json<{ healthy: boolean }>(['pool', 'fsck', '--data'])
      expect(healthy).toBe(true)
      const point = (await storedPoints(pool, PASSPHRASE)).find(({ id }) => id === first)
      expect(point?.contents === contents).toBe(true)
    }

    test('a backup that does not fit fails, and deleting and collecting make room for it', async () => {
      await leave(ROOM)
      const error = await cli.failure(['backup', site.join('large'), '--lanes', '1'])
      expect(error).toMatchObject({ code: 'POOL_FULL', exitCode: 7 })
      await expectWhole()
      const size = freeBytes()
      // The reserve is for this.
      await cli.json(['points', 'delete', first, '--yes'])
      await cli.json(['pool', 'gc', '--yes', '--approve'])
      expect(freeBytes()).toBeGreaterThanOrEqual(size)
      rmSync(join(disk, 'ballast'))
      const next = await cli.backup(site.join('large'))
      expect(next.status).toBe('complete')
      await cli.json(['pool', 'fsck', '--data'])
    })

    test('a disk that others fill to the last byte in the middle of a backup loses nothing', async () => {
      const backup = cli.begin(['backup', site.join('large'), '--lanes', '1', '--json'])
      const before = freeBytes()
      while (freeBytes() > before - 20 * MiB && backup.child.exitCode === null) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await leaveNothing()
      const outcome = await backup.ended
      expect([7, 9], outcome.stderr).toContain(outcome.exitCode)
      expect(['FS_NO_SPACE', 'POOL_FULL', 'POOL_READ_ONLY']).toContain(errorOf(outcome)?.code)
      // Reading needs no space at all.
      const target = site.join('restored')
      await cli.json(['restore', first, '--to', target])
      expect(directoryContents(target) === contents).toBe(true)
      const refused = await cli.attempt(['backup', site.join('small')])
      if (refused.exitCode !== 0) expect(errorOf(refused)?.exitCode).toBe(refused.exitCode)
      for (const name of ['ballast', 'ballast2']) rmSync(join(disk, name))
      await expectWhole()
      const next = await cli.backup(site.join('large'))
      expect(next.status).toBe('complete')
      await expectWhole()
    })
  },
)
