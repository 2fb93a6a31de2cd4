/**
 * Emits one directory: walks its names in order beside what the parent snapshot had, takes over
 * what has not changed byte for byte, and captures the rest.
 */
import { coarseNowMs } from '@openmaas/kernel/posix/coarse-clock'
import { AT_SYMLINK_NOFOLLOW, E } from '@openmaas/kernel/posix/constants'
import { readlinkat } from '@openmaas/kernel/posix/names'
import { listedLength, listedType } from '@openmaas/kernel/posix/listing'
import { STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { readXattrsAt } from '@openmaas/kernel/posix/xattr'
import {
  type BuiltDirectory,
  builtDirectory,
  DirectoryBuilder,
  directoryRef,
  type EntryOptions,
  makeLinkKey,
} from '@openmaas/pool/tree/directory-builder'
import type { EntryStat } from '@openmaas/pool/tree/entry'
import { encodeEntry } from '@openmaas/pool/tree/entry-encoder'
import { ENTRY_FLAG, ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import type { TreeNodeView } from '@openmaas/pool/tree/node-view'
import type { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { type FileStat, makeFileStat, StatxFields } from '@openmaas/source-files/file-stat'
import type { LaneCounters } from './counters.ts'
import { type CapturedFile, type FileCapture, isRacy, xattrPairs } from './file-capture.ts'
import type { LinkCollector } from './link-collector.ts'
import type { CaptureSink, DirectoryResult } from './messages.ts'
import { OldDirectory } from './old-directory.ts'
import type { Warnings } from './warnings.ts'

export const DT_DIRECTORY = 4
const S_IFMT = 0o170000
const S_IFIFO = 0o010000
const S_IFCHR = 0o020000
const S_IFDIR = 0o040000
const S_IFBLK = 0o060000
const S_IFREG = 0o100000
const S_IFLNK = 0o120000
const S_IFSOCK = 0o140000

export interface DirectoryCaptureDeps {
  readonly sink: CaptureSink
  readonly files: FileCapture
  readonly links: LinkCollector
  readonly counters: LaneCounters
  readonly warnings: Warnings
  /** The parent snapshot. */
  readonly old: TreeReader | undefined
}

export interface DirectoryRequest {
  readonly dirfd: number
  /** Bytes as latin1 characters; empty for the source itself. */
  readonly path: string
  /** As listSorted gives them. */
  readonly names: readonly string[]
  /** What became of the subdirectories among the names, in order. */
  readonly children: readonly (DirectoryResult | undefined)[]
  /** Node of the same directory in the parent snapshot. */
  readonly oldNode: Buffer | undefined
  /** Its entry there, when the node may be taken over as a whole. */
  readonly oldEntry?: TreeEntry | undefined
}

export class DirectoryCapture {
  readonly #deps: DirectoryCaptureDeps
  readonly #builder: DirectoryBuilder
  readonly #stat = makeFileStat()
  readonly #statx = new StatxFields()
  /** A name with its NUL and type. */
  readonly #name = Buffer.alloc(264)
  readonly #target = Buffer.alloc(4096)
  readonly owners = { uids: new Set<number>(), gids: new Set<number>() }
  /** What the name that is being captured was before, when that helps the sink. */
  #old: TreeEntry | undefined
  #lastUid = -1
  #lastGid = -1

  constructor(deps: DirectoryCaptureDeps) {
    this.#deps = deps
    this.#builder = new DirectoryBuilder(deps.sink)
  }

  capture(request: DirectoryRequest): BuiltDirectory {
    const { old: reader } = this.#deps
    const { names, oldNode, oldEntry } = request
    const open = (): OldDirectory | undefined =>
      reader !== undefined && oldNode !== undefined ? new OldDirectory(reader, oldNode) : undefined
    let old = open()
    if (old !== undefined && oldEntry !== undefined) {
      if (this.#isUnchanged(request, old)) return builtDirectory(oldEntry)
      old = open()
    }
    let child = 0
    for (let i = 0; i < names.length; i += 1) {
      const listed = names[i]!
      this.#name.write(listed, 0, 'latin1')
      const name = this.#name.subarray(0, listedLength(listed))
      if (listedType(listed) === DT_DIRECTORY) {
        this.#addDirectory(name, request.children[child])
        child += 1
      } else this.#addOther(request, name, listed, old)
    }
    this.#deps.counters.add('entries', names.length)
    return this.#builder.finish()
  }

  /**
   * True when every name is there with the entry it had: the old node, which the parent snapshot
   * keeps in the pool, stands for the directory as it is now. Most directories of most runs end
   * here. Subdirectories and files with several names are left to the long way.
   */
  #isUnchanged({ dirfd, names }: DirectoryRequest, old: OldDirectory): boolean {
    const stat = this.#stat
    let files = 0
    let bytes = 0
    for (let i = 0; i < names.length; i += 1) {
      const listed = names[i]!
      if (old.isEnded || listedType(listed) === DT_DIRECTORY) return false
      this.#name.write(listed, 0, 'latin1')
      const { view, index } = old
      if (!view.hasName(index, this.#name, listedLength(listed))) return false
      const flags = AT_SYMLINK_NOFOLLOW
      if (statx(dirfd, this.#name, flags, STATX_BASIC_STATS, this.#statx.bytes) < 0) return false
      this.#statx.fill(stat)
      if (stat.nlink > 1 || !isSame(view, index, stat)) return false
      this.noteOwner(stat.uid, stat.gid)
      if ((stat.mode & S_IFMT) === S_IFREG) {
        files += 1
        bytes += stat.size
      }
      old.next()
    }
    if (!old.isEnded) return false
    const { counters } = this.#deps
    counters.add('entries', names.length)
    counters.add('files', files)
    counters.add('unchangedFiles', files)
    counters.add('bytes', bytes)
    return true
  }

  #addDirectory(name: Buffer, result: DirectoryResult | undefined): void {
    if (result === undefined) return
    const { stat, built, xattrs } = result
    this.noteOwner(stat.uid, stat.gid)
    this.#builder.addDirectory(name, stat, directoryRef(built, xattrs), { xattrs })
  }

  #addOther(
    request: DirectoryRequest,
    name: Buffer,
    listed: string,
    old: OldDirectory | undefined,
  ): void {
    const stat = this.#stat
    const status = statx(
      request.dirfd,
      this.#name,
      AT_SYMLINK_NOFOLLOW,
      STATX_BASIC_STATS,
      this.#statx.bytes,
    )
    if (status < 0) {
      this.#deps.warnings.failed(-status, 'statx', pathOf(request, listed))
      return
    }
    this.#statx.fill(stat)
    this.noteOwner(stat.uid, stat.gid)
    this.#old = undefined
    if (old !== undefined && old.seek(name)) {
      if (this.#takeOver(old, stat)) return
      this.#old = oldFile(old, this.#deps.sink)
    }
    const linked = stat.nlink > 1
    if (!linked) this.#addNew(this.#builder, request.dirfd, name, pathOf(request, listed))
    else this.#addLinked(request.dirfd, name, pathOf(request, listed))
  }

  /** @returns true when the old entry stands for the file as it is now */
  #takeOver(old: OldDirectory, stat: FileStat): boolean {
    const { view, index } = old
    if (!isSame(view, index, stat)) return false
    const kind = view.kindAt(index)
    if ((kind === ENTRY_KIND.hardLink) !== stat.nlink > 1) return false
    const link = kind === ENTRY_KIND.hardLink ? this.#takeOverLink(old, stat) : 'first'
    if (link === 'changed') return false
    this.#builder.copyUnchanged(view, index)
    if ((stat.mode & S_IFMT) === S_IFREG) {
      const { counters } = this.#deps
      counters.add('files', 1)
      counters.add('unchangedFiles', 1)
      // As in the weights: the bytes of a file count once, whatever the number of its names.
      if (link === 'first') counters.add('bytes', stat.size)
    }
    return true
  }

  #takeOverLink(old: OldDirectory, stat: FileStat): 'first' | 'another' | 'changed' {
    const entry = old.view.entryAt(old.index)
    const key = linkKeyOf(stat)
    if (!key.equals(entry.linkKey!)) return 'changed'
    const { links, old: reader } = this.#deps
    if (links.count(key)) return 'another'
    const inode = reader!.resolve(entry)
    // The name's own stat may be younger than the inode's, which another name brought.
    const captured = sameTimes(inode, stat) && (inode.flags & ENTRY_FLAG.uncertain) === 0
    if (!captured) return 'changed'
    links.add(inode.raw)
    return 'first'
  }

  #addLinked(dirfd: number, name: Buffer, path: string): void {
    const { links, sink } = this.#deps
    const key = linkKeyOf(this.#stat)
    const { mode } = this.#stat
    if (!links.count(key)) {
      let added = false
      const entry = encodeEntry(sink, (builder) => {
        added = this.#addNew(builder, dirfd, key, path)
        // The encoder wants one entry; an empty one stands in for what could not be read.
        if (!added) builder.addSocket(key, this.#stat)
      })
      if (!added) return
      links.add(entry)
    } else if ((mode & S_IFMT) === S_IFREG) this.#deps.counters.add('files', 1)
    this.#builder.addHardLink(name, this.#stat, key)
  }

  /**
   * Adds what `#stat` describes and `#name` names to a builder, under that name.
   *
   * @returns false when it cannot be captured: the warning is given
   */
  #addNew(builder: DirectoryBuilder, dirfd: number, name: Buffer, path: string): boolean {
    const stat = this.#stat
    switch (stat.mode & S_IFMT) {
      case S_IFREG:
        return this.#addFile(builder, dirfd, name, path)
      case S_IFLNK:
        return this.#addSymlink(builder, dirfd, name, path)
      case S_IFDIR:
        this.#deps.warnings.add('changed', path, 'became a directory while its directory was read')
        return false
      case S_IFIFO:
        builder.addFifo(name, stat, this.#named(dirfd, path))
        return true
      case S_IFSOCK:
        builder.addSocket(name, stat, this.#named(dirfd, path))
        return true
      case S_IFCHR:
      case S_IFBLK: {
        const block = (stat.mode & S_IFMT) === S_IFBLK
        const device = { major: stat.rdevMajor, minor: stat.rdevMinor, block }
        builder.addDevice(name, stat, device, this.#named(dirfd, path))
        return true
      }
      default:
        this.#deps.warnings.add('unsupported', path, 'is of an unknown kind')
        return false
    }
  }

  #addFile(builder: DirectoryBuilder, dirfd: number, name: Buffer, path: string): boolean {
    const { counters, files } = this.#deps
    const stat = this.#stat
    if (stat.size === 0) {
      // Nothing to read, so nothing to open.
      builder.addFile(name, stat, undefined, this.#named(dirfd, path))
      counters.add('files', 1)
      return true
    }
    const captured: CapturedFile | undefined = files.capture(dirfd, this.#name, {
      path,
      stat,
      old: this.#old,
    })
    if (captured === undefined) return false
    const { content, xattrs, changed, racy } = captured
    stat.size = captured.size
    builder.addFile(name, stat, content, { xattrs, uncertain: racy || changed })
    counters.add('files', 1)
    counters.add('bytes', captured.size)
    return true
  }

  #addSymlink(builder: DirectoryBuilder, dirfd: number, name: Buffer, path: string): boolean {
    const options = this.#named(dirfd, path)
    const length = readlinkat(dirfd, this.#name, this.#target)
    if (length < 0) {
      // EINVAL: it is no link any more.
      this.#deps.warnings.failed(length === -E.EINVAL ? E.ENOENT : -length, 'readlink', path)
      return false
    }
    const target = this.#target.subarray(0, length)
    builder.addSymlink(name, this.#stat, target, options)
    return true
  }

  /** What else there is of something that is not opened: only a path reaches it. */
  #named(dirfd: number, path: string): EntryOptions {
    // Another may stand there before the clock ticks, with the inode number of this one.
    const uncertain = isRacy(this.#stat, coarseNowMs())
    const xattrs = xattrPairs(readXattrsAt(dirfd, this.#name), path, this.#deps.warnings)
    return { xattrs, uncertain }
  }

  /** Remembered for the names of owners in the manifest. */
  noteOwner(uid: number, gid: number): void {
    if (uid !== this.#lastUid) this.owners.uids.add((this.#lastUid = uid))
    if (gid !== this.#lastGid) this.owners.gids.add((this.#lastGid = gid))
  }
}

/** No directory, and nothing says that it changed since, or that it may have. */
function isSame(view: TreeNodeView, index: number, stat: FileStat): boolean {
  if (!view.statMatches(index, stat)) return false
  if ((view.flagsAt(index) & ENTRY_FLAG.uncertain) !== 0) return false
  return view.kindAt(index) !== ENTRY_KIND.directory
}

/** Costs a decoding, so only where somebody makes use of it. */
function oldFile({ view, index }: OldDirectory, sink: CaptureSink): TreeEntry | undefined {
  if (sink.expect === undefined || view.kindAt(index) !== ENTRY_KIND.file) return undefined
  return view.entryAt(index)
}

function pathOf({ path }: DirectoryRequest, listed: string): string {
  const name = listed.slice(0, listedLength(listed))
  return path === '' ? name : `${path}/${name}`
}

function sameTimes(a: EntryStat, b: EntryStat): boolean {
  return (
    a.ctimeNs === b.ctimeNs &&
    a.ctimeSec === b.ctimeSec &&
    a.mtimeNs === b.mtimeNs &&
    a.mtimeSec === b.mtimeSec &&
    a.size === b.size
  )
}

function linkKeyOf(stat: FileStat): Buffer {
  return makeLinkKey(
    { major: stat.deviceMajor, minor: stat.deviceMinor },
    stat.inoLow,
    stat.inoHigh,
  )
}
