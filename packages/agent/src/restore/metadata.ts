/**
 * Puts owner, extended attributes, mode and times on what was restored, in this order: a change of
 * owner clears set-id bits and capabilities, an ACL changes the mode, and times come last.
 */
import { errnoName } from '@openmaas/kernel/fs-errors'
import { AT_FDCWD, E } from '@openmaas/kernel/posix/constants'
import { groupId, userId } from '@openmaas/kernel/posix/identity'
import { cString } from '@openmaas/kernel/posix/library'
import {
  fchmod,
  fchmodat,
  fchown,
  fchownat,
  futimens,
  utimensat,
} from '@openmaas/kernel/posix/names'
import { pathBeneath, readXattrs, removexattr, setxattr } from '@openmaas/kernel/posix/xattr'
import { ENTRY_KIND, ENTRY_FLAG } from '@openmaas/pool/tree/entry-layout'
import type { EntryStat, TreeEntry } from '@openmaas/pool/tree/entry'
import type { XattrPair } from '@openmaas/pool/tree/footprint'
import type { OwnerNames } from './messages.ts'
import type { RestoreWarnings } from './warnings.ts'

const S_ISUID = 0o4000
const S_ISGID = 0o2000
const PERMISSIONS = 0o7777

export interface MetadataOptions {
  readonly owners: OwnerNames | undefined
  readonly removeAcls: boolean
  readonly xattrs: (entry: TreeEntry) => readonly XattrPair[]
  readonly warnings: RestoreWarnings
}

/** Whose metadata it is, for messages: bytes of the path from the target as latin1 characters. */
export interface Named {
  readonly path: string
}

/** What creation gave a file. */
export interface MadeFile {
  /** Owner and group are those of this process. */
  readonly own: boolean
  readonly mode?: number | undefined
}

const NOT_KNOWN: MadeFile = { own: false }

export class MetadataWriter {
  readonly #options: MetadataOptions
  readonly #uids = new Map<number, number>()
  readonly #gids = new Map<number, number>()
  readonly #ownUid = process.geteuid?.() ?? -1
  readonly #ownGid = process.getegid?.() ?? -1

  constructor(options: MetadataOptions) {
    this.#options = options
  }

  /**
   * Of an open file or directory.
   *
   * @param made what it has already
   */
  writeOpen(fd: number, entry: TreeEntry, place: Named, made: MadeFile = NOT_KNOWN): void {
    const { owners, removeAcls } = this.#options
    let chowned = false
    if (owners !== undefined) {
      const owner = this.#ownerOf(entry, owners)
      chowned =
        (made.own && owner.uid === this.#ownUid && owner.gid === this.#ownGid) ||
        this.#checked(fchown(fd, owner), 'owner', place)
    }
    if (removeAcls) this.#removeAcls(fd, entry)
    if (hasXattrs(entry)) this.#setXattrs(fd, entry, place)
    const mode = this.#modeOf(entry, chowned)
    // An ACL changes the mode behind our back.
    const isSet = mode === made.mode && !hasXattrs(entry)
    if (!isSet) this.#checked(fchmod(fd, mode), 'mode', place)
    this.#checked(futimens(fd, timeOf(entry), timeOf(entry)), 'times', place)
  }

  /** Of a symlink, fifo, socket or device just made under that name. */
  writeNamed(dirfd: number, name: Buffer, entry: TreeEntry, place: Named): void {
    const { owners } = this.#options
    let chowned = false
    if (owners !== undefined) {
      const owner = this.#ownerOf(entry, owners)
      chowned = this.#checked(fchownat(dirfd, name, owner), 'owner', place)
    }
    if (hasXattrs(entry)) this.#setXattrs(pathBeneath(dirfd, name), entry, place)
    if (entry.kind !== ENTRY_KIND.symlink) {
      // Links have no mode; nothing else that was just made here can be one.
      const mode = this.#modeOf(entry, chowned)
      this.#checked(fchmodat(AT_FDCWD, pathBeneath(dirfd, name), mode), 'mode', place)
    }
    this.#checked(utimensat(dirfd, name, timeOf(entry), timeOf(entry)), 'times', place)
  }

  /** Set-id bits for an owner who is not the recorded one would give away rights. */
  #modeOf(entry: EntryStat, chowned: boolean): number {
    const mode = entry.mode & PERMISSIONS
    return chowned || entry.uid === this.#ownUid ? mode : mode & ~(S_ISUID | S_ISGID)
  }

  #ownerOf(entry: EntryStat, owners: OwnerNames): { uid: number; gid: number } {
    const uid = mapped(this.#uids, entry.uid, owners.users, userId)
    const gid = mapped(this.#gids, entry.gid, owners.groups, groupId)
    return { uid, gid }
  }

  #setXattrs(file: number | Buffer, entry: TreeEntry, place: Named): void {
    for (const { name, value } of this.#options.xattrs(entry)) {
      const status = setxattr(file, cString(name), value)
      this.#checked(status, `attribute ${name.toString()}`, place)
    }
  }

  /** An ACL inherited from the target's directory is not part of the snapshot. */
  #removeAcls(fd: number, entry: TreeEntry): void {
    const found = readXattrs(fd)
    if (typeof found === 'number') return
    const wanted = hasXattrs(entry) ? this.#options.xattrs(entry) : []
    for (const [name] of found) {
      if (!name.toString('latin1').startsWith('system.posix_acl_')) continue
      if (!wanted.some((pair) => pair.name.equals(name))) removexattr(fd, cString(name))
    }
  }

  #checked(status: number, what: string, place: Named): boolean {
    if (status >= 0) return true
    const errno = -status
    const denied = errno === E.EPERM || errno === E.EOPNOTSUPP || errno === E.EACCES
    const reason = denied ? 'is not permitted or not supported there' : 'failed'
    this.#options.warnings.add(place.path, `setting its ${what} ${reason}: ${errnoName(errno)}`)
    return false
  }
}

function hasXattrs(entry: TreeEntry): boolean {
  return (entry.flags & (ENTRY_FLAG.xattrs | ENTRY_FLAG.xattrsExternal)) !== 0
}

function timeOf(entry: EntryStat): { seconds: number; nanoseconds: number } {
  return { seconds: entry.mtimeSec, nanoseconds: entry.mtimeNs }
}

function mapped(
  known: Map<number, number>,
  id: number,
  names: Readonly<Record<string, string>>,
  look: (name: string) => number | undefined,
): number {
  let here = known.get(id)
  if (here === undefined) {
    const name = names[String(id)]
    here = (name === undefined ? undefined : look(name)) ?? id
    known.set(id, here)
  }
  return here
}
