/**
 * Deterministic test data of the kinds that backups meet, and trees and images made of it. The
 * same seed gives the same bytes for ever: benchmarks and failures can be repeated.
 *
 * How the kinds compress with zstd level 1: text 3–4 times, database pages 2–3 times, random
 * not at all.
 */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { assert } from '@openmaas/kernel/assert'
import { SeededRandom } from '@openmaas/kernel/random'
import { KiB, MiB } from '@openmaas/kernel/units'

export type DataKind = 'text' | 'databasePages' | 'random' | 'zeros'

/** @returns `size` bytes of that kind */
export function makeData(kind: DataKind, size: number, seed = 1): Buffer {
  const random = new SeededRandom(seed)
  if (kind === 'text') return makeText(size, random)
  if (kind === 'databasePages') return makeDatabasePages(size, random)
  if (kind === 'random') return makeRandom(size, random)
  return Buffer.alloc(size)
}

const WORDS = (
  'the of and to in is order invoice customer status pending shipped street payment account ' +
  'balance transfer product quantity price total node disk volume snapshot restore policy ' +
  'error warning select insert update delete from where index table commit rollback 恢复 备份'
).split(' ')

function makeText(size: number, random: SeededRandom): Buffer {
  // Room for the longest piece behind the end: it is cut off, not checked for every word.
  const bytes = Buffer.alloc(size + 64)
  let end = 0
  while (end < size) {
    // The lesser of two draws: few words are frequent, as in language.
    const draw = Math.min(random.below(WORDS.length), random.below(WORDS.length))
    const bits = random.uint32()
    let piece = `${WORDS[draw]}${(bits & 15) === 0 ? '\n' : ' '}`
    if ((bits & 0x70) === 0) piece += `${bits % 1_000_000} `
    if ((bits & 0xf80) === 0) piece += `${random.uint32().toString(36)} `
    end += bytes.write(piece, end, 'utf8')
  }
  return bytes.subarray(0, size)
}

const PAGE_SIZE = 8 * KiB
const ROW_SIZE_MIN = 90
const PAGE_HEADER = 24

/** Pages with a header, slots growing up, rows growing down, and a free middle of zeros. */
function makeDatabasePages(size: number, random: SeededRandom): Buffer {
  const bytes = Buffer.alloc(size)
  let id = random.below(1_000_000)
  for (let page = 0; page + PAGE_SIZE <= size; page += PAGE_SIZE) {
    bytes.writeUInt32LE(page / PAGE_SIZE, page)
    bytes.writeUInt32LE(random.uint32(), page + 8)
    let slot = page + PAGE_HEADER
    let row = page + PAGE_SIZE
    const limit = page + 1800 + random.below(1500)
    while (row - ROW_SIZE_MIN - 60 > limit) {
      const length = ROW_SIZE_MIN + random.below(60)
      row -= length
      bytes.writeUInt16LE(row - page, slot)
      slot += 2
      writeRow(bytes.subarray(row, row + length), (id += 1), random)
    }
  }
  return bytes
}

function writeRow(row: Buffer, id: number, random: SeededRandom): void {
  row.writeUInt32LE(id, 0)
  row.writeUInt32LE(random.below(5000), 4)
  row.writeDoubleLE(1.7e9 + id * 3.7, 8)
  row.writeUInt32LE(random.uint32(), 16)
  row.writeUInt32LE(random.uint32(), 20)
  let end = 24
  while (end < row.length - 8) end += row.write(`${WORDS[random.below(30)]} `, end, 'utf8')
}

function makeRandom(size: number, random: SeededRandom): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let i = 0; i < words.length; i += 1) words[i] = random.uint32()
  return Buffer.from(words.buffer, 0, size)
}

export interface TreeOptions {
  readonly files: number
  /** Bytes of the smallest and the largest file; sizes are uniform between. */
  readonly sizeMin?: number
  readonly sizeMax?: number
  /** Files in each leaf directory; 100 leaves in each directory above. */
  readonly filesPerDirectory?: number
  readonly seed?: number
}

export interface TreeCounts {
  readonly files: number
  readonly directories: number
  readonly bytes: number
}

/** Files are cut from one stock of each kind, so that making 100,000 of them is quick. */
const STOCK_SIZE = 16 * MiB
const LEAVES_PER_DIRECTORY = 100

/**
 * Fills a directory with ordinary files: half text, a fifth database pages, the rest random.
 *
 * @param directory made when it does not exist
 */
export function makeTree(directory: string, options: TreeOptions): TreeCounts {
  const { files, sizeMin = 4 * KiB, sizeMax = 16 * KiB, filesPerDirectory = 100 } = options
  assert(sizeMin <= sizeMax && sizeMax < STOCK_SIZE, 'a file is smaller than the stock')
  const seed = options.seed ?? 1
  const random = new SeededRandom(seed)
  const stock = (kind: DataKind, extension: string, offset: number) =>
    [makeData(kind, STOCK_SIZE, seed * 10 + offset), extension] as const
  const text = stock('text', 'txt', 1)
  const pages = stock('databasePages', 'db', 2)
  const noise = stock('random', 'bin', 3)
  const made = new Set<string>()
  let bytes = 0
  let leaf = directory
  mkdirSync(directory, { recursive: true })
  for (let i = 0; i < files; i += 1) {
    if (i % filesPerDirectory === 0) {
      const number = Math.floor(i / filesPerDirectory)
      const parent = join(directory, `d${Math.floor(number / LEAVES_PER_DIRECTORY)}`)
      leaf = join(parent, `s${number % LEAVES_PER_DIRECTORY}`)
      mkdirSync(leaf, { recursive: true })
      made.add(parent).add(leaf)
    }
    const size = sizeMin + random.below(sizeMax - sizeMin + 1)
    const tenth = random.below(10)
    const [source, extension] = tenth < 5 ? text : tenth < 7 ? pages : noise
    const start = random.below(STOCK_SIZE - size)
    writeFileSync(join(leaf, `f${i}.${extension}`), source.subarray(start, start + size))
    bytes += size
  }
  return { files, directories: made.size, bytes }
}

export interface ChangeOptions {
  /** Of the files or blocks, chosen at random; at least one. */
  readonly percent: number
  readonly seed?: number
}

/**
 * Rewrites some files of a tree with new random content of the same size.
 *
 * @returns their paths, relative to the directory, sorted
 */
export function changeTree(directory: string, options: ChangeOptions): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()
  const files = names.filter((name) => statSync(join(directory, name)).isFile())
  const random = new SeededRandom(options.seed ?? 1)
  const changed = choose(files.length, options.percent, random).map((i) => files[i]!)
  for (const name of changed) {
    const path = join(directory, name)
    writeFileSync(path, makeRandom(statSync(path).size, random))
  }
  return changed
}

/** Distinct numbers below `count`, ascending. */
function choose(count: number, percent: number, random: SeededRandom): number[] {
  const wanted = Math.max(1, Math.floor((count * percent) / 100))
  const chosen = new Set<number>()
  while (chosen.size < Math.min(wanted, count)) chosen.add(random.below(count))
  return [...chosen].toSorted((a, b) => a - b)
}

/** Unit in which images are made and changed. */
const IMAGE_BLOCK = 64 * KiB
/** Blocks of one kind in a row: 1 MiB, like the extents of a file system. */
const IMAGE_RUN = 16

/**
 * A disk image of mixed compressibility, in runs of 1 MiB: 30 % random, 25 % database pages,
 * 15 % text, 20 % zeros (left as holes), 10 % repeats of earlier content.
 *
 * @param size a multiple of 64 KiB
 */
export function makeImage(path: string, size: number, seed = 1): void {
  assert(size % IMAGE_BLOCK === 0, 'an image is whole blocks of 64 KiB')
  const random = new SeededRandom(seed)
  const [text, pages] = [
    makeData('text', STOCK_SIZE, seed),
    makeData('databasePages', STOCK_SIZE, seed),
  ]
  const run = Buffer.alloc(IMAGE_BLOCK * IMAGE_RUN)
  const file = openSync(path, 'w')
  ftruncateSync(file, size)
  for (let offset = 0; offset < size; offset += run.length) {
    const percent = random.below(100)
    if (percent >= 70 && percent < 90) continue
    if (percent < 30) makeRandom(run.length, random).copy(run)
    else if (percent < 70) {
      const stock = percent < 55 ? pages : text
      const start = random.below((STOCK_SIZE - run.length) / PAGE_SIZE) * PAGE_SIZE
      stock.copy(run, 0, start, start + run.length)
      // Make it unlike every other cut of the stock, so that only the last 10 % repeats.
      for (let i = 0; i < run.length; i += 512) run.writeUInt32LE(random.uint32(), i + 100)
    }
    // Else the run before once more.
    writeSync(file, run, 0, Math.min(run.length, size - offset), offset)
  }
  closeSync(file)
}

/** Rewrites some 64 KiB blocks of an image in place. @returns the bytes written */
export function changeImage(path: string, options: ChangeOptions): number {
  const random = new SeededRandom(options.seed ?? 1)
  const chosen = choose(Math.floor(statSync(path).size / IMAGE_BLOCK), options.percent, random)
  const file = openSync(path, 'r+')
  for (const block of chosen) {
    const make = random.below(2) === 0 ? makeRandom : makeDatabasePages
    writeSync(file, make(IMAGE_BLOCK, random), 0, IMAGE_BLOCK, block * IMAGE_BLOCK)
  }
  closeSync(file)
  return chosen.length * IMAGE_BLOCK
}
