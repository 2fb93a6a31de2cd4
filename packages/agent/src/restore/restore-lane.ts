/** The part of a restore that one lane does: units of entries, and segments of large files. */
import { openBeneath } from '@openmaas/kernel/posix/beneath'
import { E, O_DIRECTORY, O_RDONLY, O_RDWR } from '@openmaas/kernel/posix/constants'
import { close } from '@openmaas/kernel/posix/files'
import { checked } from '@openmaas/kernel/posix/library'
import { fstatx, makeStatx, STATX_BASIC_STATS, statxGid } from '@openmaas/kernel/posix/statx'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { decodeEntry, type TreeEntry } from '@openmaas/pool/tree/entry'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { ContentWriter } from './content-writer.ts'
import { RestoreCounters } from './counters.ts'
import { EntryRestorer } from './entry-restorer.ts'
import { DIRECTORY_STATE, type LargeFileTask, type RestoreSetup } from './messages.ts'
import { MetadataWriter } from './metadata.ts'
import { RestoreWarnings } from './warnings.ts'
import {
  joinName,
  LARGE_FILE_SIZE_MIN,
  plainName,
  type RestoreRoot,
  type RestoreUnit,
  restoreUnits,
} from './walk.ts'

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

export class RestoreLane {
  readonly #targetFd: number
  readonly #statx = makeStatx()
  readonly #control: Int32Array
  readonly #directories: Uint8Array
  readonly #roots: readonly RestoreRoot[]
  readonly reader: TreeReader
  readonly counters: RestoreCounters
  readonly warnings = new RestoreWarnings()
  readonly content: ContentWriter
  readonly metadata: MetadataWriter
  readonly entries: EntryRestorer

  constructor(setup: RestoreSetup, targetFd: number, chunks: ChunkReader) {
    this.#targetFd = targetFd
    this.#control = new Int32Array(setup.control)
    this.#directories = new Uint8Array(setup.directories)
    this.#roots = reviveRoots(setup.roots)
    this.reader = new TreeReader(chunks, Buffer.from(setup.treeRoot))
    this.counters = new RestoreCounters(setup.counters, setup.lane)
    this.content = new ContentWriter(chunks, (count) => this.counters.add('bytes', count))
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
      for (let i = begin; i < end; i += 1) {
        const entry = root?.entry ?? node!.entryAt(i)
        const name = root === undefined ? entry.name : Buffer.from(root.name, 'latin1')
        this.#restoreEntry(entry, name, { dirfd, directory: directory.path, fresh, own })
      }
    } finally {
      close(dirfd)
    }
  }

  /** A set-group-id directory, or a mount with grpid, gives its own group to what is made in it. */
  #givesOwnGroup(dirfd: number): boolean {
    fstatx(dirfd, STATX_BASIC_STATS, this.#statx)
    return statxGid(this.#statx) === process.getegid?.()
  }

  #restoreEntry(
    entry: TreeEntry,
    name: Buffer,
    where: {
      readonly dirfd: number
      readonly directory: string
      readonly fresh: boolean
      readonly own: boolean
    },
  ): void {
    // Directories were made before; links and large files come after.
    if (entry.kind === ENTRY_KIND.directory || entry.kind === ENTRY_KIND.hardLink) return
    const isFile = entry.kind === ENTRY_KIND.file
    if (isFile && entry.size >= LARGE_FILE_SIZE_MIN) return
    const path = joinName(where.directory, name.toString('latin1'))
    const place = {
      dirfd: where.dirfd,
      name: plainName(name),
      path,
      fresh: where.fresh,
      own: where.own,
    }
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
