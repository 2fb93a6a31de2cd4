/**
 * Test support: random tree snapshots by seed, with every kind of entry and metadata that is at
 * the edge: names that are not text, large ids, times before 1901 and behind 2446, many links.
 */
import type { SeededRandom } from '@openmaas/kernel/random'
import { type ChunkSink, ChunkType } from '@openmaas/pool/chunk/chunk'
import { ContentListBuilder } from '@openmaas/pool/tree/content-list'
import {
  type BuiltDirectory,
  DirectoryBuilder,
  directoryRef,
  makeLinkKey,
} from '@openmaas/pool/tree/directory-builder'
import type { ContentRef, EntryStat } from '@openmaas/pool/tree/entry'
import type { XattrPair } from '@openmaas/pool/tree/footprint'
import { writeTreeRoot } from '@openmaas/pool/tree/root'

const DEPTH_MAX = 6
/** Names of one tree; without it the number of directories grows with every level. */
const NAMES_MAX = 1_500
const LINKED_FILES_MAX = 40
const TIMES = [0, 1, -1, 1_700_000_000, 2 ** 31, 2 ** 33, -(2 ** 31)]
const SIZES = [0, 1, 4095, 4096, 4097, 60_000, 300_000]

export function plainStat(mode: number, fields: Partial<EntryStat> = {}): EntryStat {
  return {
    mode,
    uid: 0,
    gid: 0,
    nlink: 1,
    size: 0,
    inoLow: 1,
    inoHigh: 0,
    mtimeSec: 1_700_000_000,
    mtimeNs: 1,
    ctimeSec: 1_700_000_000,
    ctimeNs: 2,
    ...fields,
  }
}

export class RandomTree {
  readonly #sink: ChunkSink
  readonly #random: SeededRandom
  /** Inode number of each linked file → how many names it has. */
  readonly #links = new Map<number, number>()
  #namesLeft = NAMES_MAX

  constructor(sink: ChunkSink, random: SeededRandom) {
    this.#sink = sink
    this.#random = random
  }

  /** @returns the chunk id of the root record */
  write(): Buffer {
    const directory = this.#directory(0)
    const xattrs = this.#xattrs()
    const stat = this.#stat(0o040755)
    const links = this.#links.size === 0 ? undefined : this.#linkTable()
    return writeTreeRoot(this.#sink, {
      stat,
      xattrs,
      links,
      directory: directoryRef(directory, xattrs),
    })
  }

  #linkTable(): BuiltDirectory {
    const table = new DirectoryBuilder(this.#sink, { linkTable: true })
    for (const [inode, names] of [...this.#links].sort(([a], [b]) => a - b)) {
      const size = this.#pick(SIZES.slice(0, 6))
      const stat = { ...this.#stat(0o100640), size, nlink: names, inoLow: inode }
      table.addFile(linkKey(inode), stat, this.content(size), { xattrs: this.#xattrs() })
    }
    return table.finish()
  }

  #directory(depth: number): BuiltDirectory {
    const random = this.#random
    const builder = new DirectoryBuilder(this.#sink)
    const most = random.below(12) === 0 ? 900 : 3 + 30 / (depth + 1)
    for (const name of this.#names(random.below(depth === 0 ? 60 : most)))
      this.#entry(builder, name, depth)
    return builder.finish()
  }

  #names(count: number): Buffer[] {
    const names = new Map<string, Buffer>()
    const most = Math.min(count, this.#namesLeft)
    this.#namesLeft -= most
    for (let i = 0; i < most; i += 1) {
      const length = this.#random.below(8) === 0 ? 255 : 1 + this.#random.below(20)
      const name = this.#random.bytes(length)
      for (const [at, byte] of name.entries()) if (byte === 0 || byte === 0x2f) name[at] = 0x61
      if (name[0] !== 0x2e) names.set(name.toString('latin1'), name)
    }
    return [...names.values()].sort((a, b) => Buffer.compare(a, b))
  }

  #entry(builder: DirectoryBuilder, name: Buffer, depth: number): void {
    const random = this.#random
    const options = { xattrs: this.#xattrs() }
    switch (random.below(10)) {
      case 0:
      case 1: {
        if (depth === DEPTH_MAX) return
        const ref = directoryRef(this.#directory(depth + 1), options.xattrs)
        builder.addDirectory(name, this.#stat(0o041777), ref, options)
        return
      }
      case 2: {
        const target = Buffer.alloc(this.#pick([1, 59, 60, 4095]), 0x74)
        const stat = { ...this.#stat(0o120777), size: target.length }
        // The kernel keeps user.* off symlinks, so trusted.* stands for all.
        builder.addSymlink(name, stat, target, {
          xattrs: options.xattrs.filter(
            (pair) => pair.name.toString('latin1', 0, 8) === 'trusted.',
          ),
        })
        return
      }
      case 3: {
        const inode = 1 + random.below(LINKED_FILES_MAX)
        this.#links.set(inode, (this.#links.get(inode) ?? 0) + 1)
        builder.addHardLink(name, this.#stat(0o100640), linkKey(inode))
        return
      }
      case 4:
        this.#special(builder, name)
        return
      default: {
        const size = this.#pick(SIZES)
        builder.addFile(name, { ...this.#stat(0o100644), size }, this.content(size), options)
      }
    }
  }

  #special(builder: DirectoryBuilder, name: Buffer): void {
    const random = this.#random
    switch (random.below(4)) {
      case 0:
        builder.addFifo(name, this.#stat(0o010600))
        return
      case 1:
        builder.addSocket(name, this.#stat(0o140700))
        return
      case 2:
        builder.addDevice(name, this.#stat(0o020600), { major: 5, minor: 1, block: false })
        return
      default: {
        const device = { major: random.below(4096), minor: random.below(2 ** 20), block: true }
        builder.addDevice(name, this.#stat(0o060660), device)
      }
    }
  }

  /** Chunks and holes of odd lengths. */
  content(size: number): ContentRef | undefined {
    const list = new ContentListBuilder(this.#sink)
    for (let left = size; left > 0;) {
      const length = Math.min(left, 1 + this.#random.below(200_000))
      left -= length
      if (this.#random.below(5) === 0) list.addHole(length)
      else {
        const piece = Buffer.alloc(length, this.#random.bytes(64))
        list.addChunk(this.#sink.put(ChunkType.data, piece), length)
      }
    }
    return list.finish()
  }

  #stat(mode: number): EntryStat {
    const random = this.#random
    return plainStat(mode, {
      uid: this.#pick([0, 1000, 70_000, 4_000_000_000]),
      gid: this.#pick([0, 100, 3_000_000_000]),
      mtimeSec: this.#pick(TIMES),
      mtimeNs: random.below(10 ** 9),
      ctimeSec: this.#pick(TIMES),
      ctimeNs: random.below(10 ** 9),
    })
  }

  #xattrs(): XattrPair[] {
    const random = this.#random
    if (random.below(3) !== 0) return []
    const pairs: XattrPair[] = []
    const most = random.below(4) === 0 ? 40 : 4
    for (let i = random.below(most); i >= 0; i -= 1) {
      const name = `${this.#pick(['trusted.', 'user.', 'security.'])}${'n'.repeat(1 + i)}`
      pairs.push({ name: Buffer.from(name), value: random.bytes(random.below(120)) })
    }
    return pairs.sort((a, b) => a.name.compare(b.name))
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!
  }
}

function linkKey(inode: number): Buffer {
  return makeLinkKey({ major: 8, minor: 1 }, inode, 0)
}
