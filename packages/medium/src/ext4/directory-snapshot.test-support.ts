/**
 * Test support: a tree snapshot of a real directory, taken in the simplest way that is right.
 * The product's capture is sources/files; this one is its own, so that the tests of the view do
 * not depend on it. Everything is held in memory.
 */
import { execFileSync } from 'node:child_process'
import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs'
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

/** Not a multiple of 4096, so that blocks lie across chunks. */
const PIECE = 50_000
const HOLE_PIECE = 2 ** 20

type Xattrs = Map<string, XattrPair[]>

interface LinkedFile {
  readonly key: Buffer
  names: number
  readonly stat: EntryStat
  readonly add: (builder: DirectoryBuilder, key: Buffer, stat: EntryStat) => void
}

interface Capture {
  readonly sink: ChunkSink
  readonly xattrs: Xattrs
  readonly links: Map<string, LinkedFile>
}

/** @returns the chunk id of the root record */
export function snapshotDirectory(sink: ChunkSink, path: string): Buffer {
  const capture = { sink, xattrs: readXattrs(path), links: new Map<string, LinkedFile>() }
  const root = Buffer.from(path)
  const built = captureDirectory(capture, root)
  const table = new DirectoryBuilder(sink, { linkTable: true })
  const linked = [...capture.links.values()].sort((a, b) => a.key.compare(b.key))
  for (const { key, stat, names, add } of linked) add(table, key, { ...stat, nlink: names })
  const links = linked.length === 0 ? undefined : linkTableRef(table.finish())
  const xattrs = capture.xattrs.get(root.toString('latin1')) ?? []
  const stat = toStat(lstatSync(root, { bigint: true }))
  return writeTreeRoot(sink, { stat, directory: directoryRef(built, xattrs), xattrs, links })
}

function linkTableRef({ node, weights, entryCount }: BuiltDirectory) {
  return { node, weights, entryCount }
}

function captureDirectory(capture: Capture, path: Buffer): BuiltDirectory {
  const builder = new DirectoryBuilder(capture.sink)
  const names = readdirSync(path, { encoding: 'buffer' }).sort((a, b) => Buffer.compare(a, b))
  for (const name of names) captureEntry(capture, builder, { name, path: joined(path, name) })
  return builder.finish()
}

function captureEntry(
  capture: Capture,
  builder: DirectoryBuilder,
  { name, path }: { name: Buffer; path: Buffer },
): void {
  const stats = lstatSync(path, { bigint: true })
  const stat = toStat(stats)
  const xattrs = capture.xattrs.get(path.toString('latin1')) ?? []
  if (stats.isDirectory()) {
    const built = captureDirectory(capture, path)
    builder.addDirectory(name, stat, directoryRef(built, xattrs), { xattrs })
    return
  }
  if (stats.nlink === 1n) {
    addLeaf(capture, { builder, name, stat }, { path, stats, xattrs })
    return
  }
  const device = { major: Number(stats.dev >> 8n) & 0xfff, minor: Number(stats.dev & 0xffn) }
  const key = makeLinkKey(device, stat.inoLow, stat.inoHigh)
  const known = capture.links.get(key.toString('hex'))
  if (known !== undefined) known.names += 1
  else {
    capture.links.set(key.toString('hex'), {
      key,
      stat,
      names: 1,
      add: (table, tableKey, linkStat) =>
        addLeaf(
          capture,
          { builder: table, name: tableKey, stat: linkStat },
          { path, stats, xattrs },
        ),
    })
  }
  builder.addHardLink(name, stat, key)
}

function addLeaf(
  capture: Capture,
  { builder, name, stat }: { builder: DirectoryBuilder; name: Buffer; stat: EntryStat },
  { path, stats, xattrs }: { path: Buffer; stats: BigIntStats; xattrs: XattrPair[] },
): void {
  if (stats.isFile()) {
    builder.addFile(name, stat, captureContent(capture.sink, path, stats), { xattrs })
  } else if (stats.isSymbolicLink()) {
    builder.addSymlink(name, stat, readlinkSync(path, { encoding: 'buffer' }), { xattrs })
  } else if (stats.isFIFO()) builder.addFifo(name, stat, { xattrs })
  else if (stats.isSocket()) builder.addSocket(name, stat, { xattrs })
  else {
    const device = Number(stats.rdev)
    builder.addDevice(
      name,
      stat,
      {
        major: (device >> 8) & 0xfff,
        minor: (device & 0xff) | ((device >> 12) & 0xfff00),
        block: stats.isBlockDevice(),
      },
      { xattrs },
    )
  }
}

function captureContent(sink: ChunkSink, path: Buffer, stats: BigIntStats): ContentRef | undefined {
  const list = new ContentListBuilder(sink)
  const size = Number(stats.size)
  const sparse = Number(stats.blocks) * 512 < size
  const buffer = Buffer.alloc(sparse ? HOLE_PIECE : PIECE)
  const zeros = Buffer.alloc(buffer.length)
  const file = openSync(path, 'r')
  for (let offset = 0; offset < size; offset += buffer.length) {
    const piece = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, offset))
    if (piece.equals(zeros.subarray(0, piece.length))) list.addHole(piece.length)
    else list.addChunk(sink.put(ChunkType.data, piece), piece.length)
  }
  closeSync(file)
  return list.finish()
}

export function toStat(stats: BigIntStats): EntryStat {
  const seconds = (ns: bigint) =>
    ns >= 0n ? ns / 10n ** 9n : -((-ns + 10n ** 9n - 1n) / 10n ** 9n)
  const mtimeSec = seconds(stats.mtimeNs)
  const ctimeSec = seconds(stats.ctimeNs)
  return {
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    nlink: Number(stats.nlink),
    size: Number(stats.size),
    inoLow: Number(stats.ino & 0xffff_ffffn),
    inoHigh: Number(stats.ino >> 32n),
    mtimeSec: Number(mtimeSec),
    mtimeNs: Number(stats.mtimeNs - mtimeSec * 10n ** 9n),
    ctimeSec: Number(ctimeSec),
    ctimeNs: Number(stats.ctimeNs - ctimeSec * 10n ** 9n),
  }
}

/** All extended attributes below a path, by getfattr; paths as latin1 strings of their bytes. */
function readXattrs(path: string): Xattrs {
  const all: Xattrs = new Map()
  const text = execFileSync(
    'getfattr',
    ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', path],
    { encoding: 'latin1', maxBuffer: 2 ** 28 },
  )
  let pairs: XattrPair[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('# file: ')) {
      pairs = []
      all.set(unescape(line.slice(8)), pairs)
    } else if (line !== '') {
      const equals = line.includes('=0x') ? line.indexOf('=0x') : line.length
      pairs.push({
        name: Buffer.from(unescape(line.slice(0, equals)), 'latin1'),
        value: Buffer.from(line.slice(equals + 3), 'hex'),
      })
    }
  }
  for (const list of all.values()) list.sort((a, b) => a.name.compare(b.name))
  return all
}

/** getfattr writes bytes it does not like as a backslash and three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
}

function joined(path: Buffer, name: Buffer): Buffer {
  return Buffer.concat([path, Buffer.from('/'), name])
}
