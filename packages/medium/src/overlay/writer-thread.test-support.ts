/**
 * For tests: a thread or a process that writes to an overlay on real files.
 *
 * As a worker: writes every `threads`-th piece of 512 bytes, grain by grain; all threads begin a
 * grain at the same moment, so that each first touch is a race. As a process
 * (directory in argv): writes counters
 * at random places for ever, and says each on stdout once it is done.
 */
import fs from 'node:fs'
import process from 'node:process'
import { isMainThread, workerData } from 'node:worker_threads'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { SeededRandom } from '@openmaas/kernel/random'
import { bootId } from '@openmaas/kernel/sysinfo'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { Overlay, type OverlayHandoff } from './overlay.ts'
import { prepareOverlay } from './prepare.ts'
import { punchHole } from './punch-hole.ts'

export interface WriterStart {
  readonly handoff: OverlayHandoff
  readonly thread: number
  readonly threads: number
  readonly pieces: number
  /** One Int32: how many threads have come to a grain, summed over all grains. */
  readonly meeting: SharedArrayBuffer
}

const PIECE = 512
const PIECES_PER_GRAIN = 8

function openOver(handoff: OverlayHandoff): Overlay {
  const base = new MemoryDevice({ size: handoff.size, readOnly: true })
  return new Overlay(handoff, base, { fs: new NodeFs(), punchHole })
}

function writePieces({ handoff, thread, threads, pieces, meeting }: WriterStart): void {
  const overlay = openOver(handoff)
  const arrived = new Int32Array(meeting)
  const grains = Math.ceil(pieces / PIECES_PER_GRAIN)
  for (let grain = 0; grain < grains; grain += 1) {
    Atomics.add(arrived, 0, 1)
    // Spins: waking up would take longer than the race lasts.
    while (Atomics.load(arrived, 0) < threads * (grain + 1));
    const first = grain * PIECES_PER_GRAIN
    for (let piece = first + thread; piece < first + PIECES_PER_GRAIN; piece += threads) {
      overlay.write(piece * PIECE, Buffer.alloc(PIECE, 1 + (piece % 251)))
    }
    if ((grain + thread) % 100 === 0) overlay.flush()
  }
  overlay.close()
}

function writeForever(directory: string, seed: number): void {
  const { handoff } = prepareOverlay({ fs: new NodeFs(), directory, bootId: bootId() })
  const overlay = openOver(handoff)
  const random = new SeededRandom(seed)
  for (let count = 1; ; count += 1) {
    const piece = random.below(handoff.size / PIECE)
    const bytes = Buffer.alloc(PIECE)
    bytes.writeUInt32LE(count)
    overlay.write(piece * PIECE, bytes)
    if (random.below(50) === 0) overlay.flush()
    if (random.below(300) === 0) overlay.compact()
    fs.writeSync(1, `${piece} ${count}\n`)
  }
}

if (!isMainThread) writePieces(workerData as WriterStart)
else if (process.argv[3] !== undefined) writeForever(process.argv[2]!, Number(process.argv[3]))
