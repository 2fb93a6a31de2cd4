/**
 * The `dirty` file: changes of state that no flush has made durable yet. It is never synced. The
 * page cache keeps it when the engine is killed; the boot id voids it after a power loss.
 */
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import {
  decodeDirtyHeader,
  decodeDirtyRecord,
  DIRTY_HEADER_SIZE,
  DIRTY_RECORD_SIZE,
  type DirtyHeader,
  encodeDirtyHeader,
  encodeDirtyRecord,
  type GrainRun,
  RUN_GRAINS_MAX,
} from './format.ts'

/** 32 MiB of file and one journal write of at most as much; then a compaction empties it. */
export const DIRTY_RECORDS_MAX = 2 ** 20
/** Emptying changes the file's metadata: not worth it for fewer records. */
export const DIRTY_TRUNCATE_MIN = 4096
/** Records read in one piece. */
const READ_RECORDS = 8192

export class DirtyLog {
  readonly #fs: Fs
  readonly #file: FileHandle
  readonly #grainCount: number
  readonly #record = Buffer.alloc(DIRTY_RECORD_SIZE)

  constructor(fs: Fs, file: FileHandle, grainCount: number) {
    this.#fs = fs
    this.#file = file
    this.#grainCount = grainCount
  }

  /** Caller holds the log lock and counts the slots. */
  write(slot: number, run: GrainRun): void {
    encodeDirtyRecord(this.#record, slot, run)
    this.#fs.write(this.#file, this.#record, DIRTY_HEADER_SIZE + slot * DIRTY_RECORD_SIZE)
  }

  /** The records of slots [first, end); ends early at the first that is not whole. */
  *read(first: number, end: number): Generator<GrainRun> {
    const piece = Buffer.alloc(Math.min(READ_RECORDS, end - first) * DIRTY_RECORD_SIZE)
    let slot = first
    while (slot < end) {
      const target = piece.subarray(0, Math.min(piece.length, (end - slot) * DIRTY_RECORD_SIZE))
      const offset = DIRTY_HEADER_SIZE + slot * DIRTY_RECORD_SIZE
      const length = this.#fs.read(this.#file, target, offset)
      for (let at = 0; at + DIRTY_RECORD_SIZE <= target.length; at += DIRTY_RECORD_SIZE) {
        if (at + DIRTY_RECORD_SIZE > length) return
        const bytes = target.subarray(at, at + DIRTY_RECORD_SIZE)
        const run = decodeDirtyRecord(bytes, slot, this.#grainCount)
        if (run === undefined) return
        yield run
        slot += 1
      }
    }
  }

  /** Empties the file and ties it to this boot. */
  reset(bootId: string): void {
    // Keeps the block of the header: a full disk would not give it another.
    this.#fs.truncate(this.#file, DIRTY_HEADER_SIZE)
    this.#fs.write(this.#file, encodeDirtyHeader({ bootId, failed: false }), 0)
  }

  /** Tells the engines of this boot that come after this one that a sync has failed. */
  markFailed(bootId: string): void {
    this.#fs.write(this.#file, encodeDirtyHeader({ bootId, failed: true }), 0)
  }

  /** Drops all records; the header stays. */
  truncate(): void {
    this.#fs.truncate(this.#file, DIRTY_HEADER_SIZE)
  }

  /** The header, when it is of this boot. */
  header(bootId: string): DirtyHeader | undefined {
    const bytes = Buffer.alloc(DIRTY_HEADER_SIZE)
    if (this.#fs.read(this.#file, bytes, 0) < DIRTY_HEADER_SIZE) return undefined
    const header = decodeDirtyHeader(bytes)
    return header?.bootId === bootId ? header : undefined
  }

  /** The most records the file can hold. */
  recordCount(): number {
    return Math.floor((this.#fs.size(this.#file) - DIRTY_HEADER_SIZE) / DIRTY_RECORD_SIZE)
  }
}

/** Cuts a run into what one record can say. */
export function* cutRun(run: GrainRun): Generator<GrainRun> {
  for (let done = 0; done < run.count; done += RUN_GRAINS_MAX) {
    const count = Math.min(RUN_GRAINS_MAX, run.count - done)
    yield { first: run.first + done, count, state: run.state }
  }
}
