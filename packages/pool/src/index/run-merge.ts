/** Merges sorted runs into one, dropping entries whose pack is gone. */
import { assert } from '@openmaas/kernel/assert'
import type { Fs } from '@openmaas/kernel/fs'
import { ID_SIZE } from './entry.ts'
import { RunReader } from './run-reader.ts'
import type { RunTables } from './run-reader.ts'
import { RunWriter } from './run-writer.ts'

/** Entries between two steps: about 10 ms of work. */
const ENTRIES_PER_STEP = 50_000

export interface MergeOptions {
  readonly fs: Fs
  readonly poolId: Buffer
  readonly inputs: readonly RunTables[]
  readonly entryCountMax: number
  readonly path: string
  readonly keep: (packNo: number) => boolean
}

/**
 * Merges step by step, so that the caller may let others run between two steps.
 * @returns entries written; with 0, or when it is ended early, no file is left
 */
export function* mergeRunFiles(options: MergeOptions): Generator<void, number> {
  const { fs, path, poolId, entryCountMax } = options
  const readers = options.inputs.map((tables) => new RunReader(fs, tables))
  const writer = new RunWriter({ fs, path, poolId, entryCountMax })
  let sealed = false
  try {
    yield* mergeEntries(readers, writer, options.keep)
    if (writer.entryCount > 0) {
      writer.seal()
      sealed = true
    }
    return writer.entryCount
  } finally {
    for (const reader of readers) reader.close()
    if (!sealed) {
      writer.abandon()
      fs.unlink(path)
    }
  }
}

function* mergeEntries(
  readers: readonly RunReader[],
  writer: RunWriter,
  keep: (packNo: number) => boolean,
): Generator<void> {
  const heads = readers.map((reader) => {
    const entries = reader.entries()
    return { entries, head: entries.next() }
  })
  for (let taken = 1; ; taken += 1) {
    let least: (typeof heads)[number] | undefined
    for (const candidate of heads) {
      if (candidate.head.done === true) continue
      if (least === undefined || isBefore(candidate.head.value, least.head.value)) least = candidate
    }
    if (least === undefined) return
    assert(least.head.done !== true, 'the least head is there')
    const { block, offset } = least.head.value
    if (keep(block.readUInt32LE(offset + ID_SIZE))) writer.append(block, offset)
    least.head = least.entries.next()
    if (taken % ENTRIES_PER_STEP === 0) yield
  }
}

interface Head {
  readonly block: Buffer
  readonly offset: number
}

function isBefore(a: Head, b: Head | void): boolean {
  if (b === undefined) return true
  return a.block.compare(b.block, b.offset, b.offset + ID_SIZE, a.offset, a.offset + ID_SIZE) < 0
}
