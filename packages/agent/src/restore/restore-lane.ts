/** The part of a restore that one lane does: units of entries, and segments of large files. */
import { readFileSync } from 'node:fs'
import { openBeneath } from '@openmaas/kernel/posix/beneath'
import { E, O_DIRECTORY, O_RDONLY, O_RDWR } from '@openmaas/kernel/posix/constants'
import { close } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { getxattr } from '@openmaas/kernel/posix/xattr'
import { fstatx, makeStatx, STATX_BASIC_STATS, statxGid } from '@openmaas/kernel/posix/statx'
import { MaasError } from '@openmaas/kernel/errors'
import { Throttle } from '@openmaas/kernel/throttle'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { decodeEntry, type TreeEntry } from '@openmaas/pool/tree/entry'
import type { TreeNodeView } from '@openmaas/pool/tree/node-view'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { ContentWriter } from './content-writer.ts'
import { RestoreCounters } from './counters.ts'
import { EntryRestorer, type Place } from './entry-restorer.ts'
import { DIRECTORY_STATE, type LargeFileTask, type RestoreSetup } from './messages.ts'
import { MetadataWriter } from './metadata.ts'
import type { RestoreSource } from './source.ts'
import { RestoreWarnings } from './warnings.ts'
import {
  joinName,
  LARGE_FILE_SIZE_MIN,
  plainName,
  type RestoreRoot,
  type RestoreUnit,
  restoreUnits,
} from './walk.ts'

const DEFAULT_ACL = cString('system.posix_acl_default')

/** Of a large file; a lane takes one at a time. */
const SEGMENT_SIZE = 16 << 20

export function reviveRoots(roots: RestoreSetup['roots']): RestoreRoot[] {
  return roots.map(({ raw, name }) => {
    const bytes = Buffer.from(raw)
    return { raw: bytes, entry: decodeEntry(bytes, 0), name }
  })
}

/** @throws MaasError RESTORE_ESCAPE when a link stands on the way; FS_* */
export function openTargetDirectory(targetFd: number, path: string): number {
  const fd = openBeneath(targetFd, Buffer.from(path, 'latin1'), O_RDONLY | O_DIRECTORY)
  if (fd === -E.ELOOP || fd === -E.EXDEV || fd === -E.ENOTDIR) {
    const shown = Buffer.from(path, 'latin1').toString('utf8')
    throw new MaasError('RESTORE_ESCAPE', `${shown} leads out of the target`, { path: shown })
  }
  return checked(fd, 'open', Buffer.from(path, 'latin1'))
}

interface DirectoryPlace extends Omit<Place, 'name' | 'path'> {
  /** From the target, bytes as latin1 characters. */
  readonly directory: string
}

/** The path is for messages: most entries never need it. */
class EntryPlace implements Place {
  readonly dirfd: number
  readonly name: Buffer
  readonly fresh: boolean
  readonly own: boolean
  readonly umask: number | undefined
  readonly #directory: string

  constructor({ dirfd, fresh, own, umask, directory }: DirectoryPlace, name: Buffer) {
    this.dirfd = dirfd
    this.name = name
    this.fresh = fresh
    this.own = own
    this.umask = umask
    this.#directory = directory
  }

  get path(): string {
    return joinName(this.#directory, this.name.toString('latin1', 0, this.name.length - 1))
  }
}

/** Entries announced at a time, and how far ahead. */
const ANNOUNCE_STEP = 16
const ANNOUNCE_COUNT = 48

export class RestoreLane {
  readonly #targetFd: number
  readonly #chunks: RestoreSource
  readonly #statx = makeStatx()
  readonly #control: Int32Array
  readonly #directories: Uint8Array
  readonly #roots: readonly RestoreRoot[]
  readonly #umask = readUmask()
  readonly #acl = Buffer.alloc(1)
  readonly reader: TreeReader
  readonly counters: RestoreCounters
  readonly warnings = new RestoreWarnings()
  readonly content: ContentWriter
  readonly metadata: MetadataWriter
  readonly entries: EntryRestorer

  constructor(setup: RestoreSetup, targetFd: number, chunks: RestoreSource) {
    this.#targetFd = targetFd
    this.#chunks = chunks
    this.#control = new Int32Array(setup.control)
    this.#directories = new Uint8Array(setup.directories)
    this.#roots = reviveRoots(setup.roots)
    this.reader = new TreeReader(chunks, Buffer.from(setup.treeRoot))
    this.counters = new RestoreCounters(setup.counters, setup.lane)
    const throttle = setup.throttle && new Throttle(setup.throttle)
    this.content = new ContentWriter(chunks, (count) => {
      this.counters.add('bytes', count)
      throttle?.passSync(count, () => this.isOver)
    })
    const { owners, removeAcls, conflict } = setup
    const { warnings } = this
    const xattrs = (entry: TreeEntry) => this.reader.xattrs(entry)
    this.metadata = new MetadataWriter({ owners, removeAcls, xattrs, warnings })
    this.entries = new EntryRestorer({
      content: this.content,
      metadata: this.metadata,
      warnings,
      conflict,
    })
  }

  get roots(): readonly RestoreRoot[] {
    return this.#roots
  }

  get isOver(): boolean {
    return Atomics.load(this.#control, 1) !== 0
  }

  /** Some lane has left out a large file. */
  get sawLargeFiles(): boolean {
    return Atomics.load(this.#control, 2) !== 0
  }

  /** Restores units until every one is claimed by some lane. */
  restoreUnits(): void {
    let mine = Atomics.add(this.#control, 0, 1)
    for (const unit of restoreUnits(this.reader, this.#roots)) {
      if (unit.number < mine) continue
      if (this.isOver) return
      this.#restoreUnit(unit)
      this.counters.set('warnings', this.warnings.count)
      mine = Atomics.add(this.#control, 0, 1)
    }
  }

  stateOf(index: number): number {
    return this.#directories[index]!
  }

  #restoreUnit(unit: RestoreUnit): void {
    const { directory, node, begin, end, root } = unit
    const state = this.stateOf(directory.index)
    if (state === DIRECTORY_STATE.skipped) {
      this.counters.add('skipped', end - begin)
      return
    }
    const fresh = state === DIRECTORY_STATE.fresh
    const dirfd = openTargetDirectory(this.#targetFd, directory.path)
    try {
      const own = fresh && this.#givesOwnGroup(dirfd)
      const umask = fresh ? this.#umaskIn(dirfd) : undefined
      for (let i = begin; i < end; i += 1) {
        if (node !== undefined && (i - begin) % ANNOUNCE_STEP === 0) this.#announce(node, i, end)
        const entry = root?.entry ?? node!.entryAt(i)
        const name = root === undefined ? entry.name : Buffer.from(root.name, 'latin1')
        this.#restoreEntry(entry, name, {
          dirfd,
          directory: directory.path,
          fresh,
          own,
          umask,
        })
      }
    } finally {
      close(dirfd)
    }
  }

  /** Says which small files come next, where asking one by one is slow. */
  #announce(node: TreeNodeView, begin: number, end: number): void {
    if (this.#chunks.readAhead === undefined) return
    const ids: Buffer[] = []
    for (let i = begin; i < Math.min(end, begin + ANNOUNCE_COUNT); i += 1) {
      if (node.kindAt(i) !== ENTRY_KIND.file || node.sizeAt(i) >= LARGE_FILE_SIZE_MIN) continue
      const { content } = node.entryAt(i)
      if (content !== undefined) ids.push(content.id)
    }
    this.#chunks.readAhead(ids)
  }

  /** A set-group-id directory, or a mount with grpid, gives its own group to what is made in it. */
  #givesOwnGroup(dirfd: number): boolean {
    fstatx(dirfd, STATX_BASIC_STATS, this.#statx)
    return statxGid(this.#statx) === process.getegid?.()
  }

  /** A default ACL takes the place of the umask. */
  #umaskIn(dirfd: number): number | undefined {
    const found = getxattr(dirfd, DEFAULT_ACL, this.#acl)
    return found === -E.ENODATA || found === -E.EOPNOTSUPP ? this.#umask : undefined
  }

  #restoreEntry(entry: TreeEntry, name: Buffer, where: DirectoryPlace): void {
    // Directories were made before; links and large files come after.
    if (entry.kind === ENTRY_KIND.directory || entry.kind === ENTRY_KIND.hardLink) return
    const isFile = entry.kind === ENTRY_KIND.file
    if (isFile && entry.size >= LARGE_FILE_SIZE_MIN) {
      Atomics.store(this.#control, 2, 1)
      return
    }
    const place = new EntryPlace(where, plainName(name))
    const outcome = this.entries.restore(entry, place)
    this.counters.add('entries', 1)
    if (outcome !== 'restored') this.counters.add('skipped', 1)
    if (isFile) this.counters.add('files', 1)
  }

  /** Writes segments of a file that is open under its temporary name. */
  writeLarge({ path, raw, next }: LargeFileTask): void {
    const entry = decodeEntry(Buffer.from(raw), 0)
    const words = new Int32Array(next)
    const flags = O_RDWR
    const fd = checked(openBeneath(this.#targetFd, Buffer.from(path, 'latin1'), flags), 'open')
    try {
      for (;;) {
        const start = Atomics.add(words, 0, 1) * SEGMENT_SIZE
        if (start >= entry.size || this.isOver) return
        this.content.write(fd, entry, start, Math.min(entry.size, start + SEGMENT_SIZE))
      }
    } finally {
      close(fd)
    }
  }
}

/** @returns undefined where the kernel does not say: reading it by umask(2) would change it */
function readUmask(): number | undefined {
  try {
    const text = readFileSync('/proc/thread-self/status', 'latin1')
    const digits = /^Umask:\s+([0-7]+)$/m.exec(text)?.[1]
    return digits === undefined ? undefined : Number.parseInt(digits, 8)
  } catch {
    return undefined
  }
}
