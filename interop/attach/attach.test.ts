/** FUSE, loop and mount against this kernel: attach, use, lose the engine, carry on, detach. */
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { attachDisk, detachDisk, loopsOf } from '@openmaas/agent/attach/attach-linux'
import { listMounts, mountFuse } from '@openmaas/agent/attach/fuse-mount'
import { mountDisk } from '@openmaas/agent/attach/mount-disk'
import { makeKeyDescriptor, startKeeper } from '@openmaas/medium/engine/keeper'
import { GiB } from '@openmaas/kernel/units'
import { waitFor } from '@openmaas/testkit/wait-for'
import { requires } from '@openmaas/testkit/requires'

const ENTRY = fileURLToPath(new URL('file-engine.ts', import.meta.url))

interface Site {
  directory: string
  fuseMount: string
  mountPoint: string
  keeper: number
  loop?: string
}

const enginesOf = (backing: string): number[] =>
  execFileSync('/bin/sh', ['-c', `pgrep -f "[f]ile-engine.ts ${backing}" || true`])
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter((pid) => !readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('/bin/sh'))

requires(
  {
    root: true,
    paths: ['/dev/fuse', '/dev/loop-control'],
    programs: ['mkfs.ext4', 'fio', 'e2fsck'],
  },
  () => {
    describe('a disk over FUSE and loop', () => {
      let site: Site
      let backing: string

      beforeEach(() => {
        const directory = mkdtempSync(path.join(tmpdir(), 'openmaas-attach-'))
        backing = path.join(directory, 'backing')
        const file = openSync(backing, 'w')
        ftruncateSync(file, GiB / 4)
        closeSync(file)
        const [fuseMount, mountPoint] = [path.join(directory, 'fuse'), path.join(directory, 'mnt')]
        mkdirSync(fuseMount)
        mkdirSync(mountPoint)
        const fuseFd = mountFuse(fuseMount, 'openmaas:test')
        const keyFd = makeKeyDescriptor(Buffer.alloc(32, 7))
        const engine = { entry: ENTRY, mediumDirectory: backing, fuseFd, keyFd }
        const keeper = startKeeper({ ...engine, logPath: path.join(directory, 'engine.log') })
        closeSync(fuseFd)
        closeSync(keyFd)
        site = { directory, fuseMount, mountPoint, keeper }
      })

      afterEach(async () => {
        await detachDisk(site, { force: true })
        await waitFor('the engine is gone', () => enginesOf(backing).length === 0)
        rmSync(site.directory, { recursive: true })
      })

      test('takes a file system, keeps it over kill -9 of the engine, and leaves nothing', async () => {
        site.loop = attachDisk(site.fuseMount, { readOnly: false, name: 'test' })
        execFileSync('mkfs.ext4', ['-q', site.loop])
        expect(mountDisk(site.loop, site.mountPoint, { readOnly: false })).toBe('ext4')
        writeFileSync(path.join(site.mountPoint, 'before'), 'written before the crash')
        const fio = spawn(
          'fio',
          [
            '--name=v',
            `--directory=${site.mountPoint}`,
            '--size=64m',
            '--rw=randwrite',
            '--bs=4k',
            '--verify=crc32c',
            '--do_verify=1',
            '--verify_fatal=1',
            '--fsync=64',
            '--ioengine=psync',
            '--time_based=0',
            '--loops=2',
          ],
          { stdio: 'ignore' },
        )
        const done = new Promise<number | null>((resolve) => fio.on('exit', resolve))
        let kills = 0
        while (fio.exitCode === null && kills < 5) {
          const [pid] = enginesOf(backing)
          if (pid !== undefined) {
            process.kill(pid, 'SIGKILL')
            kills += 1
            await waitFor('a new engine serves', () =>
              enginesOf(backing).some((other) => other !== pid),
            )
          }
          await new Promise((resolve) => setTimeout(resolve, 150))
        }
        expect(await done).toBe(0)
        expect(kills).toBeGreaterThan(0)
        expect(readFileSync(path.join(site.mountPoint, 'before'), 'utf8')).toBe(
          'written before the crash',
        )
        await detachDisk(site, { force: false })
        expect(listMounts().filter((entry) => entry.target.startsWith(site.directory))).toEqual([])
        expect(loopsOf(site.fuseMount)).toEqual([])
        await waitFor('the engine ends by itself', () => enginesOf(backing).length === 0)
        execFileSync('e2fsck', ['-fn', backing])
      }, 60_000)

      test('says that the disk is busy while a program uses the mount, and takes nothing down', async () => {
        site.loop = attachDisk(site.fuseMount, { readOnly: false, name: 'test' })
        execFileSync('mkfs.ext4', ['-q', site.loop])
        mountDisk(site.loop, site.mountPoint, { readOnly: false })
        const file = openSync(path.join(site.mountPoint, 'open'), 'w')
        try {
          await expect(detachDisk(site, { force: false })).rejects.toMatchObject({
            code: 'MEDIUM_BUSY',
          })
          expect(loopsOf(site.fuseMount)).toEqual([site.loop])
        } finally {
          closeSync(file)
        }
      })
    })
  },
)
