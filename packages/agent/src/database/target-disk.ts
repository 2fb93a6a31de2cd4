/** What is mounted where on this host, and on which of it a database may stand for good. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'

export interface Mount {
  readonly target: string
  readonly type: string
  readonly source: string
  /** Of the file system, as the kernel lists them. */
  readonly options: string
}

/** Gone with the next start of the host. */
const MEMORY = new Set(['tmpfs', 'ramfs'])
/** Served by another machine, or by a program; those of FUSE besides. */
const SERVED = new Set(
  (
    'nfs nfs4 cifs smb3 smbfs smb2 9p ceph afs coda ncpfs lustre beegfs gpfs pvfs2 orangefs ' +
    'glusterfs virtiofs vboxsf'
  ).split(' '),
)
/** Names that the kernel makes up: nobody's files are kept there. */
const MADE_UP = new Set(
  (
    'proc sysfs cgroup cgroup2 devpts devtmpfs debugfs tracefs securityfs configfs pstore bpf ' +
    'binfmt_misc mqueue hugetlbfs autofs efivarfs selinuxfs fusectl rpc_pipefs nfsd nsfs'
  ).split(' '),
)
/** Where the agent keeps its mounts; those of other media lie below. */
const OUR_PLACES = /^(?:\/run\/openmaas[^/]*|\/mnt\/openmaas)(?:\/|$)/

export function readMounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** @param text  as of proc(5): `36 35 98:0 /root /target opts optional… - type source options` */
export function parseMounts(text: string): Mount[] {
  // The kernel writes blanks and backslashes of paths as octal escapes.
  const plain = (word = ''): string =>
    word.replaceAll(/\\(\d{3})/g, (_match, octal: string) =>
      String.fromCodePoint(Number.parseInt(octal, 8)),
    )
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const words = line.split(' ')
      const [type = '', source, options] = words.slice(words.indexOf('-', 6) + 1)
      return { target: plain(words[4]), type, source: plain(source), options: plain(options) }
    })
}

export const isBelow = (path: string, above: string): boolean =>
  above === '/' ? path !== '/' : path.startsWith(`${above}/`)

export function isMountPoint(path: string, mounts: readonly Mount[]): boolean {
  return mounts.some(({ target }) => target === path)
}

/** @returns why no database may stand there for good, after the path's name; null: it may */
export function whyUnfit(path: string, mounts: readonly Mount[]): string | null {
  if (OUR_PLACES.test(path)) return 'is among our mounts'
  if (isMountPoint(path, mounts)) return 'is a mount point: name a directory below it'
  const mount = mountOf(path, mounts)
  const { target, type } = mount
  const where = `is on ${target} (${type})`
  if (isOurs(mount, mounts)) return `is on ${target}, which is a medium of ours`
  if (MADE_UP.has(type)) return `${where}, which keeps no files: name a place on a disk`
  if (SERVED.has(type) || type.startsWith('fuse')) return `${where}, which is no disk of this host`
  if (isMemory(mount, mounts)) return `${where}, which is memory: all of it is gone at a restart`
  return null
}

/** The longest path that holds it; of several at the same one, the last that was mounted. */
function mountOf(path: string, mounts: readonly Mount[]): Mount {
  let found: Mount = { source: '', target: '/', type: '', options: '' }
  for (const each of mounts) {
    const holds = path === each.target || isBelow(path, each.target)
    if (holds && each.target.length >= found.target.length) found = each
  }
  return found
}

/** An overlay is where its upper directory is, as far as that can be seen from here. */
function isMemory({ type, options }: Mount, mounts: readonly Mount[]): boolean {
  if (type !== 'overlay') return MEMORY.has(type)
  const upper = /(?:^|,)upperdir=([^,]+)/.exec(options)?.[1]
  return upper !== undefined && MEMORY.has(mountOf(upper, mounts).type)
}

/** Disks of media: by the kernel's nbd, or a loop device over a file that FUSE serves. */
function isOurs({ source, type }: Mount, mounts: readonly Mount[]): boolean {
  if (source.startsWith('/dev/nbd')) return true
  if (type.startsWith('fuse')) return source.startsWith('openmaas:')
  const loop = /^\/dev\/(loop\d+)$/.exec(source)?.[1]
  if (loop === undefined) return false
  const record = `/sys/block/${loop}/loop/backing_file`
  if (!existsSync(record)) return false
  const backing = readFileSync(record, 'utf8').trim()
  return mountOf(dirname(backing), mounts).type.startsWith('fuse')
}
