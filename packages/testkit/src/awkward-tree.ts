/**
 * A small tree that holds one of everything a file system can hold and a backup can lose. For
 * fidelity tests of capture, restore and the ext4 view.
 */
import process from 'node:process'
import { SeededRandom } from '@openmaas/kernel/random'
import * as C from '@openmaas/kernel/posix/constants'
import { close, ftruncate, openat, pwriteAll } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import * as names from '@openmaas/kernel/posix/names'
import { pathBeneath, setxattr } from '@openmaas/kernel/posix/xattr'

export interface AwkwardTree {
  /** What this machine or user could not make: `device nodes`, `attributes`. */
  readonly left: readonly string[]
}

const MIB = 1024 * 1024

/**
 * u::rwx, u:1000:r-x, g::r-x, m::rwx, o::r-- as Linux stores it: version 2, then entries of tag
 * u16, permissions u16, id u32.
 */
export const ACL_BYTES = Buffer.from(
  '02000000' +
    '01000700ffffffff' +
    '02000500e8030000' +
    '04000500ffffffff' +
    '10000700ffffffff' +
    '20000400ffffffff',
  'hex',
)

/** @param directory an existing empty directory; needs `posixAvailable()` */
export function makeAwkwardTree(directory: string): AwkwardTree {
  const fd = checked(openat(C.AT_FDCWD, cString(directory), C.O_RDONLY), 'open', directory)
  const left: string[] = []
  try {
    makeContents(fd)
    makeNames(fd)
    makeNodes(fd, left)
    makeAttributes(fd, left)
    makeTimesAndOwners(fd)
  } finally {
    close(fd)
  }
  return { left }
}

function put(fd: number, name: string | Buffer, bytes: Buffer, mode = 0o644): void {
  const flags = C.O_CREAT | C.O_EXCL | C.O_RDWR
  const file = checked(openat(fd, cString(name), flags, mode), 'openat', cString(name))
  pwriteAll(file, bytes, 0)
  checked(names.fchmod(file, mode), 'fchmod')
  close(file)
}

function makeContents(fd: number): void {
  const random = new SeededRandom(7)
  put(fd, 'empty', Buffer.alloc(0))
  put(fd, 'one-byte', Buffer.from('x'))
  put(fd, 'block', random.bytes(4096))
  put(fd, 'block-and-one', random.bytes(4097))
  put(fd, 'large', random.bytes(3 * MIB + 17))
  put(fd, 'zeros', Buffer.alloc(200_000))
  const flags = C.O_CREAT | C.O_EXCL | C.O_RDWR
  const sparse = checked(openat(fd, cString('sparse'), flags, 0o644), 'openat')
  ftruncate(sparse, 100 * MIB)
  pwriteAll(sparse, random.bytes(10_000), 5 * MIB + 100)
  pwriteAll(sparse, random.bytes(5000), 50 * MIB)
  close(sparse)
  const hole = checked(openat(fd, cString('only-a-hole'), flags, 0o644), 'openat')
  ftruncate(hole, 2 ** 33 + 1)
  close(hole)
}

function makeNames(fd: number): void {
  const odd = ['-rf', '\n', 'a b', '"quoted"', '\\', '...', '恢复点', 'é', 'e\u0301', '*?[']
  for (const name of odd) put(fd, name, Buffer.from(name))
  put(fd, Buffer.from('not-utf8-\xff\xfe\x80', 'latin1'), Buffer.from('1'))
  put(fd, 'n'.repeat(255), Buffer.from('longest'))
  for (const name of ['empty-directory', 'directory', 'sticky']) {
    checked(names.mkdirat(fd, cString(name), 0o755), 'mkdirat', name)
  }
  checked(names.fchmodat(fd, cString('sticky'), 0o3777), 'fchmodat')
  let path = 'deep'
  for (let depth = 0; depth < 20; depth += 1) {
    checked(names.mkdirat(fd, cString(path), 0o750), 'mkdirat', path)
    path += `/${depth}`
  }
  put(fd, path, Buffer.from('bottom'))
  for (let i = 0; i < 300; i += 1) put(fd, `directory/file-${i}`, Buffer.from(String(i)))
  const modes = [0o000, 0o400, 0o4755, 0o2755, 0o777]
  for (const mode of modes) put(fd, `mode-${mode.toString(8)}`, Buffer.from('m'), mode)
}

function makeNodes(fd: number, left: string[]): void {
  const link = (text: string | Buffer, name: string) =>
    checked(names.symlinkat(cString(text), fd, cString(name)), 'symlinkat', name)
  link('one-byte', 'link')
  link('/nowhere/at/all', 'dangling-link')
  link('.', 'link-to-itself')
  link('t'.repeat(59), 'link-of-59')
  link('t'.repeat(60), 'link-of-60')
  link('t'.repeat(4095), 'longest-link')
  link(Buffer.from('\xff\xfe', 'latin1'), 'link-not-utf8')
  const pair = { sourceDirectory: fd, targetDirectory: fd, source: cString('block') }
  for (const target of ['hard-link', 'directory/hard-link', 'deep/hard-link']) {
    checked(names.linkat({ ...pair, target: cString(target) }), 'linkat', target)
  }
  const hardSymlink = { ...pair, source: cString('link'), target: cString('hard-link-of-link') }
  checked(names.linkat(hardSymlink), 'linkat')
  checked(names.mknodat(fd, cString('fifo'), C.S_IFIFO | 0o640), 'mknodat')
  checked(names.mknodat(fd, cString('socket'), C.S_IFSOCK | 0o600), 'mknodat')
  const devices = [
    ['null', C.S_IFCHR, 1, 3],
    ['disk', C.S_IFBLK, 259, 70_000],
  ] as const
  for (const [name, type, major, minor] of devices) {
    const result = names.mknodat(fd, cString(name), type | 0o660, { major, minor })
    if (result === -C.E.EPERM) left.push('device nodes')
    else checked(result, 'mknodat', name)
  }
}

function makeAttributes(fd: number, left: string[]): void {
  put(fd, 'attributes', Buffer.from('a'))
  put(fd, 'acl', Buffer.from('a'), 0o674)
  const wanted: [string, string, Buffer][] = [
    ['attributes', 'user.empty', Buffer.alloc(0)],
    ['attributes', 'user.text', Buffer.from('值')],
    ['attributes', 'user.large', new SeededRandom(3).bytes(2000)],
    ['directory', 'user.of-a-directory', Buffer.from([0, 1, 2])],
    ['acl', 'system.posix_acl_access', ACL_BYTES],
    ['directory', 'system.posix_acl_default', ACL_BYTES],
    ['link', 'trusted.of-a-link', Buffer.from('t')],
    ['attributes', 'security.capability', Buffer.from('0100000200040000' + '0'.repeat(24), 'hex')],
  ]
  for (const [file, name, value] of wanted) {
    const result = setxattr(pathBeneath(fd, Buffer.from(file)), cString(name), value)
    if (result === -C.E.EPERM || result === -C.E.EOPNOTSUPP) left.push(`attribute ${name}`)
    else checked(result, 'setxattr', file)
  }
}

function makeTimesAndOwners(fd: number): void {
  const set = (name: string, seconds: number, nanoseconds: number) =>
    checked(names.utimensat(fd, cString(name), { seconds, nanoseconds }), 'utimensat', name)
  if (process.geteuid?.() === 0) {
    const owner = { uid: 12_345, gid: 4_000_000_000 }
    for (const name of ['one-byte', 'dangling-link', 'empty-directory']) {
      checked(names.fchownat(fd, cString(name), owner), 'fchownat', name)
    }
  }
  set('one-byte', 1_700_000_000, 123_456_789)
  set('empty', -1, 999_999_999)
  set('block', 0, 0)
  // Beyond 2038 and below the end of the 34 bits of ext4 (2446).
  set('large', 10_000_000_000, 1)
  set('dangling-link', 1_600_000_000, 500)
  set('empty-directory', 1_500_000_000, 999_999_999)
}
