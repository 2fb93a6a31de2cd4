/**
 * What could be protected on this host: mounted file systems, disks, and databases found by their
 * sockets and data directories. Only looks; nothing is opened that could block (a dead NFS server
 * is not asked for its size), and nothing is logged into.
 */
import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Result } from '@openmaas/protocols/channel/orders'
import { findDatabases } from './discover-databases.ts'
import { listNames, readLine } from './probe.ts'

export type Discovered = Result<'host.discover'>['items'][number]

/** Local file systems that hold users' data. Of all others there is nothing to protect. */
const LOCAL = new Set(
  (
    'ext2 ext3 ext4 xfs btrfs zfs f2fs jfs reiserfs bcachefs ' +
    'vfat exfat ntfs ntfs3 fuseblk overlay ocfs2 gfs2'
  ).split(' '),
)
const REMOTE = new Set(['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', 'glusterfs', 'lustre', '9p'])
/** Disks made by software, and drives without a medium of their own. */
const NO_DISK = /^(?:loop|ram|zram|sr|fd|nbd)\d/
/** More mounts than this are containers', not places of data. */
const MOUNTS_MAX = 1000
/** /sys counts in sectors of 512 bytes, whatever the disk's own are. */
const SECTOR_SIZE = 512

export interface Mount {
  readonly device: string
  readonly path: string
  readonly type: string
  readonly source: string
  /** What of the file system is mounted here: `/` unless it is a bind mount. */
  readonly root: string
}

/** /proc/self/mountinfo, proc_pid_mountinfo(5). Lines that are not in its form are left. */
export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ')
    const [, , device, root, path] = before?.split(' ') ?? []
    const [type, source] = after?.split(' ') ?? []
    if (device === undefined || root === undefined || path === undefined) continue
    if (type === undefined || source === undefined) continue
    mounts.push({
      device,
      type,
      root: unescape(root),
      path: unescape(path),
      source: unescape(source),
    })
  }
  return mounts
}

/** Space, tab, line feed and backslash stand there as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

/**
 * One mount per file system, the one nearest the root, in the order of their paths.
 */
export function chooseMounts(mounts: readonly Mount[]): Mount[] {
  const chosen = new Map<string, Mount>()
  for (const mount of mounts) {
    if (!LOCAL.has(mount.type) && !REMOTE.has(mount.type)) continue
    // Media that are plugged in here, and images that lie on another file system.
    if (/^\/dev\/(?:loop|nbd)\d/.test(mount.source)) continue
    // A file bound over another, as containers do with /etc/hosts, is no file system.
    if (mount.path !== '/' && /^\/(?:proc|sys|dev|run|etc)(?:\/|$)/.test(mount.path)) continue
    const known = chosen.get(mount.device)
    const nearer = known === undefined || rank(mount) < rank(known)
    if (nearer) chosen.set(mount.device, mount)
  }
  const byPath = [...chosen.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  return byPath.slice(0, MOUNTS_MAX)
}

/** Whole file systems before bind mounts, then short paths before long ones. */
function rank(mount: Mount): number {
  return (mount.root === '/' ? 0 : 10_000) + mount.path.length
}

/** @param root `/`, or a directory that a test has made like one */
export async function discover(root = '/'): Promise<Discovered[]> {
  const mountInfo = await readFile(join(root, 'proc/self/mountinfo'), 'utf8')
  const mounts = chooseMounts(parseMountInfo(mountInfo))
  const files = await Promise.all(mounts.map((mount) => describeMount(mount)))
  return [...files, ...(await findDisks(root)), ...(await findDatabases(root))]
}

async function describeMount({ path, type, source }: Mount): Promise<Discovered> {
  const row = { kind: 'files' as const, path, detail: `${type} on ${source}` }
  if (REMOTE.has(type)) return { ...row, sizeBytes: 0 }
  try {
    const { blocks, bsize, bfree } = await statfs(path)
    const sizeBytes = toCount(blocks * bsize)
    return { ...row, sizeBytes, usedBytes: Math.min(sizeBytes, toCount((blocks - bfree) * bsize)) }
  } catch {
    return { ...row, sizeBytes: 0 } // Unmounted meanwhile, or not ours to look into.
  }
}

/** Some file systems have no idea, and say so with numbers like 2^64. */
function toCount(value: number): number {
  return Math.max(0, Math.min(value, Number.MAX_SAFE_INTEGER))
}

async function findDisks(root: string): Promise<Discovered[]> {
  const names = await listNames(join(root, 'sys/block'))
  const disks: Discovered[] = []
  for (const name of names) {
    if (NO_DISK.test(name)) continue
    const directory = join(root, 'sys/block', name)
    const sizeBytes = Number(await readLine(join(directory, 'size'))) * SECTOR_SIZE
    if (!(sizeBytes > 0)) continue
    const model = await readLine(join(directory, 'device/model'))
    const inside = (await listNames(directory)).filter((part) => part.startsWith(name))
    const partitions = inside.length === 0 ? 'no partitions' : inside.join(', ')
    const detail = model === '' ? partitions : `${model}: ${partitions}`
    disks.push({ kind: 'disk', path: `/dev/${name}`, sizeBytes, detail })
  }
  return disks
}
