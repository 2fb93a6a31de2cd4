/**
 * Media from the point to the mount on this kernel: plugged, cloned, sealed, interrupted, resumed,
 * ejected; and what is left afterwards, which is nothing.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { captureTree } from '@openmaas/agent/capture/capture-tree'
import { cloneMedium } from '@openmaas/agent/media/clone'
import { eject } from '@openmaas/agent/media/eject'
import { plug, resume } from '@openmaas/agent/media/plug'
import { listMediaStatus, reconcile } from '@openmaas/agent/media/reconcile'
import { sealToSnapshot } from '@openmaas/agent/media/seal'
import type { PoolAccess } from '@openmaas/agent/media/types'
import { systemClock } from '@openmaas/kernel/clock'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { loadMedium } from '@openmaas/medium/media/record'
import { Pool } from '@openmaas/pool/pool/pool'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'

const needs = {
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control'],
  programs: ['e2fsck', 'rsync'],
}

requires(needs, () => {
  describe('a medium', () => {
    let site: TemporaryDirectory
    let access: PoolAccess
    let source: string
    let snapshotId: SnapshotId

    beforeEach(async () => {
      site = new TemporaryDirectory()
      source = site.join('source')
      mkdirSync(path.join(source, 'sub'), { recursive: true })
      writeFileSync(path.join(source, 'sub', 'file'), 'as it was captured')
      const bricks = [site.join('pool')]
      const parts = { fs: new NodeFs(), clock: systemClock, random: systemRandom }
      const { masterKey } = await Pool.create({
        bricks,
        redundancy: 'single',
        passphrase: 'x',
        ...parts,
      })
      access = { path: bricks[0]!, masterKey, ...parts }
      const pool = await Pool.open({ path: access.path, unlock: { masterKey }, ...parts })
      snapshotId = (await captureTree({ pool, path: source, name: 'source' })).snapshot.id
      await pool.close()
    })

    afterEach(async () => {
      for (const { record } of listMediaStatus(access))
        await eject(access, record, { force: true, keep: false })
      site.dispose()
    })

    const plugAt = (name: string, id = snapshotId) =>
      plug(access, {
        snapshotId: id,
        sourceName: 'source',
        mountPoint: site.join(name),
        mount: true,
        attach: true,
        readOnly: false,
      })
    const statusOf = (id: string) => listMediaStatus(access).find(({ record }) => record.id === id)!
    const kill = (pid: number | undefined) => process.kill(pid!, 'SIGKILL')

    test('is the same to rsync, takes writes, and goes without a trace', async () => {
      const { medium } = await plugAt('a')
      const differences = execFileSync('rsync', [
        '-aHAXn',
        '--checksum',
        '--itemize-changes',
        `${source}/`,
        `${site.join('a')}/`,
      ])
      expect(differences.toString()).toBe('')
      writeFileSync(site.join('a/new'), 'written')
      await eject(access, medium, { force: false, keep: false })
      expect(listMediaStatus(access)).toEqual([])
      expect(readdirSync(path.join(access.path, 'media', 'layers'))).toEqual([])
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(medium.id)
    })

    test('is cloned while it is used, and the two go their own ways', async () => {
      const { medium } = await plugAt('a')
      writeFileSync(site.join('a/shared'), 'before the clone')
      execFileSync('sync', ['-f', site.join('a/shared')])
      const options = { mountPoint: site.join('b'), mount: true, attach: true, readOnly: false }
      const clone = await cloneMedium(access, medium.id, options)
      writeFileSync(site.join('a/shared'), 'changed in the first')
      expect(readFileSync(site.join('b/shared'), 'utf8')).toBe('before the clone')
      writeFileSync(site.join('b/own'), 'of the clone')
      expect(readdirSync(site.join('a'))).not.toContain('own')
      await eject(access, loadMedium(access.fs, access.path, medium.id), {
        force: false,
        keep: false,
      })
      expect(readFileSync(site.join('b/shared'), 'utf8')).toBe('before the clone')
      execFileSync('umount', [site.join('b')])
      execFileSync('e2fsck', ['-fn', clone.medium.attachment!.loopDevice!], { stdio: 'ignore' })
    })

    test('is sealed into a point of its own, which is plugged again', async () => {
      const { medium } = await plugAt('a')
      writeFileSync(site.join('a/bookmark'), 'kept')
      execFileSync('sync', ['-f', site.join('a/bookmark')])
      const sealed = await sealToSnapshot(access, medium.id, { name: 'bookmark' })
      writeFileSync(site.join('a/bookmark'), 'later')
      const again = await plugAt('b', sealed.snapshot.id)
      expect(readFileSync(site.join('b/bookmark'), 'utf8')).toBe('kept')
      expect(readFileSync(site.join('b/sub/file'), 'utf8')).toBe('as it was captured')
      await eject(access, again.medium, { force: false, keep: false })
      expect(readFileSync(site.join('a/bookmark'), 'utf8')).toBe('later')
    })

    test('carries on when its engine, and when its keeper, is killed', async () => {
      const { medium } = await plugAt('a')
      writeFileSync(site.join('a/first'), 'unflushed')
      const engine = statusOf(medium.id).enginePid
      kill(engine)
      writeFileSync(site.join('a/second'), 'after the engine')
      execFileSync('sync', ['-f', site.join('a/second')])
      await waitFor('another engine serves', () => {
        const now = statusOf(medium.id).enginePid
        return now !== undefined && now !== engine
      })
      const before = statusOf(medium.id).enginePid
      kill(medium.attachment!.keeperPid)
      await waitFor('an engine with a keeper of its own serves', () => {
        const now = statusOf(medium.id).enginePid
        return now !== undefined && now !== before
      })
      writeFileSync(site.join('a/third'), 'after the keeper')
      execFileSync('sync', ['-f', site.join('a/third')])
      expect(readFileSync(site.join('a/first'), 'utf8')).toBe('unflushed')
      expect(statusOf(medium.id).state).toBe('plugged')
    })

    test('is resumed with all it had flushed when engine and keeper were killed at once', async () => {
      const { medium } = await plugAt('a')
      writeFileSync(site.join('a/flushed'), 'durable')
      execFileSync('sync', ['-f', site.join('a/flushed')])
      kill(medium.attachment!.keeperPid)
      kill(statusOf(medium.id).enginePid)
      await waitFor('it is seen', () => statusOf(medium.id).state === 'interrupted')
      const [interrupted] = await reconcile(access)
      await resume(access, interrupted!)
      expect(readFileSync(site.join('a/flushed'), 'utf8')).toBe('durable')
      expect(statusOf(medium.id).state).toBe('plugged')
    })
  })
})
