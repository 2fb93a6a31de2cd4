/**
 * For tests: a thread or a process that writes to an overlay on real files.
 *
 * As a worker: writes every `threads`-th piece of 512 bytes of a range, in random order, so that
 * threads meet in the same grains all the time. As a process (directory in argv): writes counters
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
}

const PIECE = 512

function openOver(handoff: OverlayHandoff): Overlay {
  const base = new MemoryDevice({ size: handoff.size, readOnly: true })
  return new Overlay(handoff, base, { fs: new NodeFs(), punchHole })
}

function writePieces({ handoff, thread, threads, pieces }: WriterStart): void {
  const overlay = openOver(handoff)
  const random = new SeededRandom(thread + 1)
  const order = Array.from({ length: pieces }, (_, i) => i).filter((i) => i % threads === thread)
  for (let i = order.length - 1; i > 0; i -= 1) {
    const other = random.below(i + 1)
    ;[order[i], order[other]] = [order[other]!, order[i]!]
  }
  for (const [done, piece] of order.entries()) {
    overlay.write(piece * PIECE, Buffer.alloc(PIECE, 1 + (piece % 251)))
    if (done % 100 === 0) overlay.flush()
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
