/** Calls about the process and the machine: users, loop devices, mounts, poll. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { findProgram, requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { describe, expect, test } from 'vitest'
import { E } from './constants.ts'
import { groupId, groupName, userId, userName } from './identity.ts'
import { posixAvailable } from './library.ts'
import { attachLoop, detachLoop, encodeLoopConfig, loopStatus } from './loop.ts'
import { LO_FLAGS_DIRECT_IO, LO_FLAGS_READ_ONLY, refreshLoopSize } from './loop.ts'
import { mount, MS_RDONLY, tryMount, unmount } from './mount.ts'
import { geteuid, getuid, poll, POLLIN, setIoFlusher, setThreadName } from './process.ts'

const available = posixAvailable()

describe.skipIf(!available)(available ? 'process' : 'skipped: Linux missing', () => {
  test('knows names of users and groups, both ways, and their absence', () => {
    const { uid, gid, username } = os.userInfo()
    expect(userName(uid)).toBe(username)
    expect(userId(username)).toBe(uid)
    expect(groupId(groupName(gid)!)).toBe(gid)
    expect([userName(0), groupName(0)]).toEqual(['root', 'root'])
    expect(userName(3_999_999_999)).toBeUndefined()
    expect(groupName(3_999_999_999)).toBeUndefined()
    expect([userId('no such user'), groupId('no such group')]).toEqual([undefined, undefined])
    expect(userName(uid)).toBe(username)
  })

  test('agrees with node on who it is, and names its thread', () => {
    expect([getuid(), geteuid()]).toEqual([process.getuid?.(), process.geteuid?.()])
    setThreadName('openmaas-long-name-is-cut')
    const comm = fs.readFileSync(`/proc/self/task/${process.pid}/comm`, 'utf8')
    expect(comm).toBe('openmaas-long-n\n')
  })

  test('is known as one that serves a disk, where it may be, and goes on where not', () => {
    const status = fs.readFileSync('/proc/self/status', 'latin1')
    const CAP_SYS_RESOURCE = 24n
    const effective = BigInt(`0x${/^CapEff:\s+(\w+)/m.exec(status)![1]}`)
    expect(setIoFlusher()).toBe(((effective >> CAP_SYS_RESOURCE) & 1n) === 1n)
  })

  test('waits on a descriptor until it is readable', () => {
    const fd = fs.openSync('/dev/zero', 'r')
    const ready: number[] = []
    expect(poll([{ fd, events: POLLIN }], 0, ready)).toBe(1)
    expect(ready).toEqual([POLLIN])
    expect(poll([], 0, ready)).toBe(0)
    fs.closeSync(fd)
  })
})

test('encodes the loop configuration byte for byte', () => {
  const config = encodeLoopConfig({
    fd: 7,
    name: 'disk',
    blockSize: 4096,
    readOnly: true,
    directIo: true,
  })
  const expected = Buffer.alloc(304)
  expected.set([7, 0, 0, 0, 0x00, 0x10, 0, 0], 0)
  expected[8 + 52] = LO_FLAGS_READ_ONLY | LO_FLAGS_DIRECT_IO
  expected.write('disk', 8 + 56)
  expect(config).toEqual(expected)
})

const needs = { root: true, paths: ['/dev/loop-control'], programs: ['mkfs.ext4'] }
requires(needs, () => {
  test('attaches a file as a disk, mounts its ext4, and leaves nothing behind', () => {
    using site = new TemporaryDirectory()
    const [image, target] = [site.join('image'), site.join('mnt')]
    fs.mkdirSync(target)
    fs.writeFileSync(image, '')
    fs.truncateSync(image, 8 << 20)
    execFileSync(findProgram('mkfs.ext4')!, ['-q', '-b', '4096', image])
    const fd = fs.openSync(image, 'r+')
    const loop = attachLoop({ fd, name: image, blockSize: 4096, readOnly: false, directIo: true })
    fs.closeSync(fd)
    try {
      const status = loopStatus(loop.path)!
      expect(status.backingInode).toBe(fs.statSync(image, { bigint: true }).ino)
      expect(status.name).toBe(image)
      expect(tryMount({ source: loop.path, target, type: 'no-such-type' })).toBe(-E.ENODEV)
      mount({ source: loop.path, target, type: 'ext4', data: 'noload', flags: MS_RDONLY })
      const held = fs.openSync(`${target}/lost+found`, 'r')
      expect(unmount(target)).toBe(false)
      fs.closeSync(held)
      expect(unmount(target)).toBe(true)
      expect(() => unmount(target)).toThrow(expect.objectContaining({ code: 'FS_IO' }))
      fs.truncateSync(image, 16 << 20)
      refreshLoopSize(loop.path)
      const sectors = fs.readFileSync(`/sys/block/loop${loop.number}/size`, 'utf8')
      expect(Number(sectors) * 512).toBe(16 << 20)
    } finally {
      expect(detachLoop(loop.path)).toBe(true)
    }
    expect(loopStatus(loop.path)?.backingInode).not.toBe(fs.statSync(image, { bigint: true }).ino)
  })
})
