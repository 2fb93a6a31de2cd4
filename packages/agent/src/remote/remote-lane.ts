/**
 * What a lane uses in place of a pool in the same process: takes chunks and gives metadata, through
 * two rings that a partner thread (channel-thread.ts) joins to a TLS connection. Synchronous: a
 * lane that finds no room sleeps, which is how the node and the line hold it back.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { KiB, MiB } from '@openmaas/kernel/units'
import {
  CHUNK_ID_SIZE,
  type ChunkSink,
  type ChunkSource,
  ChunkType,
} from '@openmaas/pool/chunk/chunk'
import { ChunkHasher } from '@openmaas/pool/chunk/chunk-hasher'
import { iterateContent } from '@openmaas/pool/tree/content'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import {
  dataViolation,
  FRAME_HEADER_SIZE,
  FRAME_PAYLOAD_MAX,
  FrameType,
  READ_IDS_MAX,
  writeFrameHeader,
} from '@openmaas/protocols/data/frames'
import { decodeMessage, flushed } from '@openmaas/protocols/data/messages'
import { KnownChunks } from './known-chunks.ts'
import { SharedRing } from './shared-ring.ts'

/** The memory of one channel; structured-cloneable. */
export interface ChannelMemory {
  /** Frames to the node, and from it. */
  readonly out: SharedArrayBuffer
  readonly in: SharedArrayBuffer
}

/** Three frames of the largest size on their way; the rest waits in the lane. */
const CAPTURE_OUT = 4 * MiB
const CAPTURE_IN = 2 * MiB
const RESTORE_OUT = 64 * KiB
const RESTORE_IN = 8 * MiB
/** Chunks of the node's kept: directory nodes that are asked for again. */
const CACHE_BYTES = 16 * MiB
/** Of one old file, as many as fit the known chunks with room for others. */
const EXPECTED_MAX = 150_000
/** Chunks asked for ahead: 64 MiB at worst. */
const AHEAD_MAX = 64

export function makeChannelMemory(purpose: 'capture' | 'restore'): ChannelMemory {
  const capture = purpose === 'capture'
  return {
    out: SharedRing.allocate(capture ? CAPTURE_OUT : RESTORE_OUT),
    in: SharedRing.allocate(capture ? CAPTURE_IN : RESTORE_IN),
  }
}

export class RemoteLane implements ChunkSink, ChunkSource {
  readonly counters = { chunks: 0, bytes: 0, newChunks: 0, newBytes: 0, storedBytes: 0, packs: 0 }
  /** Milliseconds it slept because the line or the node did not take more, or did not answer. */
  waitedMs = 0
  readonly #out: SharedRing
  readonly #in: SharedRing
  readonly #hasher: ChunkHasher | undefined
  readonly #known = new KnownChunks()
  readonly #header = Buffer.alloc(FRAME_HEADER_SIZE)
  /** Asked for and not arrived, in order. */
  readonly #pending: string[] = []
  /** Arrived before they were wanted. */
  readonly #ahead = new Map<string, Buffer>()
  readonly #cache = new Map<string, Buffer>()
  #cacheBytes = 0

  /** @param chunkIdKey only for a lane that sends */
  constructor(memory: ChannelMemory, chunkIdKey?: Uint8Array) {
    this.#out = new SharedRing(memory.out)
    this.#in = new SharedRing(memory.in)
    this.#hasher = chunkIdKey && new ChunkHasher(Buffer.from(chunkIdKey))
  }

  /** @throws MaasError DATA_UNREACHABLE when the session is over */
  put(type: ChunkType, raw: Buffer): Buffer {
    const id = this.#hasher!.hash(raw)
    this.counters.chunks += 1
    this.counters.bytes += raw.length
    const isMetadata = type !== ChunkType.data
    if (this.#known.has(id, isMetadata)) return id
    this.#send(FrameType.chunk, raw, type)
    this.#known.add(id, isMetadata)
    this.counters.newChunks += 1
    this.counters.newBytes += raw.length
    return id
  }

  /** What stands at an old file's chunks is not sent again. */
  expect(old: TreeEntry): void {
    let count = 0
    for (const { id } of iterateContent(this, old)) {
      if (id === undefined) continue
      this.#known.add(id, false)
      count += 1
      if (count === EXPECTED_MAX) return
    }
  }

  /** The same for ids that stand in a map node. */
  expectIds(ids: Iterable<Buffer>): void {
    for (const id of ids) this.#known.add(id, false)
  }

  /** Returns when everything that was sent is durable. @throws MaasError DATA_UNREACHABLE */
  flush(): void {
    this.#send(FrameType.flush, Buffer.alloc(0))
    const { type, payload } = this.#receive()
    if (type !== FrameType.flushed) throw dataViolation('a FLUSH is answered by FLUSHED')
    this.counters.storedBytes = decodeMessage(flushed, payload).storedBytes
  }

  /** @returns bytes that nobody changes. @throws MaasError DATA_UNREACHABLE */
  read(id: Buffer): Buffer {
    const key = id.toString('latin1')
    const cached = this.#cache.get(key)
    if (cached !== undefined) {
      this.#cache.delete(key)
      this.#cache.set(key, cached)
      return cached
    }
    const raw = this.#fetch(key)
    // What may be read was shown, so it need not be sent either.
    this.#known.add(id, true)
    this.#keep(key, raw)
    return raw
  }

  /** Reads past the cache. @returns the first bytes of the target */
  readInto(id: Buffer, target: Buffer): Buffer {
    const raw = this.#fetch(id.toString('latin1'))
    raw.copy(target)
    return target.subarray(0, raw.length)
  }

  /** Asks for chunks that will be read soon, in this order. */
  readAhead(ids: readonly Buffer[]): void {
    if (this.#ahead.size > 0) {
      // What was announced and not read, a file that was there already, makes room.
      const still = new Set(ids.map((id) => id.toString('latin1')))
      for (const key of this.#ahead.keys()) if (!still.has(key)) this.#ahead.delete(key)
    }
    const room = Math.max(0, AHEAD_MAX - this.#pending.length - this.#ahead.size)
    const wanted = ids.filter((id) => !this.#isComing(id.toString('latin1'))).slice(0, room)
    for (let at = 0; at < wanted.length; at += READ_IDS_MAX) {
      this.#ask(wanted.slice(at, at + READ_IDS_MAX))
    }
  }

  close(): void {}

  #isComing(key: string): boolean {
    return this.#cache.has(key) || this.#ahead.has(key) || this.#pending.includes(key)
  }

  #fetch(key: string): Buffer {
    const arrived = this.#ahead.get(key)
    if (arrived !== undefined) {
      this.#ahead.delete(key)
      return arrived
    }
    if (!this.#pending.includes(key)) this.#ask([Buffer.from(key, 'latin1')])
    for (;;) {
      const { type, payload } = this.#receive()
      const next = this.#pending.shift()
      if (type !== FrameType.data || next === undefined) {
        throw dataViolation('a READ is answered by DATA')
      }
      if (next === key) return payload
      this.#ahead.set(next, payload)
    }
  }

  #ask(ids: readonly Buffer[]): void {
    this.#send(FrameType.read, Buffer.concat(ids))
    for (const id of ids) this.#pending.push(id.toString('latin1', 0, CHUNK_ID_SIZE))
  }

  #keep(key: string, raw: Buffer): void {
    this.#cache.set(key, raw)
    this.#cacheBytes += raw.length
    for (const [oldest, { length }] of this.#cache) {
      if (this.#cacheBytes <= CACHE_BYTES) break
      this.#cache.delete(oldest)
      this.#cacheBytes -= length
    }
  }

  #send(type: FrameType, payload: Buffer, chunkType = 0): void {
    const size = FRAME_HEADER_SIZE + payload.length
    if (this.#out.size - this.#out.filled < size) this.#sleep(() => this.#out.waitForRoom(size))
    if (this.#out.isOver) throw gone()
    writeFrameHeader(this.#header, type, { length: payload.length, chunkType })
    this.#out.write(this.#header)
    this.#out.write(payload, FRAME_HEADER_SIZE)
    this.#out.publish(size)
  }

  #receive(): { readonly type: number; readonly payload: Buffer } {
    this.#sleep(() => this.#in.waitForBytes(FRAME_HEADER_SIZE))
    const header = this.#in.peek(this.#header)
    const length = header.readUInt32LE(0)
    const type = header[4]!
    if (length > FRAME_PAYLOAD_MAX) throw dataViolation(`a frame of ${length} bytes`)
    this.#sleep(() => this.#in.waitForBytes(FRAME_HEADER_SIZE + length))
    const payload = this.#in.peek(Buffer.allocUnsafeSlow(length), FRAME_HEADER_SIZE)
    this.#in.release(FRAME_HEADER_SIZE + length)
    return { type, payload }
  }

  #sleep(wait: () => boolean): void {
    const beginMs = performance.now()
    const goesOn = wait()
    this.waitedMs += performance.now() - beginMs
    if (!goesOn) throw gone()
  }
}

/** The true reason is told by the channel's thread, to whoever runs the lanes. */
function gone(): MaasError {
  return new MaasError('DATA_UNREACHABLE', 'the connection to the node is gone')
}
