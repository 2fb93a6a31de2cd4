/**
 * The thread of one data connection: takes frames apart, stores what comes under the id it
 * computes itself, answers reads of what was shown, and checks the snapshot before its commit.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { CHUNK_ID_SIZE, CHUNK_SIZE_MAX, ChunkType, isChunkType } from '@openmaas/pool/chunk/chunk'
import { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import { SessionLane } from '@openmaas/pool/pool/lane'
import {
  dataViolation,
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameType,
  READ_IDS_MAX,
} from '@openmaas/protocols/data/frames'
import { IdSet } from './id-table.ts'
import { ANSWERS_MAX, type FromLane, type LaneSetup, type ToLane } from './lane-messages.ts'
import { Shown, ShownKind } from './shown.ts'
import { verifySnapshot } from './verify-snapshot.ts'

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromLane, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer)

class DataLane {
  readonly #decoder = new FrameDecoder()
  readonly #received = new IdSet()
  readonly #shown: Shown
  readonly #chunks: ChunkReader
  readonly #sink: SessionLane | undefined
  /** Bytes that wait until answers have left. */
  readonly #waiting: Buffer[] = []
  #frames: Iterator<Frame> | undefined
  #unsent = 0
  #busyMs = 0
  #dirty = false

  constructor({ reader, session, shown }: LaneSetup) {
    const fs = new NodeFs()
    this.#shown = new Shown(shown)
    this.#chunks = new ChunkReader(reader, { fs })
    this.#sink =
      session &&
      new SessionLane(session, {
        fs,
        random: systemRandom,
        onSealed: (pack) => post({ kind: 'sealed', pack }),
      })
  }

  receive(message: ToLane): void {
    switch (message.kind) {
      case 'bytes':
        this.#waiting.push(asBuffer(message.bytes))
        this.#pump()
        return
      case 'sent':
        this.#unsent -= message.count
        this.#pump()
        return
      case 'verify': {
        const { snapshot: kind, root } = message
        const tables = message.received.map((words) => IdSet.of(words))
        const verified = verifySnapshot({
          kind,
          root: Buffer.from(root, 'hex'),
          source: this.#chunks,
          shown: this.#shown,
          received: (id) => tables.some((table) => table.has(id)),
        })
        post({ kind: 'verified', verified })
        return
      }
      case 'stop':
        this.close()
        port.close()
        return
      default:
        unreachable(message)
    }
  }

  close(): void {
    this.#sink?.close()
    this.#chunks.close()
  }

  /** Works until nothing is there, or too many answers wait to be sent. */
  #pump(): void {
    for (;;) {
      if (this.#unsent >= ANSWERS_MAX) return
      if (this.#frames === undefined) {
        const bytes = this.#waiting.shift()
        if (bytes === undefined) return
        post({ kind: 'taken', count: bytes.length })
        this.#frames = this.#decoder.receive(bytes)
      }
      const next = this.#frames.next()
      if (next.done === true) this.#frames = undefined
      else this.#handle(next.value)
    }
  }

  #handle({ type, chunkType, payload }: Frame): void {
    switch (type) {
      case FrameType.chunk:
        this.#store(chunkType, payload)
        return
      case FrameType.read:
        this.#read(payload)
        return
      case FrameType.flush: {
        const sink = this.#capture()
        if (payload.length > 0) throw dataViolation('a FLUSH with a payload')
        const beginMs = performance.now()
        sink.flush()
        this.#busyMs += performance.now() - beginMs
        this.#dirty = false
        const { newBytes, storedBytes } = sink.counters
        const report = { newBytes, storedBytes, busyMs: this.#busyMs }
        post({ kind: 'flushed', report, received: this.#received.words })
        return
      }
      case FrameType.commit:
        this.#capture()
        post({ kind: 'commit', payload: Buffer.from(payload) })
        return
      default:
        throw dataViolation(`frame ${type} is not for the node, or not now`)
    }
  }

  #store(chunkType: number, raw: Buffer): void {
    const sink = this.#capture()
    if (!isChunkType(chunkType) || chunkType === ChunkType.manifest) {
      throw dataViolation(`chunk type ${chunkType}`)
    }
    if (raw.length === 0 || raw.length > CHUNK_SIZE_MAX) {
      throw dataViolation(`a chunk of ${raw.length} bytes`)
    }
    if (!this.#dirty) post({ kind: 'dirty' })
    this.#dirty = true
    const beginMs = performance.now()
    // Rule: the id is computed from the bytes, here; what the agent believes does not count.
    this.#received.add(sink.put(chunkType, raw))
    this.#busyMs += performance.now() - beginMs
  }

  #read(payload: Buffer): void {
    const count = payload.length / CHUNK_ID_SIZE
    if (!Number.isInteger(count) || count < 1 || count > READ_IDS_MAX) {
      throw dataViolation(`a READ of ${payload.length} bytes`)
    }
    for (let at = 0; at < payload.length; at += CHUNK_ID_SIZE) {
      this.#answer(payload.subarray(at, at + CHUNK_ID_SIZE))
    }
  }

  #answer(id: Buffer): void {
    const kinds = this.#shown.kindsOf(id)
    const readable = kinds.filter((kind) => kind !== ShownKind.dataLeaf || this.#sink === undefined)
    if (readable.length === 0) {
      const details = { chunkId: id.toString('hex') }
      throw new MaasError('DATA_REFUSED', 'the chunk was not shown to this session', details)
    }
    const raw = this.#chunks.read(id)
    // Before the answer leaves: what stands in it may be asked for at once.
    for (const kind of readable) this.#shown.showReferences(kind, raw)
    const frame = encodeFrame(FrameType.data, raw)
    const bytes = new Uint8Array(frame) // A copy that owns its memory, to be transferred.
    this.#unsent += bytes.length
    post({ kind: 'answer', bytes }, [bytes.buffer])
  }

  #capture(): SessionLane {
    if (this.#sink !== undefined) return this.#sink
    throw dataViolation('a restore sends nothing')
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const lane = new DataLane(workerData as LaneSetup)
port.on('message', (message: ToLane) => {
  try {
    lane.receive(message)
  } catch (error) {
    // The session is over: the main thread ends all its threads.
    post({ kind: 'failed', error: errorToMessage(error) })
  }
})
