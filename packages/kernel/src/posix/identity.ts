/**
 * Names of users and groups, through the C library, so that LDAP and other services count too.
 *
 * struct passwd on 64-bit glibc: char *pw_name (0), char *pw_passwd (8), u32 pw_uid (16),
 * u32 pw_gid (20)…, 48 bytes. struct group: char *gr_name (0), char *gr_passwd (8), u32
 * gr_gid (16), char **gr_mem (24), 32 bytes. Strings lie in the buffer that the caller gives.
 */
import { assert } from '../assert.ts'
import { E } from './constants.ts'
import {
  addressOf,
  bind,
  type CString,
  cString,
  lazily,
  posixAvailable,
  posixError,
} from './library.ts'

type ById = (id: number, row: Buffer, text: Buffer, size: number, found: Buffer) => number
type ByName = (name: CString, row: Buffer, text: Buffer, size: number, found: Buffer) => number

const ID_TYPES = 'uint, void *, void *, size_t, void *'
const NAME_TYPES = 'void *, void *, void *, size_t, void *'
const native = lazily(() => ({
  getpwuid: bind<ById>('getpwuid_r', 'int', ID_TYPES),
  getgrgid: bind<ById>('getgrgid_r', 'int', ID_TYPES),
  getpwnam: bind<ByName>('getpwnam_r', 'int', NAME_TYPES),
  getgrnam: bind<ByName>('getgrnam_r', 'int', NAME_TYPES),
}))

const ROW_SIZE = 48
const ID_OFFSET = 16
/** A group lists all its members here: 64 KiB are tens of thousands of them. */
const TEXT_SIZE_FIRST = 64 * 1024
/** Beyond it the row is taken as absent rather than the memory of the process. */
const TEXT_SIZE_MAX = 16 * 1024 * 1024
/** Names kept per table; a machine has fewer users in use, and an overfull table starts anew. */
const CACHE_ROWS_MAX = 65_536

const row = Buffer.alloc(ROW_SIZE)
const found = Buffer.alloc(8)
let text = Buffer.alloc(TEXT_SIZE_FIRST)

/** What glibc may answer for "no such row", besides 0 with a null pointer. */
const ABSENT: readonly number[] = [E.ENOENT, E.ESRCH, E.EBADF, E.EPERM]

/** Fills `row` and `text`. @returns false when there is no such row */
function lookUp(call: () => number, what: string): boolean {
  for (;;) {
    found.fill(0)
    const errno = call()
    if (errno === E.EINTR) continue
    if (errno === E.ERANGE && text.length < TEXT_SIZE_MAX) {
      text = Buffer.alloc(text.length * 4)
      continue
    }
    if (errno === 0) return found.readBigUInt64LE(0) !== 0n
    if (ABSENT.includes(errno) || errno === E.ERANGE) return false
    throw posixError(errno, what)
  }
}

/** The name in the row just read: its pointer leads into `text`. */
function nameInRow(): string {
  const start = Number(row.readBigUInt64LE(0) - addressOf(text))
  assert(start >= 0 && start < text.length, 'a name lies in the buffer given for it')
  return text.toString('utf8', start, text.indexOf(0, start))
}

function cached<K, V>(look: (key: K) => V): (key: K) => V {
  const rows = new Map<K, V>()
  return (key) => {
    if (rows.has(key)) return rows.get(key) as V
    if (rows.size >= CACHE_ROWS_MAX) rows.clear()
    const value = look(key)
    rows.set(key, value)
    return value
  }
}

/** Each answer is kept for the life of the thread. @throws MaasError FS_* */
export const userName = cached((uid: number): string | undefined => {
  if (!posixAvailable()) return undefined
  const { getpwuid } = native()
  return lookUp(() => getpwuid(uid, row, text, text.length, found), 'getpwuid_r')
    ? nameInRow()
    : undefined
})

export const groupName = cached((gid: number): string | undefined => {
  if (!posixAvailable()) return undefined
  const { getgrgid } = native()
  return lookUp(() => getgrgid(gid, row, text, text.length, found), 'getgrgid_r')
    ? nameInRow()
    : undefined
})

export const userId = cached((name: string): number | undefined => {
  if (!posixAvailable()) return undefined
  const { getpwnam } = native()
  const key = cString(name)
  return lookUp(() => getpwnam(key, row, text, text.length, found), 'getpwnam_r')
    ? row.readUInt32LE(ID_OFFSET)
    : undefined
})

export const groupId = cached((name: string): number | undefined => {
  if (!posixAvailable()) return undefined
  const { getgrnam } = native()
  const key = cString(name)
  return lookUp(() => getgrnam(key, row, text, text.length, found), 'getgrnam_r')
    ? row.readUInt32LE(ID_OFFSET)
    : undefined
})
