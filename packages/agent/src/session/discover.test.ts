import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chooseMounts, discover, parseMountInfo } from './discover.ts'

const MOUNT_INFO = `\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw
24 22 0:22 / /dev rw - devtmpfs udev rw
30 22 8:17 / /srv/with\\040space rw,relatime - xfs /dev/sdb1 rw
31 22 8:17 /sub /mnt/bound rw,relatime - xfs /dev/sdb1 rw
32 22 8:1 /etc/hosts /etc/hosts rw - ext4 /dev/sda1 rw
33 22 0:50 / /mnt/nfs rw - nfs4 server:/export rw
35 22 7:3 / /mnt/medium rw - ext4 /dev/loop3 rw
34 22 0:51 / /run/user/0 rw - tmpfs tmpfs rw
nonsense
`

describe('the mounts of a host', () => {
  test('are one per file system, nearest the root, without those of the kernel', () => {
    const chosen = chooseMounts(parseMountInfo(MOUNT_INFO))
    expect(chosen.map(({ path, type }) => `${path} ${type}`)).toEqual([
      '/ ext4',
      '/mnt/nfs nfs4',
      '/srv/with space xfs',
    ])
  })

  test('keep names as they are, whatever the kernel escapes', () => {
    const line = '1 0 8:1 / /a\\134b\\011c\\012d rw - ext4 /dev/x rw'
    expect(parseMountInfo(line)).toMatchObject([{ path: '/a\\b\tc\nd' }])
  })

  test('that were bound are shown where nothing else is', () => {
    const line = '1 0 8:1 /volumes/x /data rw - ext4 /dev/x rw'
    expect(chooseMounts(parseMountInfo(line))).toMatchObject([{ path: '/data' }])
  })
})

describe('discovery', () => {
  let root: TemporaryDirectory
  beforeEach(() => (root = new TemporaryDirectory()))
  afterEach(() => root.dispose())
  const put = (path: string, text = ''): void => {
    const full = root.join(path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, text)
  }

  test('finds the root of this very machine', async () => {
    const items = await discover()
    const [first] = items.filter(({ path }) => path === '/')
    expect(first).toMatchObject({ kind: 'files', sizeBytes: expect.any(Number) })
  })

  test('finds disks, and not what only looks like one', async () => {
    put('proc/self/mountinfo', '')
    put('sys/block/sda/size', '2048\n')
    put('sys/block/sda/device/model', 'EXAMPLE DISK  \n')
    put('sys/block/sda/sda1/size', '1024\n')
    put('sys/block/loop0/size', '2048\n')
    put('sys/block/sr0/size', '2048\n')
    put('sys/block/sdb/size', '0\n')
    expect(await discover(root.path)).toEqual([
      { kind: 'disk', path: '/dev/sda', sizeBytes: 1_048_576, detail: 'EXAMPLE DISK: sda1' },
    ])
  })

  test('finds databases by their sockets and their directories', async () => {
    put('proc/self/mountinfo', '')
    put('var/run/postgresql/.s.PGSQL.5433.lock', '4711\n/srv/pg\n1700000000\n5433\n')
    put('srv/pg/PG_VERSION', '17\n')
    put('srv/pg/base/1/2', 'x'.repeat(1000))
    put('var/lib/postgresql/15/main/PG_VERSION', '15\n')
    put('var/lib/mysql/ibdata1', 'xy')
    put('var/lib/mysql/mysql_upgrade_info', '10.11.6-MariaDB\n')
    put('run/mysqld/mysqld.sock')
    expect(await discover(root.path)).toEqual([
      { kind: 'postgres', path: '/srv/pg', sizeBytes: 1003, detail: 'PostgreSQL 17, port 5433' },
      {
        kind: 'postgres',
        path: '/var/lib/postgresql/15/main',
        sizeBytes: 3,
        detail: 'PostgreSQL 15, not running',
      },
      {
        kind: 'mysql',
        path: '/var/lib/mysql',
        sizeBytes: 18,
        detail: '10.11.6-MariaDB, socket /run/mysqld/mysqld.sock',
      },
    ])
  })
})
