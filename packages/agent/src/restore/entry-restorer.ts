/**
 * Restores single entries into an open directory. Nothing is ever written through a name that was
 * there before: everything is made under a temporary name and renamed when it is complete. A file
 * in a directory of this run gets its only name when it is complete (O_TMPFILE), where the file
 * system has that: one change of the directory instead of three.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { errnoName } from '@openmaas/kernel/fs-errors'
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  E,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  RENAME_NOREPLACE,
} from '@openmaas/kernel/posix/constants'
import { readDirectory } from '@openmaas/kernel/posix/directory'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString, posixError } from '@openmaas/kernel/posix/library'
import {
  linkat,
  mknodat,
  readlinkat,
  renameat2,
  symlinkat,
  unlinkat,
} from '@openmaas/kernel/posix/names'
import { STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { makeFileStat, StatxFields } from '@openmaas/source-files/file-stat'
import type { ContentWriter } from './content-writer.ts'
import type { MetadataWriter } from './metadata.ts'
import type { ConflictRule } from './types.ts'
import type { RestoreWarnings } from './warnings.ts'

const TEMPORARY_PREFIX = '.openmaas-restore.'
const S_IFMT = 0o170000
/** Nobody else reads a file whose owner and mode are not set yet. */
const MODE_CLOSED = 0o600
const HERE = cString('.')
const EMPTY = cString('')
/** Renamed-away names tried before it is given up. */
const RENAME_ATTEMPTS_MAX = 10_000

/** `complete` stood there already; `skipped` is what stays as it is, or cannot be made. */
export type Outcome = 'restored' | 'complete' | 'skipped'

export interface EntryRestorerDeps {
  readonly content: ContentWriter
  readonly metadata: MetadataWriter
  readonly warnings: RestoreWarnings
  readonly conflict: ConflictRule
}

/** Where an entry goes. */
export interface Place {
  readonly dirfd: number
  /** NUL-terminated. */
  readonly name: Buffer
  /** From the target, for messages; bytes as latin1 characters. */
  readonly path: string
  /** The directory was made by this run: nothing can stand in the way. */
  readonly fresh: boolean
  /** What is made there has the owner and group of this process without being told. */
  readonly own: boolean
  /** Taken off the mode of what is made there; undefined when a default ACL rules instead. */
  readonly umask?: number | undefined
}

/**
 * The same at every attempt, so that a later run finds what an earlier one left behind. Two hashes
 * of 32 bits: names of one directory that are restored at the same time do not meet.
 */
export function temporaryName(name: Buffer): Buffer {
  let [a, b] = [0x811c9dc5, 0x9747b28c]
  for (let i = 0; i < name.length && name[i] !== 0; i += 1) {
    a = Math.imul(a ^ name[i]!, 0x01000193)
    b = Math.imul(b ^ name[i]!, 0x5bd1e995) ^ (b >>> 15)
  }
  const hash = (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0')
  return Buffer.from(`${TEMPORARY_PREFIX}${hash}\0`, 'latin1')
}

export class EntryRestorer {
  readonly #deps: EntryRestorerDeps
  readonly #statx = new StatxFields()
  readonly #stat = makeFileStat()
  readonly #link = Buffer.alloc(4096)
  /** Whether files can be made without a name and get one later; undefined until it was tried. */
  #namesLater: boolean | undefined

  constructor(deps: EntryRestorerDeps) {
    this.#deps = deps
  }

  /** Anything but directories, hard links and large files. */
  restore(entry: TreeEntry, place: Place): Outcome {
    const room = this.makeRoom(entry, place)
    if (room !== 'free') return room
    switch (entry.kind) {
      case ENTRY_KIND.file: {
        if (this.#restoreUnnamed(entry, place)) return 'restored'
        const fd = this.#openFirst(place) ?? this.openTemporary(place)
        try {
          this.#deps.content.write(fd, entry)
          this.#deps.metadata.writeOpen(fd, entry, place, { own: place.own })
        } finally {
          close(fd)
        }
        break
      }
      case ENTRY_KIND.symlink:
        this.#make(place, (name) => symlinkat(cString(entry.target!), place.dirfd, name))
        this.#deps.metadata.writeNamed(place.dirfd, temporaryName(place.name), entry, place)
        break
      default: {
        const made = this.#makeSpecial(entry, place)
        if (!made) return 'skipped'
      }
    }
    this.moveIn(place)
    return 'restored'
  }

  /**
   * Looks at what stands under the name and does what the conflict rule says. What is to be
   * overwritten stays until `moveIn`: a restore that fails before must not have cost it.
   *
   * @throws MaasError RESTORE_CONFLICT
   */
  makeRoom(entry: TreeEntry, place: Place): 'free' | 'complete' | 'skipped' {
    if (place.fresh) return 'free'
    const status = statx(
      place.dirfd,
      place.name,
      AT_SYMLINK_NOFOLLOW,
      STATX_BASIC_STATS,
      this.#statx.bytes,
    )
    if (status === -E.ENOENT) return 'free'
    checked(status, 'statx', place.name)
    this.#statx.fill(this.#stat)
    if (this.#isComplete(entry, place)) return 'complete'
    return this.mayReplace(place) ? 'free' : 'skipped'
  }

  /** Before `moveIn`, which overwrites. @returns false when what stands there stays */
  mayReplace(place: Place): boolean {
    return this.#deps.conflict === 'overwrite' || this.resolveConflict(place)
  }

  /** The name is free afterwards. @returns false when what stands there stays */
  resolveConflict(place: Place): boolean {
    const path = Buffer.from(place.path, 'latin1').toString('utf8')
    switch (this.#deps.conflict) {
      case 'fail':
        throw new MaasError('RESTORE_CONFLICT', `${path} is there already`, { path })
      case 'skip':
        return false
      case 'overwrite':
        removeAll(place.dirfd, place.name)
        return true
      case 'rename':
        renameAway(place)
        return true
    }
  }

  /** @returns false when the file has to be made under a temporary name */
  #restoreUnnamed(entry: TreeEntry, place: Place): boolean {
    if (this.#namesLater !== true || !place.fresh) return false
    const { dirfd, umask, own } = place
    const asked = umask === undefined ? MODE_CLOSED : entry.mode & 0o777
    const fd = openat(dirfd, HERE, O_RDWR | O_TMPFILE, asked)
    // Another file system than that of the first file, or no room: the other way tells.
    if (fd < 0) return false
    try {
      this.#deps.content.write(fd, entry)
      const mode = umask === undefined ? undefined : asked & ~umask
      this.#deps.metadata.writeOpen(fd, entry, place, { own, mode })
      this.#nameLater(fd, place)
    } finally {
      close(fd)
    }
    return true
  }

  /** @throws MaasError RESTORE_CONFLICT when the name has come up meanwhile */
  #nameLater(fd: number, place: Place): void {
    const { dirfd, name } = place
    const names = { sourceDirectory: fd, source: EMPTY, targetDirectory: dirfd, target: name }
    const status = linkat(names, AT_EMPTY_PATH)
    if (status === -E.EEXIST) throw cameUp(place.path)
    checked(status, 'link', name)
  }

  /**
   * The first file of a directory of this run gets its temporary name by a link: so it is known
   * whether that works here, before it matters. Older kernels allow it to root alone.
   */
  #openFirst({ dirfd, name, fresh }: Place): number | undefined {
    if (!fresh || this.#namesLater !== undefined) return undefined
    this.#namesLater = false
    const fd = openat(dirfd, HERE, O_RDWR | O_TMPFILE, MODE_CLOSED)
    if (fd < 0) return undefined
    const target = temporaryName(name)
    const names = { sourceDirectory: fd, source: EMPTY, targetDirectory: dirfd, target }
    if (linkat(names, AT_EMPTY_PATH) < 0) {
      close(fd)
      return undefined
    }
    this.#namesLater = true
    return fd
  }

  /** A new file under the temporary name, for reading and writing. */
  openTemporary({ dirfd, name }: Place): number {
    const temporary = temporaryName(name)
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
    const fd = openat(dirfd, temporary, flags, MODE_CLOSED)
    if (fd !== -E.EEXIST) return checked(fd, 'open', temporary)
    // Left behind by a run that was interrupted.
    removeAll(dirfd, temporary)
    return checked(openat(dirfd, temporary, flags, MODE_CLOSED), 'open', temporary)
  }

  /** What a run that was interrupted has left behind. */
  removeTemporary({ dirfd, name }: Place): void {
    removeAll(dirfd, temporaryName(name))
  }

  /** Gives what is complete its name. @throws MaasError RESTORE_CONFLICT when one has come up */
  moveIn(place: Place): void {
    const { dirfd, name } = place
    const source = temporaryName(name)
    const names = { sourceDirectory: dirfd, source, targetDirectory: dirfd, target: name }
    if (this.#deps.conflict === 'overwrite') {
      const replaced = renameat2(names)
      if (replaced !== -E.EISDIR) return void checked(replaced, 'rename', name)
      removeAll(dirfd, name)
    }
    let status = renameat2(names, RENAME_NOREPLACE)
    // File systems without that flag: the place was looked at, only a race could be lost.
    if (status === -E.EINVAL || status === -E.ENOSYS) status = renameat2(names)
    if (status === -E.EEXIST) {
      unlinkat(dirfd, source)
      throw cameUp(place.path)
    }
    checked(status, 'rename', name)
  }

  #make(place: Place, make: (name: Buffer) => number): number {
    const temporary = temporaryName(place.name)
    let status = make(temporary)
    if (status === -E.EEXIST) {
      removeAll(place.dirfd, temporary)
      status = make(temporary)
    }
    return checked(status, 'make', temporary)
  }

  /** Fifos, sockets and devices. @returns false when the machine does not let us */
  #makeSpecial(entry: TreeEntry, place: Place): boolean {
    const device = entry.device ?? { major: 0, minor: 0 }
    const temporary = temporaryName(place.name)
    const mode = (entry.mode & S_IFMT) | 0o600
    let status = mknodat(place.dirfd, temporary, mode, device)
    if (status === -E.EEXIST) {
      removeAll(place.dirfd, temporary)
      status = mknodat(place.dirfd, temporary, mode, device)
    }
    if (status === -E.EPERM || status === -E.EINVAL) {
      this.#deps.warnings.add(place.path, `cannot be made here: mknod ${errnoName(-status)}`)
      return false
    }
    checked(status, 'mknod', temporary)
    this.#deps.metadata.writeNamed(place.dirfd, temporary, entry, place)
    return true
  }

  /** Same kind and what tells that nothing is missing. */
  #isComplete(entry: TreeEntry, place: Place): boolean {
    const stat = this.#stat
    if ((stat.mode & S_IFMT) !== (entry.mode & S_IFMT)) return false
    if (entry.kind === ENTRY_KIND.symlink) {
      const length = readlinkat(place.dirfd, place.name, this.#link)
      return length >= 0 && entry.target!.equals(this.#link.subarray(0, length))
    }
    if (entry.device !== undefined) {
      const { major, minor } = entry.device
      return stat.rdevMajor === major && stat.rdevMinor === minor
    }
    if (entry.kind !== ENTRY_KIND.file && entry.kind !== ENTRY_KIND.hardLink) return true
    return (
      stat.size === entry.size && stat.mtimeSec === entry.mtimeSec && stat.mtimeNs === entry.mtimeNs
    )
  }
}

function cameUp(path: string): MaasError {
  return new MaasError('RESTORE_CONFLICT', 'a name came up in the target meanwhile', {
    path: Buffer.from(path, 'latin1').toString('utf8'),
  })
}

/** `name` → `name.~1~`, or the first number that is free. */
function renameAway({ dirfd, name, path }: Place): void {
  const bare = name.subarray(0, name.indexOf(0))
  for (let i = 1; i <= RENAME_ATTEMPTS_MAX; i += 1) {
    const suffix = Buffer.from(`.~${i}~\0`, 'latin1')
    // A name has 255 bytes at most: a long one is cut to make room.
    const target = Buffer.concat([bare.subarray(0, 256 - suffix.length), suffix])
    const names = { sourceDirectory: dirfd, source: name, targetDirectory: dirfd, target }
    const status = renameat2(names, RENAME_NOREPLACE)
    if (status !== -E.EEXIST) {
      checked(status, 'rename', name)
      return
    }
  }
  throw new MaasError('RESTORE_CONFLICT', 'no free name is left to rename to', { path })
}

/** Removes a file, or a directory with all below it, never through a link. */
export function removeAll(dirfd: number, name: Buffer): void {
  const status = unlinkat(dirfd, name)
  if (status >= 0 || status === -E.ENOENT) return
  if (status !== -E.EISDIR && status !== -E.EPERM) throw posixError(-status, 'unlink', name)
  const fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  if (fd < 0) throw posixError(fd === -E.ENOTDIR ? -status : -fd, 'unlink', name)
  try {
    const entries = readDirectory(fd)
    if (typeof entries === 'number') throw posixError(-entries, 'getdents', name)
    for (const entry of entries) removeAll(fd, cString(entry.name))
  } finally {
    close(fd)
  }
  checked(unlinkat(dirfd, name, AT_REMOVEDIR), 'rmdir', name)
}
