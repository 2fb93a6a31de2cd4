/**
 * A pool whose file system is full: programs on its media get errors for what they write, and what
 * they read goes on being answered, by this engine and by the next.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { captureTree } from '@openmaas/agent/capture/capture-tree'
import { eject } from '@openmaas/agent/media/eject'
import { plug } from '@openmaas/agent/media/plug'
import { listMediaStatus } from '@openmaas/agent/media/reconcile'
import type { PoolAccess } from '@openmaas/agent/media/types'
import { systemClock } from '@openmaas/kernel/clock'
import { errorToMessage } from '@openmaas/kernel/error-message'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { readStatus, writeStatus } from '@openmaas/medium/engine/status'
import { mediumDirectory } from '@openmaas/medium/media/record'
import { Pool } from '@openmaas/pool/pool/pool'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { run } from '../support/program.ts'

const needs = {
  linux: true,
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control'],
  programs: ['mkfs.ext4', 'mount', 'dd'],
}
const LONG = { timeoutMs: 60_000 }
const LIMIT = { limitMs: 60_000 }
/** What a program that the disk leaves waiting has before it is given up, seconds. */
const READ_LIMIT_S = '30'

/** To the last block: also what the file system gives in pieces. */
function fill(directory: string): void {
  for (const size of [256 * 1024, 4096, 1]) {
    const piece = Buffer.alloc(size, 1)
    const add = (): void => {
      for (;;) appendFileSync(path.join(directory, 'filler'), piece)
    }
    expect(add).toThrowError(/ENOSPC/)
  }
}

requires(needs, () => {
  describe('a medium of a pool without room', () => {
    let site: TemporaryDirectory
    let disk: string
    let access: PoolAccess
    let snapshotId: SnapshotId

    beforeEach(async () => {
      site = new TemporaryDirectory()
      disk = site.join('disk')
      mkdirSync(disk)
      execFileSync('truncate', ['-s', '96M', site.join('image')])
      execFileSync('mkfs.ext4', ['-q', '-m', '0', site.join('image')])
      execFileSync('mount', ['-o', 'loop', site.join('image'), disk])
      const source = site.join('source')
      mkdirSync(source)
      writeFileSync(path.join(source, 'file'), 'as it was captured')
      const parts = { fs: new NodeFs(), clock: systemClock, random: systemRandom }
      const brick = path.join(disk, 'pool')
      const made = { bricks: [brick], redundancy: 'single', passphrase: 'x', ...parts } as const
      const { masterKey } = await Pool.create(made)
      access = { path: brick, masterKey, ...parts }
      const pool = await Pool.open({ path: brick, unlock: { masterKey }, ...parts })
      snapshotId = (await captureTree({ pool, path: source, name: 'source' })).snapshot.id
      await pool.close()
    })

    afterEach(async () => {
      rmSync(path.join(disk, 'filler'), { force: true })
      for (const { record } of listMediaStatus(access)) {
        await eject(access, record, { force: true, keep: false })
      }
      execFileSync('umount', [disk])
      site.dispose()
    })

    const status = () => {
      const { record, state, enginePid } = listMediaStatus(access)[0]!
      const generation = readStatus(mediumDirectory(access.path, record.id))?.generation
      return { state, enginePid, generation }
    }
    /** From the disk, not from memory; a process of its own, which may wait. */
    const read = (name: string): Promise<string> => {
      const command = ['timeout', '-s', 'KILL', READ_LIMIT_S, 'dd', `if=${site.join(name)}`]
      return run([...command, 'iflag=direct', 'status=none'], LIMIT)
    }

    test('is read while nothing can be written, also by the next engine', async () => {
      const mountPoint = site.join('a')
      const options = { mountPoint, mount: true, attach: true, readOnly: false }
      await plug(access, { snapshotId, sourceName: 'source', ...options })
      writeFileSync(site.join('a/mine'), 'mine'.padEnd(4096))
      execFileSync('sync', ['-f', mountPoint])
      fill(disk)
      // Nothing more fits, and the engine wants to say so in a log that has no room either.
      const target = ['if=/dev/urandom', `of=${site.join('a/new')}`, 'bs=64k', 'count=64']
      await expect(run(['dd', ...target, 'oflag=direct'], LIMIT)).rejects.toThrowError(
        /No space left|Input.output/,
      )
      const { enginePid, generation } = status()
      expect(await read('a/file')).toBe('as it was captured')
      expect((await read('a/mine')).trim()).toBe('mine')
      expect(status()).toMatchObject({ enginePid, generation })
      process.kill(enginePid!, 'SIGKILL')
      expect(await read('a/file')).toBe('as it was captured')
      expect((await read('a/mine')).trim()).toBe('mine')
      await waitFor('it says that it serves', () => status().state === 'plugged', LONG)
      expect(status().generation).toBe(generation! + 1)
    })
  })

  test('the status of an engine on a full disk is the last that fits', () => {
    using site = new TemporaryDirectory()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'openmaas-test', site.path])
    try {
      const about = { pid: 1, processStart: 2, keeperPid: 3, generation: 4 }
      writeStatus(site.path, { ...about, state: 'starting' })
      fill(site.path)
      const serving = { ...about, pid: 1_000_000, state: 'serving' } as const
      for (const status of [serving, { ...about, state: 'ended' } as const, serving]) {
        writeStatus(site.path, status)
        expect(readStatus(site.path)).toEqual(status)
      }
      const error = { ...errorToMessage(new Error('x'.repeat(10_000))) }
      writeStatus(site.path, { ...about, state: 'failed', error })
      expect(readStatus(site.path)).toEqual(serving)
    } finally {
      execFileSync('umount', [site.path])
    }
  })
})
