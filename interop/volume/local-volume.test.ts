/**
 * A volume of this very host: a disk that its node makes, given a file system when it is blank and
 * never otherwise, mounted, grown, unmounted, and found again.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { readSync, writeSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeMediumPort } from '@openmaas/agent/attach/remote-attach'
import type { MediumPort } from '@openmaas/agent/session/ports'
import { MiB } from '@openmaas/kernel/units'
import { makeNodeHandlers } from '@openmaas/node/handlers'
import { makeLocalMedia } from '@openmaas/node/local-media'
import { Node } from '@openmaas/node/node'
import { requires } from '@openmaas/testkit/requires'
import { CAP_SYS_RESOURCE, hasCapability } from './capability.ts'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'

const needs = {
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control'],
  programs: ['mkfs.ext4', 'mkfs.xfs', 'blkid', 'cmp', 'xfs_growfs'],
}
const MEDIUM = 'vol_local'
const TEXT = { encoding: 'utf8' } as const
const context = { signal: new AbortController().signal, progress: () => undefined }
const refused = (code: string): Error => expect.objectContaining({ code }) as Error

requires(needs, () => {
  let site: TemporaryDirectory
  let node: Node
  let media: MediumPort
  let poolId: string

  beforeEach(async () => {
    site = new TemporaryDirectory({ inMemory: true })
    node = await Node.open({ directory: site.join('node') })
    const orders = makeNodeHandlers(node)
    const pool = { bricks: [site.join('pool')], redundancy: 'single' }
    poolId = (await orders['pool.create'](pool, context)).poolId
    const identity = () => expect.unreachable('nothing is attached from elsewhere')
    media = makeLocalMedia(node, makeMediumPort({ data: site.join('agent'), identity }))
  }, 120_000)
  afterEach(async () => {
    const orders = makeNodeHandlers(node)
    await orders['medium.withdraw']({ mediumId: MEDIUM, poolId, force: true }, context)
    await node.close()
    site.dispose()
  }, 120_000)

  const serve = async (sizeBytes: number): Promise<string> => {
    const orders = makeNodeHandlers(node)
    const volume = { poolId, requestId: 'make', sourceName: 'db', sizeBytes, grainBytes: 65_536 }
    const { snapshotId } = await orders['volume.create'](volume, context)
    const medium = {
      mediumId: MEDIUM,
      poolId,
      snapshotId,
      sourceName: 'db',
      readOnly: false,
      quotaBytes: null,
      bytesPerSecond: null,
      local: { mountPath: null },
    }
    return (await orders['medium.serve'](medium, context)).device!
  }
  const attach = (format: 'auto' | 'ext4' | 'xfs' | null, grow = false) => {
    const mountPath = site.join('mounted')
    return media.attach(
      { mediumId: MEDIUM, readOnly: false, mountPath, format, grow, nbd: null },
      context,
    )
  }

  test('a blank one gets a file system once, and grows while it is mounted', async () => {
    await serve(400 * MiB)
    const attached = await attach('xfs')
    expect(await attach('xfs')).toEqual(attached)
    const file = path.join(attached.mountPath!, 'kept')
    writeFileSync(file, 'kept')
    const orders = makeNodeHandlers(node)
    const grow = { mediumId: MEDIUM, poolId, sizeBytes: 600 * MiB }
    expect(await orders['medium.grow'](grow, context)).toEqual({ sizeBytes: 600 * MiB })
    expect(await media.resize({ mediumId: MEDIUM }, context)).toEqual({ sizeBytes: 600 * MiB })
    const { blocks, bsize } = statfsSync(attached.mountPath!)
    expect(blocks * bsize).toBeGreaterThan(500 * MiB)
    await media.detach({ mediumId: MEDIUM, force: false }, context)
    expect(execFileSync('findmnt', ['-n', '-l']).includes(attached.mountPath!)).toBe(false)
    await attach('ext4') // It is an xfs, and stays one.
    expect(readFileSync(file, 'utf8')).toBe('kept')
  }, 240_000)

  test('an ext4 that cannot grow while it is mounted does so between two mounts', async () => {
    await serve(256 * MiB)
    // Too small for what grows everywhere.
    const { mountPath } = await attach('auto')
    const type = () => execFileSync('findmnt', ['-n', '-o', 'FSTYPE', mountPath!], TEXT).trim()
    expect(type()).toBe('ext4')
    const file = path.join(mountPath!, 'kept')
    writeFileSync(file, 'kept')
    const grow = { mediumId: MEDIUM, poolId, sizeBytes: 600 * MiB }
    await makeNodeHandlers(node)['medium.grow'](grow, context)
    const resized = media.resize({ mediumId: MEDIUM }, context)
    if (hasCapability(CAP_SYS_RESOURCE)) expect(await resized).toEqual({ sizeBytes: 600 * MiB })
    else await expect(resized).rejects.toThrowError(refused('MEDIUM_GROW_OFFLINE'))
    await media.detach({ mediumId: MEDIUM, force: false }, context)
    await attach(null, true)
    const { blocks, bsize } = statfsSync(mountPath!)
    expect(blocks * bsize).toBeGreaterThan(500 * MiB)
    expect(readFileSync(file, 'utf8')).toBe('kept')
  }, 240_000)

  test('a large one is an xfs, and grows before it is seen as well as while it is', async () => {
    await serve(600 * MiB)
    const { mountPath } = await attach('auto')
    expect(execFileSync('findmnt', ['-n', '-o', 'FSTYPE', mountPath!], TEXT).trim()).toBe('xfs')
    await media.detach({ mediumId: MEDIUM, force: false }, context)
    const grow = { mediumId: MEDIUM, poolId, sizeBytes: 1024 * MiB }
    await makeNodeHandlers(node)['medium.grow'](grow, context)
    await attach(null, true)
    expect(await media.resize({ mediumId: MEDIUM }, context)).toEqual({ sizeBytes: 1024 * MiB })
    const { blocks, bsize } = statfsSync(mountPath!)
    expect(blocks * bsize).toBeGreaterThan(900 * MiB)
  }, 240_000)

  test('one that holds anything is left alone', async () => {
    const device = await serve(64 * MiB)
    const text = Buffer.from('somebody else wrote this, and no file system knows it')
    const disk = openSync(device, 'r+')
    writeSync(disk, text, 0, text.length, MiB)
    fsyncSync(disk)
    await expect(attach('ext4')).rejects.toThrowError(refused('MEDIUM_ATTACH_FAILED'))
    const found = Buffer.alloc(text.length)
    readSync(disk, found, 0, found.length, MiB)
    closeSync(disk)
    expect(found.equals(text)).toBe(true)
  }, 240_000)
})
