/**
 * The system calls on real files, with node:fs as the oracle where it can see the same thing.
 * Names are deliberately not UTF-8.
 */
import fs from 'node:fs'
import path from 'node:path'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isMaasError } from '../errors.ts'
import { alignedBuffer, alignedSharedBuffer } from './align.ts'
import * as C from './constants.ts'
import { type DirectoryEntry, readDirectory, readEntries } from './directory.ts'
import * as files from './files.ts'
import { addressOf, bind, checked, cString, displayName, posixAvailable } from './library.ts'
import { memfdCreate, sealMemfd } from './memfd.ts'
import * as names from './names.ts'
import * as S from './statx.ts'
import { pathBeneath, readXattrs, readXattrsAt, removexattr, setxattr } from './xattr.ts'
import type { Xattr } from './xattr.ts'

const NOT_UTF8 = Buffer.from('a\xff\xfe\n b', 'latin1')
const title = posixAvailable() ? 'posix' : 'skipped: Linux system calls missing'

describe.skipIf(!posixAvailable())(title, () => {
  let root: string
  let directory: number
  const beneath = (name: Uint8Array) => Buffer.concat([Buffer.from(`${root}/`), name])

  beforeAll(() => {
    root = fs.mkdtempSync(path.join(tmpdir(), 'openmaas-posix-'))
    directory = files.openat(C.AT_FDCWD, cString(root), C.O_RDONLY | C.O_DIRECTORY)
    expect(directory).toBeGreaterThan(2)
  })
  afterAll(() => {
    files.close(directory)
    fs.rmSync(root, { recursive: true })
  })

  test('constants agree with those of node for this machine', () => {
    const own = C as unknown as Record<string, number>
    for (const [name, value] of Object.entries(fs.constants)) {
      if (name in own) expect(own[name], name).toBe(value)
    }
  })

  test('makes, writes, reads and reports a file whose name is not UTF-8', () => {
    const flags = C.O_CREAT | C.O_EXCL | C.O_RDWR
    const fd = files.openat(directory, cString(NOT_UTF8), flags, 0o640)
    files.pwriteAll(fd, Buffer.from('hello world'), 3)
    const target = Buffer.alloc(32)
    expect(files.pread(fd, target, 0)).toBe(14)
    expect(target.toString('latin1', 0, 14)).toBe('\0\0\0hello world')
    expect(files.pread(fd, target, 5, 2)).toBe(2)
    files.close(fd)
    expect(fs.readFileSync(beneath(NOT_UTF8)).length).toBe(14)
    expect(files.openat(directory, cString(NOT_UTF8), flags, 0o640)).toBe(-C.E.EEXIST)
  })

  test('statx agrees with lstat in every field', () => {
    fs.symlinkSync('nowhere', `${root}/link`)
    fs.mkdirSync(`${root}/sub`)
    for (const name of [NOT_UTF8, Buffer.from('link'), Buffer.from('sub')]) {
      const out = S.makeStatx()
      const flags = C.AT_SYMLINK_NOFOLLOW
      expect(S.statx(directory, cString(name), flags, S.STATX_BASIC_STATS, out)).toBe(0)
      const stat = fs.lstatSync(beneath(name), { bigint: true })
      const ns = (seconds: number, nanoseconds: number) =>
        BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)
      expect(S.statxMode(out)).toBe(Number(stat.mode))
      expect(S.statxSize(out)).toBe(Number(stat.size))
      expect(S.statxInode(out)).toBe(Number(stat.ino))
      expect(S.statxInodeBig(out)).toBe(stat.ino)
      expect(S.statxInodeIsSafe(out)).toBe(true)
      expect(S.statxLinkCount(out)).toBe(Number(stat.nlink))
      expect([S.statxUid(out), S.statxGid(out)]).toEqual([Number(stat.uid), Number(stat.gid)])
      expect(S.statxAllocated(out)).toBe(Number(stat.blocks) * 512)
      expect(S.statxBlockSize(out)).toBe(Number(stat.blksize))
      expect(ns(S.statxModifySeconds(out), S.statxModifyNanoseconds(out))).toBe(stat.mtimeNs)
      expect(ns(S.statxChangeSeconds(out), S.statxChangeNanoseconds(out))).toBe(stat.ctimeNs)
      const device = (BigInt(S.statxDeviceMajor(out)) << 8n) | BigInt(S.statxDeviceMinor(out))
      expect(device).toBe(stat.dev)
    }
  })

  test('reports a device number, the size of a large file and a time before 1970', () => {
    const out = S.makeStatx()
    S.statx(C.AT_FDCWD, cString('/dev/null'), 0, S.STATX_BASIC_STATS, out)
    expect([S.statxRdevMajor(out), S.statxRdevMinor(out)]).toEqual([1, 3])
    const fd = files.openat(directory, cString('large'), C.O_CREAT | C.O_RDWR, 0o600)
    files.ftruncate(fd, 5 * 2 ** 40)
    expect(names.futimens(fd, { seconds: -2, nanoseconds: 999_999_999 })).toBe(0)
    S.fstatx(fd, S.STATX_BASIC_STATS, out)
    files.close(fd)
    expect(S.statxSize(out)).toBe(5 * 2 ** 40)
    expect([S.statxModifySeconds(out), S.statxModifyNanoseconds(out)]).toEqual([-2, 999_999_999])
    expect(fs.statSync(`${root}/large`, { bigint: true }).mtimeNs).toBe(-1_000_000_001n)
    names.unlinkat(directory, cString('large'))
  })

  test('lists a directory of 3,000 names exactly as node does', () => {
    fs.mkdirSync(`${root}/many`)
    for (let i = 0; i < 3000; i += 1) {
      fs.writeFileSync(
        Buffer.concat([beneath(Buffer.from('many/')), Buffer.from([0xff]), Buffer.from(`${i}`)]),
        '',
      )
    }
    fs.writeFileSync(`${root}/many/...`, '')
    fs.mkdirSync(`${root}/many/.d`)
    fs.symlinkSync('x', `${root}/many/l`)
    const fd = files.openat(directory, cString('many'), C.O_RDONLY | C.O_DIRECTORY)
    const entries: DirectoryEntry[] = []
    let calls = 0
    while (checked(readEntries(fd, entries), 'getdents64') > 0) calls += 1
    expect(calls).toBeGreaterThan(1)
    const sorted = (list: readonly Buffer[]) => list.map((n) => n.toString('hex')).toSorted()
    const oracle = fs.readdirSync(`${root}/many`, { encoding: 'buffer' })
    expect(sorted(entries.map((e) => e.name))).toEqual(sorted(oracle as unknown as Buffer[]))
    const typeOf = (name: string) => entries.find((e) => e.name.equals(Buffer.from(name)))?.type
    expect([typeOf('.d'), typeOf('l'), typeOf('...')]).toEqual([C.DT_DIR, C.DT_LNK, C.DT_REG])
    // A listed name goes to the next call as it is: its NUL stands behind it.
    const out = S.makeStatx()
    for (const { name } of entries) {
      expect(S.statx(fd, name, C.AT_SYMLINK_NOFOLLOW, S.STATX_BASIC_STATS, out)).toBe(0)
    }
    files.close(fd)
  })

  test('a listing of what is no directory answers ENOTDIR', () => {
    const fd = files.openat(directory, cString(NOT_UTF8), C.O_RDONLY)
    expect(readDirectory(fd)).toBe(-C.E.ENOTDIR)
    files.close(fd)
  })

  test('finds the data and the holes of a sparse file, and punches one', () => {
    const fd = files.openat(directory, cString('sparse'), C.O_CREAT | C.O_RDWR, 0o600)
    files.ftruncate(fd, 3 << 20)
    files.pwriteAll(fd, Buffer.alloc(1 << 20, 1), 1 << 20)
    expect(files.seekData(fd, 0)).toBe(1 << 20)
    expect(files.seekHole(fd, 1 << 20)).toBe(2 << 20)
    expect(files.seekData(fd, 2 << 20)).toBe(-C.E.ENXIO)
    const punch = C.FALLOC_FL_PUNCH_HOLE | C.FALLOC_FL_KEEP_SIZE
    expect(files.fallocate(fd, punch, 1 << 20, 1 << 19)).toBe(0)
    expect(files.seekData(fd, 0)).toBe((1 << 20) + (1 << 19))
    const range = { sourceOffset: (2 << 20) - 4, targetOffset: 0, length: 4 }
    expect(files.copy_file_range(fd, fd, range)).toBe(4)
    files.fdatasync(fd)
    files.fsync(fd)
    expect(files.posix_fadvise(fd, 0, 0, C.POSIX_FADV_DONTNEED)).toBe(0)
    files.close(fd)
    expect(fs.readFileSync(`${root}/sparse`).subarray(0, 5)).toEqual(Buffer.from([1, 1, 1, 1, 0]))
  })

  test('reads back the attributes it sets, sorted, by path and by descriptor', () => {
    const file = pathBeneath(directory, NOT_UTF8)
    const put = (name: string, value: Buffer) =>
      setxattr(file, cString(Buffer.from(name, 'latin1')), value)
    expect(readXattrs(file)).toEqual([])
    expect(readXattrsAt(directory, cString(NOT_UTF8))).toEqual([])
    expect(readXattrsAt(directory, cString('link'))).toEqual([])
    expect(readXattrsAt(directory, cString('gone'))).toBe(-C.E.ENOENT)
    expect(put('user.zz', Buffer.from([0, 1, 0]))).toBe(0)
    expect(put('user.a\xfe', Buffer.alloc(0))).toBe(0)
    expect(put('user.a', Buffer.alloc(3000, 7))).toBe(0)
    const expected = [
      [Buffer.from('user.a'), Buffer.alloc(3000, 7)],
      [Buffer.from('user.a\xfe', 'latin1'), Buffer.alloc(0)],
      [Buffer.from('user.zz'), Buffer.from([0, 1, 0])],
    ]
    expect(readXattrs(file)).toEqual(expected)
    expect(readXattrsAt(directory, cString(NOT_UTF8))).toEqual(expected)
    const fd = files.openat(directory, cString(NOT_UTF8), C.O_RDONLY)
    expect(readXattrs(fd)).toEqual(expected)
    // More names than the list that is asked for first has room for.
    const many = Array.from({ length: 10 }, (_, i) => `user.${i}${'n'.repeat(70)}`)
    for (const name of many) expect(put(name, Buffer.alloc(0))).toBe(0)
    const listed = [...many, 'user.a', 'user.a\xfe', 'user.zz']
    for (const found of [readXattrs(fd), readXattrsAt(directory, cString(NOT_UTF8))]) {
      expect((found as Xattr[]).map(([name]) => name.toString('latin1'))).toEqual(listed)
    }
    expect(removexattr(fd, cString('user.a'))).toBe(0)
    expect(removexattr(fd, cString('user.a'))).toBe(-C.E.ENODATA)
    files.close(fd)
    expect(readXattrs(pathBeneath(directory, Buffer.from('gone')))).toBe(-C.E.ENOENT)
    // An attribute of the link, not of where it leads: user attributes are refused on links.
    expect(readXattrs(pathBeneath(directory, Buffer.from('link')))).toEqual([])
  })

  test('makes links, nodes and directories, renames and removes them', () => {
    const [hard, soft, fifo, made, moved] = ['h', 's', 'f', 'm', 'm2'].map((n) => cString(n))
    const pair = { sourceDirectory: directory, targetDirectory: directory }
    expect(names.linkat({ ...pair, source: cString(NOT_UTF8), target: hard! })).toBe(0)
    expect(fs.statSync(`${root}/h`).nlink).toBe(2)
    expect(names.symlinkat(cString(NOT_UTF8), directory, soft!)).toBe(0)
    expect(names.readLinkTarget(directory, soft!)).toEqual(NOT_UTF8)
    expect(names.mknodat(directory, fifo!, C.S_IFIFO | 0o600)).toBe(0)
    expect(fs.lstatSync(`${root}/f`).isFIFO()).toBe(true)
    expect(names.mkdirat(directory, made!, 0o700)).toBe(0)
    const rename = { ...pair, source: made!, target: moved! }
    expect(names.renameat2(rename, C.RENAME_NOREPLACE)).toBe(0)
    expect(names.unlinkat(directory, moved!)).toBe(-C.E.EISDIR)
    expect(names.unlinkat(directory, moved!, C.AT_REMOVEDIR)).toBe(0)
    for (const name of [hard!, soft!, fifo!]) expect(names.unlinkat(directory, name)).toBe(0)
  })

  test('sets modes, owners and nanosecond times, of a link itself too', () => {
    const file = cString(NOT_UTF8)
    const { uid, gid } = fs.statSync(beneath(NOT_UTF8))
    expect(names.fchownat(directory, file, { uid, gid })).toBe(0)
    expect(names.fchmodat(directory, file, 0o4751)).toBe(0)
    const modify = { seconds: 1_700_000_000, nanoseconds: 123_456_789 }
    expect(names.utimensat(directory, file, modify)).toBe(0)
    expect(names.utimensat(directory, cString('link'), modify)).toBe(0)
    for (const name of [NOT_UTF8, Buffer.from('link')]) {
      const stat = fs.lstatSync(beneath(name), { bigint: true })
      expect(stat.mtimeNs).toBe(1_700_000_000_123_456_789n)
    }
    expect(fs.statSync(beneath(NOT_UTF8)).mode & 0o7777).toBe(0o4751)
  })

  test.skipIf(process.getuid?.() !== 0)('makes device nodes with large numbers', () => {
    const device = { major: 259, minor: 70_000 }
    expect(names.mknodat(directory, cString('node'), C.S_IFBLK | 0o600, device)).toBe(0)
    const out = S.makeStatx()
    S.statx(directory, cString('node'), 0, S.STATX_BASIC_STATS, out)
    expect([S.statxRdevMajor(out), S.statxRdevMinor(out)]).toEqual([259, 70_000])
    names.unlinkat(directory, cString('node'))
  })

  test('refuses to follow a link with O_NOFOLLOW, and names path and errno when checked', () => {
    const result = files.openat(directory, cString('link'), C.O_RDONLY | C.O_NOFOLLOW)
    expect(result).toBe(-C.E.ELOOP)
    try {
      checked(files.openat(directory, cString('gone'), C.O_RDONLY), 'openat', cString('gone'))
      expect.unreachable()
    } catch (error) {
      expect(isMaasError(error, 'FS_NOT_FOUND')).toBe(true)
      expect(error).toMatchObject({ details: { errno: 'ENOENT', path: 'gone' } })
    }
  })

  test('a lock of one open file excludes another of the same file', () => {
    const open = () => files.openat(directory, cString('lock'), C.O_CREAT | C.O_RDWR, 0o600)
    const [first, second] = [open(), open()]
    expect(files.tryFlock(first)).toBe(true)
    expect(files.tryFlock(second)).toBe(false)
    files.close(first)
    expect(files.tryFlock(second)).toBe(true)
    files.close(second)
  })

  test('gathers pieces in one write, and a sealed memory file changes no more', () => {
    const fd = memfdCreate('state')
    expect(files.writev(fd, [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('cde')])).toBe(5)
    const duplicate = files.dup(fd)
    const target = Buffer.alloc(8)
    expect(files.pread(duplicate, target, 0)).toBe(5)
    expect(target.toString('latin1', 0, 5)).toBe('abcde')
    sealMemfd(fd)
    expect(files.pwrite(fd, target, 0)).toBe(-C.E.EPERM)
    files.close(fd)
    files.close(duplicate)
  })

  test('gives page-aligned buffers that the kernel fills, shared ones too', () => {
    for (const bytes of [alignedBuffer(5000), alignedSharedBuffer(70_000)]) {
      expect(addressOf(bytes) % 4096n).toBe(0n)
      const fd = files.openat(directory, cString(NOT_UTF8), C.O_RDONLY)
      expect(files.pread(fd, bytes.subarray(4096), 3)).toBe(11)
      files.close(fd)
      expect(bytes.toString('latin1', 4096, 4101)).toBe('hello')
    }
    expect(alignedSharedBuffer(1).buffer).toBeInstanceOf(SharedArrayBuffer)
  })

  test('says which call the C library lacks', () => {
    const refused = { code: 'PLATFORM_UNSUPPORTED', details: { name: 'no_such_call' } }
    expect(() => bind('no_such_call', 'int', '')).toThrow(
      expect.objectContaining({
        ...refused,
        details: expect.objectContaining(refused.details),
      }),
    )
  })

  test('shows a name for people', () => {
    expect(displayName(cString('文件'))).toBe('文件')
    expect(displayName(NOT_UTF8)).toBe('a\ufffd\ufffd\n b')
  })
})
