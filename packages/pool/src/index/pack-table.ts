/**
 * Every pack of the pool by its number, in shared memory: whether its chunks may be used, and
 * where its file lies. All threads read it; only the owner writes it, except that a lane opens
 * its own packs.
 *
 *   none ──lane opens──▶ open(session) ──PACK durable──▶ live ⇄ condemned ──DELETE──▶ dead
 *                             └────────poisoned, session over────────▶ dead      lost: file missing
 *
 * Two growable buffers, so that a thread needs no message when packs are added:
 *   states  Int32 per pack: PackStatus, and for an open pack the session number above bit 3
 *   files   24 bytes per pack: packId 16 | brick bits u32, bit 31: metadata | size / 4096 u32
 */
import { assert } from '@openmaas/kernel/assert'
import type { PackKind } from '../chunk/chunk.ts'
import { PACK_COUNT_MAX } from '../pool/state.ts'

export const PackStatus = { none: 0, open: 1, live: 2, condemned: 3, dead: 4, lost: 5 } as const
export type PackStatus = (typeof PackStatus)[keyof typeof PackStatus]

const STATUS_BITS = 3
const STATUS_MASK = (1 << STATUS_BITS) - 1
const FILE_WORDS = 6
/** Packs added to the tables at a time; memory is taken page by page when it is touched. */
const GROWTH_COUNT = 4096
const SIZE_UNIT = 4096
/** Brick bits fit one u32 beside the kind. */
export const BRICK_COUNT_MAX = 24
const METADATA_BIT = 0x8000_0000

export interface PackTableBuffers {
  readonly states: SharedArrayBuffer
  readonly files: SharedArrayBuffer
}

export interface PackFile {
  /** 16 bytes. */
  readonly packId: Buffer
  readonly kind: PackKind
  readonly bricks: readonly number[]
  readonly size: number
}

export class PackTable {
  readonly buffers: PackTableBuffers
  #states: Int32Array
  #files: Uint32Array

  constructor(buffers: PackTableBuffers) {
    this.buffers = buffers
    this.#states = new Int32Array(0)
    this.#files = new Uint32Array(0)
    this.#remap()
  }

  static allocate(packCountMax: number = PACK_COUNT_MAX): PackTableBuffers {
    const make = (bytesEach: number): SharedArrayBuffer =>
      new SharedArrayBuffer(Math.min(GROWTH_COUNT, packCountMax) * bytesEach, {
        maxByteLength: packCountMax * bytesEach,
      })
    return { states: make(4), files: make(4 * FILE_WORDS) }
  }

  /** Makes room for that pack number; any thread may call it. */
  ensure(packNo: number): void {
    if (packNo < this.#states.length) return
    const count = (Math.floor(packNo / GROWTH_COUNT) + 1) * GROWTH_COUNT
    grow(this.buffers.states, count * 4)
    grow(this.buffers.files, count * 4 * FILE_WORDS)
    this.#remap()
  }

  status(packNo: number): PackStatus {
    return (this.#load(packNo) & STATUS_MASK) as PackStatus
  }

  /** True when a session may reference the pack's chunks: live, or open in that same session. */
  visible(packNo: number, sessionNo: number): boolean {
    const word = this.#load(packNo)
    // Rule: index entries become visible only when PACK is durable (the pack is live), except to
    // the session that writes the pack itself and cannot commit before.
    return word === PackStatus.live || (sessionNo !== 0 && word === openWord(sessionNo))
  }

  /** The session that has the pack open, or 0. */
  openSession(packNo: number): number {
    const word = this.#load(packNo)
    return (word & STATUS_MASK) === PackStatus.open ? word >>> STATUS_BITS : 0
  }

  setOpen(packNo: number, sessionNo: number): void {
    this.ensure(packNo)
    Atomics.store(this.#states, packNo, openWord(sessionNo))
  }

  setStatus(packNo: number, status: Exclude<PackStatus, 1>): void {
    this.ensure(packNo)
    Atomics.store(this.#states, packNo, status)
  }

  setFile(packNo: number, file: PackFile): void {
    this.ensure(packNo)
    assert(file.packId.length === 16, 'a pack id has 16 bytes')
    const at = packNo * FILE_WORDS
    for (let word = 0; word < 4; word += 1)
      this.#files[at + word] = file.packId.readUInt32LE(4 * word)
    const kindBit = file.kind === 'metadata' ? METADATA_BIT : 0
    this.#files[at + 4] = file.bricks.reduce((bits, brick) => bits | (1 << brick), kindBit)
    this.#files[at + 5] = Math.ceil(file.size / SIZE_UNIT)
  }

  file(packNo: number): PackFile {
    if (packNo >= this.#states.length) this.#remap()
    const at = packNo * FILE_WORDS
    const packId = Buffer.alloc(16)
    for (let word = 0; word < 4; word += 1) packId.writeUInt32LE(this.#files[at + word]!, 4 * word)
    const bits = this.#files[at + 4]!
    const bricks: number[] = []
    for (let brick = 0; brick < BRICK_COUNT_MAX; brick += 1)
      if (bits & (1 << brick)) bricks.push(brick)
    const kind = bits & METADATA_BIT ? 'metadata' : 'data'
    return { packId, kind, bricks, size: this.#files[at + 5]! * SIZE_UNIT }
  }

  #load(packNo: number): number {
    if (packNo >= this.#states.length) {
      this.#remap()
      if (packNo >= this.#states.length) return PackStatus.none
    }
    return Atomics.load(this.#states, packNo)
  }

  #remap(): void {
    const { states, files } = this.buffers
    this.#states = new Int32Array(states, 0, states.byteLength / 4)
    this.#files = new Uint32Array(files, 0, files.byteLength / 4)
  }
}

function openWord(sessionNo: number): number {
  return PackStatus.open | (sessionNo << STATUS_BITS)
}

function grow(buffer: SharedArrayBuffer, byteLength: number): void {
  const target = Math.min(byteLength, buffer.maxByteLength)
  // Another thread may have grown it further meanwhile; a shared buffer never shrinks.
  if (buffer.byteLength >= target) return
  try {
    buffer.grow(target)
  } catch (error) {
    if (buffer.byteLength < target) throw error
  }
}
