/**
 * Extended attributes, ACLs among them (`system.posix_acl_access`, `…_default`).
 *
 * A name beneath an open directory: Linux 6.13 has calls for it, older kernels go through
 * /proc/self/fd (`pathBeneath`), which costs twice as much. The last component is never followed.
 */
import { assert } from '../assert.ts'
import { AT_SYMLINK_NOFOLLOW, E } from './constants.ts'
import { answer, bind, type CString, lazily } from './library.ts'

/** Name (without NUL) and value. */
export type Xattr = readonly [name: Buffer, value: Buffer]

/** The kernel's own limits: list and value have at most 64 KiB each (linux/limits.h). */
export const XATTR_LIST_MAX = 65_536
export const XATTR_VALUE_MAX = 65_536

type List<Subject> = (file: Subject, list: Buffer, size: number) => number
type Get<Subject> = (file: Subject, name: CString, value: Buffer, size: number) => number
type Set<Subject> = (
  file: Subject,
  name: CString,
  value: Uint8Array,
  size: number,
  flags: number,
) => number
type ListAt = (
  number: number,
  dirfd: number,
  name: CString,
  flags: number,
  list: Buffer,
  size: number,
) => number
type Remove<Subject> = (file: Subject, name: CString) => number

const native = lazily(() => ({
  llist: bind<List<CString>>('llistxattr', 'long', 'void *, void *, size_t'),
  flist: bind<List<number>>('flistxattr', 'long', 'int, void *, size_t'),
  syscall: bind<ListAt>('syscall', 'long', 'long, int, void *, uint, void *, size_t'),
  lget: bind<Get<CString>>('lgetxattr', 'long', 'void *, void *, void *, size_t'),
  fget: bind<Get<number>>('fgetxattr', 'long', 'int, void *, void *, size_t'),
  lset: bind<Set<CString>>('lsetxattr', 'int', 'void *, void *, void *, size_t, int'),
  fset: bind<Set<number>>('fsetxattr', 'int', 'int, void *, void *, size_t, int'),
  lremove: bind<Remove<CString>>('lremovexattr', 'int', 'void *, void *'),
  fremove: bind<Remove<number>>('fremovexattr', 'int', 'int, void *'),
}))

/** The same number on every architecture. */
const SYS_listxattrat = 465
/** False once the kernel has said that it does not know the call. */
let listxattratExists = true

const list = Buffer.alloc(XATTR_LIST_MAX)
/**
 * Asked for first. The kernel takes memory of the size that is asked for before it looks: for
 * 64 KiB that costs as much as all the rest of the call, and most files have no name at all.
 */
const LIST_SIZE_FIRST = 512
const value = Buffer.alloc(XATTR_VALUE_MAX)
const NONE: readonly Xattr[] = []

/** `/proc/self/fd/<dirfd>/<name>` with a NUL: a name beneath an open directory, as a path. */
export function pathBeneath(dirfd: number, name: Uint8Array): Buffer {
  const end = name.at(-1) === 0 ? name.length - 1 : name.length
  const front = Buffer.from(`/proc/self/fd/${dirfd}/`, 'latin1')
  const path = Buffer.alloc(front.length + end + 1)
  front.copy(path)
  path.set(end === name.length ? name : name.subarray(0, end), front.length)
  return path
}

/**
 * Every attribute of a file, sorted by the bytes of its name. One call when there is none.
 *
 * A file system without attributes has none; one that vanishes meanwhile is left out.
 *
 * @param file an open file, or a path (a symbolic link is not followed)
 * @returns the attributes, or minus errno
 */
export function readXattrs(file: number | CString): readonly Xattr[] | number {
  const first = listxattr(file, list, LIST_SIZE_FIRST)
  return readListed(file, first === -E.ERANGE ? listxattr(file, list) : first)
}

/**
 * The same for a name beneath an open directory: one call when there is none.
 *
 * @returns the attributes, or minus errno
 */
export function readXattrsAt(dirfd: number, name: CString): readonly Xattr[] | number {
  if (listxattratExists) {
    const { syscall } = native()
    const flags = AT_SYMLINK_NOFOLLOW
    const length = answer(syscall(SYS_listxattrat, dirfd, name, flags, list, LIST_SIZE_FIRST))
    if (length === 0) return NONE
    if (length === -E.ERANGE) return readXattrs(pathBeneath(dirfd, name))
    // A seccomp filter of a container may answer EPERM for a call it does not know.
    if (length === -E.ENOSYS || length === -E.EPERM) listxattratExists = false
    else return readListed(pathBeneath(dirfd, name), length)
  }
  return readXattrs(pathBeneath(dirfd, name))
}

/** @param length what listing into `list` returned */
function readListed(file: number | CString, length: number): readonly Xattr[] | number {
  if (length === 0 || length === -E.EOPNOTSUPP) return NONE
  if (length < 0) return length
  const names = splitNames(list.subarray(0, length))
  const result: Xattr[] = []
  for (const name of names) {
    const size = getxattr(file, name, value)
    if (size === -E.ENODATA) continue
    if (size < 0) return size
    result.push([name.subarray(0, name.length - 1), Buffer.from(value.subarray(0, size))])
  }
  return result
}

/** Copies of the names, each with its NUL, sorted. */
function splitNames(bytes: Buffer): Buffer[] {
  assert(bytes.at(-1) === 0, 'a list of attribute names ends in NUL')
  const copy = Buffer.from(bytes)
  const names: Buffer[] = []
  let start = 0
  while (start < copy.length) {
    const end = copy.indexOf(0, start) + 1
    names.push(copy.subarray(start, end))
    start = end
  }
  return names.toSorted((a, b) => Buffer.compare(a, b))
}

/** Names, each ending in NUL, into `out`. @returns the bytes used, or minus errno */
export function listxattr(file: number | CString, out: Buffer, size = out.length): number {
  assert(size <= out.length, 'a list fits its target')
  const { flist, llist } = native()
  return answer(typeof file === 'number' ? flist(file, out, size) : llist(file, out, size))
}

/** @returns the length of the value, or minus errno (ENODATA: no such attribute) */
export function getxattr(file: number | CString, name: CString, out: Buffer): number {
  const { fget, lget } = native()
  return answer(
    typeof file === 'number'
      ? fget(file, name, out, out.length)
      : lget(file, name, out, out.length),
  )
}

/** Sets or replaces. @returns 0 or minus errno */
export function setxattr(file: number | CString, name: CString, content: Uint8Array): number {
  const { fset, lset } = native()
  return answer(
    typeof file === 'number'
      ? fset(file, name, content, content.length, 0)
      : lset(file, name, content, content.length, 0),
  )
}

/** @returns 0 or minus errno */
export function removexattr(file: number | CString, name: CString): number {
  const { fremove, lremove } = native()
  return answer(typeof file === 'number' ? fremove(file, name) : lremove(file, name))
}
