import { describe, expect, test } from 'vitest'
import { parseMounts, whyUnfit } from './target-disk.ts'

const MOUNTS = parseMounts(`\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw
25 24 0:23 / /ram rw - ramfs none rw
26 24 0:26 / /dev/shm rw - tmpfs tmpfs rw
30 27 0:30 / /net/a\\040b rw master:1 - nfs4 nas:/export rw,vers=4.2
31 27 0:31 / /net/win rw - cifs //nas/share rw
32 27 0:32 / /net/ssh rw - fuse.sshfs me@there: rw
33 27 0:33 / /net/guest rw - 9p share rw
40 27 0:40 / /layers rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/ram/up,workdir=/ram/work
41 27 0:41 / /layered rw - overlay overlay rw,lowerdir=/a,upperdir=/srv/up,workdir=/srv/work
50 27 43:0 / /medium rw - ext4 /dev/nbd3 rw
51 27 0:51 / /served rw - fuse openmaas:mnt_1 rw
60 27 254:16 / /disk rw - xfs /dev/vdb rw
61 27 254:0 /run/netns /disk/bound rw shared:1 - ext4 /dev/vda rw
`)

describe('a place of this host', () => {
  test.each([
    ['/proc/x', 'is on /proc (proc), which keeps no files'],
    ['/ram/x', 'is on /ram (ramfs), which is memory'],
    ['/dev/shm/x', 'is on /dev/shm (tmpfs), which is memory'],
    ['/net/a b/x', 'is on /net/a b (nfs4), which is no disk of this host'],
    ['/net/win/x', 'which is no disk of this host'],
    ['/net/ssh/deep/x', 'which is no disk of this host'],
    ['/net/guest/x', 'which is no disk of this host'],
    ['/layers/x', 'which is memory'],
    ['/medium/x', 'is on /medium, which is a medium of ours'],
    ['/served/x', 'is on /served, which is a medium of ours'],
    ['/medium', 'is a mount point'],
    ['/disk', 'is a mount point'],
    ['/disk/bound', 'is a mount point'],
    ['/run/openmaas', 'is among our mounts'],
    ['/run/openmaas/mnt/x', 'is among our mounts'],
    ['/run/openmaas-7/x', 'is among our mounts'],
    ['/mnt/openmaas/x', 'is among our mounts'],
  ])('%s is unfit, since it %s', (path, why) => {
    expect(whyUnfit(path, MOUNTS)).toContain(why)
  })

  test.each(['/srv/shop', '/disk/shop', '/layered/x', '/ramble/x', '/mnt/openmaas2/x', '/proc2/x'])(
    '%s is a disk',
    (path) => {
      expect(whyUnfit(path, MOUNTS)).toBeNull()
    },
  )
})
