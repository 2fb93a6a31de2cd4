/**
 * One lane: captures directories depth first, gives work away when others have none.
 *
 *   scan a directory ─▶ no subdirectories: emit it at once
 *                   └─▶ a frame on the stack; its subdirectories first, then the frame is emitted
 *
 * The frame at the bottom of the stack has the largest subtrees left: its next one is what an idle
 * lane gets. A frame that only waits for given-away subtrees leaves the stack and is emitted when
 * their results come back. Memory: the names along one path, for each level.
 */
import { assert } from '@openmaas/kernel/assert'
import { openBeneath } from '@openmaas/kernel/posix/beneath'
import { O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close } from '@openmaas/kernel/posix/files'
import { listedLength, listedType, listSorted } from '@openmaas/kernel/posix/listing'
import { AT_SYMLINK_NOFOLLOW, E } from '@openmaas/kernel/posix/constants'
import { fstatx, STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { readXattrs } from '@openmaas/kernel/posix/xattr'
import type { Chunker } from '@openmaas/pool/chunker/chunker'
import { directoryRef } from '@openmaas/pool/tree/directory-builder'
import { decodeEntry, type EntryStat, type TreeEntry } from '@openmaas/pool/tree/entry'
import type { XattrPair } from '@openmaas/pool/tree/footprint'
import { sumSnapshot, writeTreeRoot } from '@openmaas/pool/tree/root'
import type { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { ContentCapture } from '@openmaas/source-files/content-capture'
import { type FileStat, makeFileStat, StatxFields } from '@openmaas/source-files/file-stat'
import { Rules } from '@openmaas/source-files/rules'
import { LaneCounters } from './counters.ts'
import { DirectoryCapture, DT_DIRECTORY } from './directory-capture.ts'
import { FileCapture, xattrPairs } from './file-capture.ts'
import { LargeFile, wantsHelp } from './large-file.ts'
import { LinkCollector } from './link-collector.ts'
import {
  asBuffer,
  type CaptureSink,
  type DeviceInode,
  type DirectoryResult,
  type DirectoryTask,
  type FinishRequest,
  type RootResult,
  type FromLane,
  type LaneReport,
  type LaneSetup,
  type LargeFileOffer,
  reviveResult,
} from './messages.ts'
import { oldDirectoryEntry } from './old-directory.ts'
import { Warnings } from './warnings.ts'

const DT_UNKNOWN = 0
const S_IFMT = 0o170000
const S_IFDIR = 0o040000
const DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY

/** Who waits for a directory: a frame of this lane, or whoever sent the ticket. */
type Waiting = { readonly frame: Frame; readonly index: number } | { readonly ticket: number }

interface Frame {
  readonly path: string
  readonly names: readonly string[]
  /** Positions in `names` of the subdirectories. */
  readonly subdirectories: readonly number[]
  readonly children: (DirectoryResult | undefined)[]
  readonly stat: FileStat
  readonly xattrs: readonly XattrPair[]
  readonly old: TreeEntry | undefined
  readonly waiting: Waiting
  /** Subdirectories begun, and how many of them have not come back. */
  next: number
  pending: number
  onStack: boolean
}

export interface LaneDeps {
  /** Directory of the source. */
  readonly rootFd: number
  readonly sink: CaptureSink
  readonly chunker: Chunker
  readonly old: TreeReader | undefined
  readonly post: (message: FromLane) => void
  /** What the sink has stored so far. */
  readonly stored: () => { readonly newBytes: number; readonly storedBytes: number }
}

export class CaptureLane {
  readonly #setup: LaneSetup
  readonly #deps: LaneDeps
  readonly #rules: Rules
  readonly #counters: LaneCounters
  readonly #warnings: Warnings
  readonly #links = new LinkCollector()
  readonly #content: ContentCapture
  readonly #files: FileCapture
  readonly #directories: DirectoryCapture
  readonly #hungry: Int32Array
  readonly #statx = new StatxFields()
  readonly #stack: Frame[] = []
  readonly #givenAway = new Map<number, Waiting & { frame: Frame }>()
  #nextTicket = 0
  readonly #root = makeFileStat()

  constructor(setup: LaneSetup, deps: LaneDeps) {
    this.#setup = setup
    this.#deps = deps
    this.#rules = new Rules(setup.rules)
    this.#hungry = new Int32Array(setup.hungry)
    this.#counters = new LaneCounters(setup.counters, setup.lane)
    this.#warnings = new Warnings(this.#counters)
    const { sink } = deps
    const [counters, warnings, links] = [this.#counters, this.#warnings, this.#links]
    this.#content = new ContentCapture(sink, deps.chunker)
    const offer = (file: LargeFileOffer) => deps.post({ kind: 'helpWanted', offer: file })
    this.#files = new FileCapture({ sink, content: this.#content, warnings, offer })
    const files = this.#files
    this.#directories = new DirectoryCapture({
      sink,
      files,
      links,
      counters,
      warnings,
      old: deps.old,
    })
    fstatx(deps.rootFd, STATX_BASIC_STATS, this.#statx.bytes)
    this.#statx.fill(this.#root)
  }

  /** Writes the link table of all lanes and the root record. */
  finish({ root, links }: FinishRequest): RootResult {
    const result = reviveResult(root)!
    for (const batch of links) this.#links.addBatch(batch)
    const { sink } = this.#deps
    const { stat, xattrs } = result
    const directory = directoryRef(result.built, xattrs)
    const table = this.#links.write(sink)
    const id = writeTreeRoot(sink, { stat, directory, xattrs, links: table })
    return { id, weights: sumSnapshot(directory, table) }
  }

  addTask(task: DirectoryTask, ticket: number): void {
    const root = task.path === '' ? this.#deps.old?.rootEntry.raw : undefined
    this.#open({ path: task.path, oldEntry: root ?? task.oldEntry }, { ticket })
  }

  /** A subtree that was given away has come back. */
  addResult(ticket: number, result: DirectoryResult | undefined): void {
    const waiting = this.#givenAway.get(ticket)
    assert(waiting !== undefined, 'a result answers a task that was given away')
    this.#givenAway.delete(ticket)
    this.#deliver(waiting, reviveResult(result))
  }

  /** Captures segments of another lane's file until none is left. */
  help(offer: LargeFileOffer): void {
    if (!wantsHelp(offer.memory)) return
    const slash = offer.path.lastIndexOf('/')
    const dirfd = openBeneath(
      this.#deps.rootFd,
      latin1(offer.path.slice(0, Math.max(0, slash))),
      DIRECTORY_FLAGS,
    )
    // Gone meanwhile: the owner still has it open and does the rest.
    if (dirfd < 0) return
    const fd = this.#files.open(dirfd, latin1(`${offer.path.slice(slash + 1)}\0`))
    close(dirfd)
    if (fd < 0) return
    try {
      // Replaced since its owner opened it: segments of two files would make none.
      if (!this.#isFile(fd, offer.file)) return
      if (offer.old !== undefined) this.#deps.sink.expect?.(decodeEntry(asBuffer(offer.old), 0))
      new LargeFile(offer).help(this.#content, fd)
    } finally {
      close(fd)
      this.#updateCounters()
    }
  }

  #isFile(fd: number, file: DeviceInode): boolean {
    const stat = makeFileStat()
    fstatx(fd, STATX_BASIC_STATS, this.#statx.bytes)
    this.#statx.fill(stat)
    return sameInode(file, stat)
  }

  /** Does one piece of work. @returns false when there is none, though results may be awaited */
  step(): boolean {
    const frame = this.#stack.at(-1)
    if (frame === undefined) return false
    if (frame.next < frame.subdirectories.length) {
      this.#giveAway()
      if (frame.next < frame.subdirectories.length) {
        const index = this.#takeNext(frame)
        this.#open(this.#taskOf(frame, index), { frame, index })
      }
      return true
    }
    this.#stack.pop()
    frame.onStack = false
    if (frame.pending === 0) this.#complete(frame)
    return true
  }

  /** For the coordinator, when the run ends. */
  report(): LaneReport {
    this.#updateCounters()
    const { owners } = this.#directories
    return {
      links: this.#links.batch(),
      warnings: this.#warnings.kept,
      warningCount: this.#warnings.count,
      uids: [...owners.uids],
      gids: [...owners.gids],
    }
  }

  #takeNext(frame: Frame): number {
    const index = frame.next
    frame.next += 1
    frame.pending += 1
    return index
  }

  #taskOf(frame: Frame, index: number): DirectoryTask {
    const listed = frame.names[frame.subdirectories[index]!]!
    const name = listed.slice(0, listedLength(listed))
    const path = frame.path === '' ? name : `${frame.path}/${name}`
    const entry = frame.old && this.#deps.old!.lookupIn(frame.old, latin1(name))
    return { path, oldEntry: entry?.raw }
  }

  /** Gives the bottom frame's next subtree to an idle lane, if one is there and more is left. */
  #giveAway(): void {
    if (Atomics.load(this.#hungry, 0) <= 0) return
    const bottom = this.#stack.findIndex((frame) => frame.next < frame.subdirectories.length)
    const frame = this.#stack[bottom]!
    const alone = bottom === this.#stack.length - 1
    if (alone && frame.subdirectories.length - frame.next < 2) return
    const hungry = Atomics.load(this.#hungry, 0)
    if (hungry <= 0) return
    if (Atomics.compareExchange(this.#hungry, 0, hungry, hungry - 1) !== hungry) return
    const index = this.#takeNext(frame)
    const ticket = this.#nextTicket
    this.#nextTicket += 1
    this.#givenAway.set(ticket, { frame, index })
    this.#deps.post({ kind: 'offer', task: this.#taskOf(frame, index), ticket })
  }

  #open(task: DirectoryTask, waiting: Waiting): void {
    const fd = openBeneath(this.#deps.rootFd, latin1(task.path), DIRECTORY_FLAGS)
    if (fd < 0) {
      this.#warnings.failed(-fd, 'open', task.path)
      this.#deliver(waiting, undefined)
      return
    }
    try {
      this.#scan(fd, task, waiting)
    } finally {
      close(fd)
    }
  }

  #scan(fd: number, task: DirectoryTask, waiting: Waiting): void {
    fstatx(fd, STATX_BASIC_STATS, this.#statx.bytes)
    const stat = makeFileStat()
    this.#statx.fill(stat)
    this.#counters.add('directories', 1)
    const old = oldDirectoryEntry(
      task.oldEntry === undefined ? undefined : Buffer.from(task.oldEntry),
    )
    const xattrs = this.#xattrsOf(fd, task.path, stat, old)
    const names = this.#isLeftOut(stat) ? [] : this.#list(fd, task.path)
    if (names === undefined) {
      this.#deliver(waiting, undefined)
      return
    }
    const subdirectories: number[] = []
    for (let i = 0; i < names.length; i += 1) {
      if (listedType(names[i]!) === DT_DIRECTORY) subdirectories.push(i)
    }
    if (subdirectories.length === 0) {
      const oldNode = old?.directory?.node
      const built = this.#directories.capture({
        dirfd: fd,
        path: task.path,
        names,
        children: [],
        oldNode,
        oldEntry: old,
      })
      this.#updateCounters()
      this.#deliver(waiting, { stat, built, xattrs })
      return
    }
    const { path } = task
    const progress = { next: 0, pending: 0, onStack: true }
    this.#stack.push({
      path,
      names,
      subdirectories,
      children: [],
      stat,
      xattrs,
      old,
      waiting,
      ...progress,
    })
  }

  #xattrsOf(
    fd: number,
    path: string,
    stat: FileStat,
    old: TreeEntry | undefined,
  ): readonly XattrPair[] {
    // A change of an attribute is a change of the directory's change time.
    if (old !== undefined && sameMetadata(old, stat)) return this.#deps.old!.xattrs(old)
    return xattrPairs(readXattrs(fd), path, this.#warnings)
  }

  /** Other file systems when only one is wanted, and the pool itself. */
  #isLeftOut(stat: FileStat): boolean {
    for (const skip of this.#setup.skip) {
      if (sameInode(skip, stat)) return true
    }
    if (this.#setup.rules.oneFileSystem !== true) return false
    const { deviceMajor, deviceMinor } = this.#root
    return stat.deviceMajor !== deviceMajor || stat.deviceMinor !== deviceMinor
  }

  /** Names that the rules take, with their types. @returns undefined when it cannot be read */
  #list(fd: number, path: string): string[] | undefined {
    const names = listSorted(fd)
    if (typeof names === 'number') {
      this.#warnings.failed(-names, 'getdents', path)
      return undefined
    }
    for (let i = 0; i < names.length; i += 1) {
      if (listedType(names[i]!) === DT_UNKNOWN) names[i] = this.#withType(fd, names[i]!)
    }
    if (this.#rules.isEmpty) return names
    return names.filter((listed) => {
      const name = listed.slice(0, listedLength(listed))
      const below = path === '' ? name : `${path}/${name}`
      return this.#rules.takes(below, name, listedType(listed) === DT_DIRECTORY)
    })
  }

  /** For file systems that do not tell the type with the name. */
  #withType(fd: number, listed: string): string {
    const { bytes } = this.#statx
    const status = statx(fd, latin1(listed), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, bytes)
    const isDirectory = status === 0 && (this.#statx.mode & S_IFMT) === S_IFDIR
    const type = isDirectory ? DT_DIRECTORY : DT_UNKNOWN
    return listed.slice(0, -1) + String.fromCharCode(type)
  }

  /** Emits a frame whose subdirectories have all come back. */
  #complete(frame: Frame): void {
    this.#deliver(frame.waiting, this.#emit(frame))
  }

  #emit(frame: Frame): DirectoryResult | undefined {
    const { path, names, children, stat, xattrs } = frame
    const fd = openBeneath(this.#deps.rootFd, latin1(path), DIRECTORY_FLAGS)
    if (fd < 0) {
      this.#warnings.failed(-fd, 'open', path)
      return undefined
    }
    try {
      fstatx(fd, STATX_BASIC_STATS, this.#statx.bytes)
      const now = makeFileStat()
      this.#statx.fill(now)
      if (now.inoLow !== stat.inoLow || now.inoHigh !== stat.inoHigh) {
        this.#warnings.failed(E.ENOENT, 'open', path)
        return undefined
      }
      const oldNode = frame.old?.directory?.node
      const built = this.#directories.capture({ dirfd: fd, path, names, children, oldNode })
      this.#updateCounters()
      return { stat, built, xattrs }
    } finally {
      close(fd)
    }
  }

  #deliver(waiting: Waiting, result: DirectoryResult | undefined): void {
    let [to, what] = [waiting, result]
    // A loop, not recursion: a result may complete frames all the way up a deep path.
    for (;;) {
      if ('ticket' in to) {
        this.#deps.post({ kind: 'result', ticket: to.ticket, result: what })
        return
      }
      const { frame } = to
      frame.children[to.index] = what
      frame.pending -= 1
      if (frame.onStack || frame.pending > 0 || frame.next < frame.subdirectories.length) return
      what = this.#emit(frame)
      to = frame.waiting
    }
  }

  #updateCounters(): void {
    const { newBytes, storedBytes } = this.#deps.stored()
    this.#counters.set('bytesRead', this.#content.bytesRead)
    this.#counters.set('newBytes', newBytes)
    this.#counters.set('storedBytes', storedBytes)
  }
}

function sameInode(a: DeviceInode, b: DeviceInode): boolean {
  return (
    a.inoLow === b.inoLow &&
    a.inoHigh === b.inoHigh &&
    a.deviceMajor === b.deviceMajor &&
    a.deviceMinor === b.deviceMinor
  )
}

function sameMetadata(a: EntryStat, b: EntryStat): boolean {
  return (
    a.ctimeNs === b.ctimeNs &&
    a.ctimeSec === b.ctimeSec &&
    a.inoLow === b.inoLow &&
    a.inoHigh === b.inoHigh
  )
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
