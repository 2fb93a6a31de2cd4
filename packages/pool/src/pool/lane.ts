/**
 * One writer of a session: in a worker thread, or inline in the owner's. Synchronous throughout.
 *
 *   put ─▶ hash ─▶ known? ── yes: pin its pack, reference it
 *                      └──── no: encode into the lane's open pack, remember where
 *   pack full or flush ─▶ seal (durable) ─▶ onSealed: the owner logs it
 *
 * A chunk in the lane's own open packs is seen by the lanes of this session only. Memory: one
 * pack buffer per kind that is used, 64 + 16 MiB, touched as far as it is filled.
 */
import type { Fs } from '@openmaas/kernel/fs'
import type { PoolId } from '@openmaas/kernel/ids'
import type { Random } from '@openmaas/kernel/random'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { packKindOf } from '../chunk/chunk.ts'
import type { ChunkSink, ChunkType, PackKind } from '../chunk/chunk.ts'
import { ChunkHasher } from '../chunk/chunk-hasher.ts'
import { Word } from '../index/arena.ts'
import { PinSet } from '../index/pin-set.ts'
import { IndexView } from '../index/view.ts'
import type { IndexHandoff } from '../index/view.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { PACK_SIZES, PackWriter } from '../pack/writer.ts'
import type { SealedPack as SealedFile } from '../pack/writer.ts'
import { PACK_COUNT_MAX } from './state.ts'
import { placePack } from './space.ts'
import { givePackBuffer, takePackBuffer, threadCodec } from './thread-memory.ts'
import type { SealedPack } from './types.ts'

/** Everything a thread needs to be a lane. Structured-cloneable. */
export interface LaneHandoff {
  readonly sessionNo: number
  readonly poolId: PoolId
  readonly masterKey: Uint8Array
  readonly bricks: readonly string[]
  readonly copies: number
  readonly reserves: readonly number[]
  readonly index: IndexHandoff
  /** Packs the session keeps alive, and packs it references: see PinSet and `#reference`. */
  readonly pins: SharedArrayBuffer
  readonly used: SharedArrayBuffer
  readonly packSizes: Readonly<Record<PackKind, number>>
  readonly packCountMax: number
}

export interface LaneDeps {
  readonly fs: Fs
  readonly random: Random
  /** Told of each durable pack, in the lane's thread; passes it to Session.packSealed. */
  readonly onSealed: (pack: SealedPack) => void
  /** Makes room in the index; by default the lane's thread waits for the owner's. */
  readonly relieve?: () => void
}

export interface LaneCounters {
  /** Chunks put, and their raw bytes. */
  chunks: number
  bytes: number
  /** Those of them that were not in the pool yet. */
  newChunks: number
  newBytes: number
  /** Bytes of the sealed pack files, one copy each. */
  storedBytes: number
  packs: number
}

/** Between a look-up and its pin the collector may hide the pack; twice in a row is rare. */
const REFERENCE_ATTEMPTS_MAX = 16

interface OpenPack {
  readonly writer: PackWriter
  readonly buffer: Buffer
  /** Undefined while no pack is open. */
  packNo: number | undefined
}

export class SessionLane implements ChunkSink {
  readonly counters: LaneCounters = {
    chunks: 0,
    bytes: 0,
    newChunks: 0,
    newBytes: 0,
    storedBytes: 0,
    packs: 0,
  }
  readonly #handoff: LaneHandoff
  readonly #deps: LaneDeps
  readonly #index: IndexView
  readonly #pins: PinSet
  readonly #used: PinSet
  readonly #keys: KeyRing
  readonly #hasher: ChunkHasher
  readonly #open: Partial<Record<PackKind, OpenPack>> = {}
  #closed = false

  constructor(handoff: LaneHandoff, deps: LaneDeps) {
    this.#handoff = handoff
    this.#deps = deps
    const { fs, relieve } = deps
    this.#index = new IndexView(handoff.index, relieve === undefined ? { fs } : { fs, relieve })
    this.#pins = new PinSet(handoff.pins)
    this.#used = new PinSet(handoff.used)
    this.#keys = new KeyRing(Buffer.from(handoff.masterKey), handoff.poolId)
    this.#hasher = new ChunkHasher(this.#keys.chunkIdKey)
  }

  /**
   * Stores the bytes unless the pool has them; they may be reused after the call.
   * @returns the chunk id
   * @throws MaasError POOL_FULL, FS_* after three failed packs, ENCODE_MISMATCH; the session can
   *   only be aborted then
   */
  put(type: ChunkType, raw: Buffer): Buffer {
    const id = this.#hasher.hash(raw)
    this.counters.chunks += 1
    this.counters.bytes += raw.length
    if (!this.#reference(id)) this.append(type, id, raw)
    return id
  }

  /** True when the pool has the chunk; its pack is pinned then, as by `put`. */
  has(id: Buffer): boolean {
    return this.#reference(id)
  }

  /** Stores a chunk whether the pool has it or not: compaction moves chunks this way. */
  append(type: ChunkType, id: Buffer, raw: Buffer): void {
    if (this.#closed) throw new MaasError('SESSION_CLOSED', 'the session of the lane is over')
    const open = this.#openPack(packKindOf(type))
    let record = open.writer.append(type, id, raw)
    if (record === undefined) {
      this.#seal(open)
      record = open.writer.append(type, id, raw)
    }
    assert(record !== undefined && open.packNo !== undefined, 'an empty pack takes any chunk')
    this.#index.insert(id, { ...record, packNo: open.packNo, rawLength: raw.length })
    this.counters.newChunks += 1
    this.counters.newBytes += raw.length
  }

  /** Seals what is open. The session can commit once the owner has all sealed packs. */
  flush(): void {
    for (const open of Object.values(this.#open)) this.#seal(open)
  }

  /** Gives up what is not sealed, and closes files. Nothing may be put afterwards. */
  close(): void {
    this.#closed = true
    for (const kind of ['data', 'metadata'] as const) {
      const open = this.#open[kind]
      if (open === undefined) continue
      delete this.#open[kind]
      open.writer.abandon()
      givePackBuffer(open.buffer)
    }
    this.#index.close()
  }

  /**
   * Rule: look-up, pin, and a second look at the pack happen in one synchronous turn, with nothing
   * awaited between; the order (pin first, look after) is Dekker's, see PinSet.
   */
  #reference(id: Buffer): boolean {
    const { sessionNo } = this.#handoff
    for (let attempt = 0; attempt < REFERENCE_ATTEMPTS_MAX; attempt += 1) {
      const location = this.#index.lookup(id, sessionNo)
      if (location === undefined) return false
      this.#pins.add(location.packNo)
      if (!this.#index.packs.visible(location.packNo, sessionNo)) continue
      // A pin that came too late stays set, for another lane may rely on it; only what is used
      // has to be live at the commit.
      this.#used.add(location.packNo)
      return true
    }
    return false
  }

  #openPack(kind: PackKind): OpenPack {
    const known = this.#open[kind]
    if (known !== undefined) return known
    const { fs, random } = this.#deps
    const { bricks, copies, reserves, packSizes } = this.#handoff
    const sizeMax = packSizes[kind]
    const buffer = takePackBuffer(sizeMax)
    const open: OpenPack = {
      packNo: undefined,
      buffer,
      writer: new PackWriter({
        fs,
        random,
        keys: this.#keys,
        codec: threadCodec(),
        hasher: this.#hasher,
        kind,
        sizeMax,
        buffer,
        place: () => placePack({ fs, bricks, copies, reserves }, sizeMax),
        onOpen: () => {
          // A poisoned pack's successor holds the same records: it keeps the number.
          open.packNo ??= this.#takePackNo()
        },
      }),
    }
    this.#open[kind] = open
    return open
  }

  #takePackNo(): number {
    const { packs, arena } = this.#index
    const packNo = Atomics.add(arena.words, Word.nextPackNo, 1)
    assert(packNo < this.#handoff.packCountMax, 'pack numbers fit their tables')
    this.#pins.add(packNo)
    this.#used.add(packNo)
    packs.setOpen(packNo, this.#handoff.sessionNo)
    return packNo
  }

  #seal(open: OpenPack): void {
    const { packNo } = open
    const sealed = open.writer.seal()
    if (sealed === undefined || packNo === undefined) return
    open.packNo = undefined
    this.counters.storedBytes += sealed.size
    this.counters.packs += 1
    this.#deps.onSealed(describe(sealed, packNo, this.#handoff.bricks))
  }
}

function describe(sealed: SealedFile, packNo: number, bricks: readonly string[]): SealedPack {
  return {
    packNo,
    packId: sealed.packId.toString('hex'),
    kind: sealed.kind,
    size: sealed.size,
    hash: sealed.hash.toString('hex'),
    recordCount: sealed.records,
    bricks: sealed.bricks.map((brick) => bricks.indexOf(brick)),
  }
}

export const LANE_DEFAULTS = { packSizes: PACK_SIZES, packCountMax: PACK_COUNT_MAX }
