/**
 * The index as one thread sees it: look-ups in memtables and runs, and inserts by lanes. Never
 * waits for the owner, except when every memtable is full.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { Location } from '../pool/types.ts'
import { Arena, MEMTABLE_COUNT_MAX, MemtableState, Word } from './arena.ts'
import type { RunDirectoryEntry } from './arena.ts'
import { FENCE_SIZE } from './run-format.ts'
import { RunReader } from './run-reader.ts'
import { PackTable } from './pack-table.ts'
import type { PackTableBuffers } from './pack-table.ts'
import type { Memtable } from './memtable.ts'

/** Everything another thread needs to see the index. Structured-cloneable. */
export interface IndexHandoff {
  readonly arena: SharedArrayBuffer
  readonly packs: PackTableBuffers
  /** Directory of the run files. */
  readonly directory: string
}

/** A look-up is repeated while the owner changes the directory; each change takes microseconds. */
const LOOKUP_ATTEMPTS_MAX = 1_000_000
/** A lane waits for the owner to empty a memtable: 3,000 times 100 ms, then it gives up. */
const RELIEF_WAIT_MS = 100
const RELIEF_WAITS_MAX = 3_000

export type Accept = (packNo: number) => boolean

export class IndexView {
  readonly arena: Arena
  readonly packs: PackTable
  readonly #fs: Fs
  readonly #directory: string
  /** Makes room when every memtable is full; in a lane's thread it waits for the owner. */
  readonly #relieve: () => void
  readonly #memtables: (Memtable | undefined)[] = []
  #runs: { entry: RunDirectoryEntry; reader: RunReader }[] = []
  #version = -1
  #waits = 0

  constructor(handoff: IndexHandoff, deps: { fs: Fs; relieve?: () => void }) {
    this.arena = new Arena(handoff.arena)
    this.packs = new PackTable(handoff.packs)
    this.#fs = deps.fs
    this.#directory = handoff.directory
    this.#relieve = deps.relieve ?? (() => this.#waitForOwner())
  }

  /**
   * @returns a location whose pack the session may use (sessionNo 0: live packs only)
   */
  lookup(id: Buffer, sessionNo: number): Location | undefined {
    return this.find(id, (packNo) => this.packs.visible(packNo, sessionNo))
  }

  /** Offers the locations of the id until one is accepted; some may be offered twice. */
  find(id: Buffer, accept: Accept): Location | undefined {
    for (let attempt = 0; attempt < LOOKUP_ATTEMPTS_MAX; attempt += 1) {
      const version = this.arena.load(Word.version)
      if (version % 2 !== 0) continue
      if (version !== this.#version) this.#reload(version)
      let found: Location | undefined
      try {
        found = this.#findOnce(id, accept)
      } catch (error) {
        // A run may vanish under a thread that looks at the list of before the merge.
        const replaced = this.arena.load(Word.version) !== version
        if (!replaced || !isMaasError(error)) throw error
        continue
      }
      if (this.arena.load(Word.version) === version) return found
    }
    assert(false, 'the owner finishes its changes')
  }

  /** Every location of the id whose pack is accepted, each once. */
  findAll(id: Buffer, accept: Accept): Location[] {
    const found = new Map<number, Location>()
    for (;;) {
      const location = this.find(id, (packNo) => !found.has(packNo) && accept(packNo))
      if (location === undefined) return [...found.values()]
      found.set(location.packNo, location)
    }
  }

  /** True when a look-up met a damaged run: a miss then proves nothing. */
  get damaged(): boolean {
    return this.arena.load(Word.damaged) !== 0
  }

  insert(id: Buffer, location: Location): void {
    for (;;) {
      const active = this.arena.load(Word.active)
      const writers = this.arena.memtableWord(active, 1)
      Atomics.add(this.arena.words, writers, 1)
      try {
        const state = this.arena.load(this.arena.memtableWord(active, 0))
        const entries = this.arena.memtableWord(active, 2)
        const slotCount = this.arena.load(Word.slotCount)
        if (state === MemtableState.active) {
          const count = Atomics.add(this.arena.words, entries, 1)
          if (count < (slotCount * 3) / 4) {
            this.#waits = 0
            return this.#memtable(active).insert(id, location)
          }
          // Nowhere else to go: use the last quarter while it lasts.
          const rotated = this.#rotate(active)
          if (!rotated && count < slotCount - slotCount / 16) {
            return this.#memtable(active).insert(id, location)
          }
          Atomics.sub(this.arena.words, entries, 1)
          if (rotated) continue
        } else continue
      } finally {
        Atomics.sub(this.arena.words, writers, 1)
      }
      this.#relieve()
    }
  }

  /** Makes a free memtable the active one. @returns false when there is none */
  #rotate(from: number): boolean {
    const { words } = this.arena
    for (let next = 0; next < MEMTABLE_COUNT_MAX; next += 1) {
      if (this.arena.load(this.arena.memtableWord(next, 3)) === 0) continue
      const state = this.arena.memtableWord(next, 0)
      const taken = Atomics.compareExchange(words, state, MemtableState.free, MemtableState.active)
      if (taken !== MemtableState.free) continue
      Atomics.or(words, Word.inUse, 1 << next)
      if (Atomics.compareExchange(words, Word.active, from, next) === from) {
        Atomics.store(words, this.arena.memtableWord(from, 0), MemtableState.frozen)
      } else {
        // Another lane was faster.
        Atomics.and(words, Word.inUse, ~(1 << next))
        Atomics.store(words, state, MemtableState.free)
      }
      return true
    }
    return this.arena.load(Word.active) !== from
  }

  /** Makes the next memtable the active one, if there is a free one. */
  freezeActive(): void {
    this.#rotate(this.arena.load(Word.active))
  }

  close(): void {
    for (const { reader } of this.#runs.splice(0)) reader.close()
    this.#version = -1
  }

  #findOnce(id: Buffer, accept: Accept): Location | undefined {
    const inUse = this.arena.load(Word.inUse)
    for (let number = 0; number < MEMTABLE_COUNT_MAX; number += 1) {
      if ((inUse & (1 << number)) === 0) continue
      const found = this.#memtable(number).find(id, accept)
      if (found !== undefined) return found
    }
    for (const { reader } of this.#runs) {
      const found = this.#findInRun(reader, id, accept)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** A damaged block is no answer: the chunk is stored again, and the owner rebuilds the index. */
  #findInRun(reader: RunReader, id: Buffer, accept: Accept): Location | undefined {
    try {
      return reader.find(id, accept)
    } catch (error) {
      if (!isMaasError(error, 'INDEX_INVALID')) throw error
      Atomics.store(this.arena.words, Word.damaged, 1)
      return undefined
    }
  }

  #memtable(number: number): Memtable {
    return (this.#memtables[number] ??= this.arena.memtable(number))
  }

  #reload(version: number): void {
    const before = new Map(this.#runs.map((run) => [run.entry.fileNumber, run]))
    this.#runs = this.arena.runs().map((entry) => {
      const known = before.get(entry.fileNumber)
      before.delete(entry.fileNumber)
      return known ?? { entry, reader: this.#openRun(entry) }
    })
    for (const { reader } of before.values()) reader.close()
    this.#version = version
  }

  #openRun(entry: RunDirectoryEntry): RunReader {
    const { buffer } = this.arena
    return new RunReader(this.#fs, {
      path: runPath(this.#directory, entry.fileNumber),
      blockCount: entry.blockCount,
      fences: Buffer.from(buffer, entry.fences, entry.blockCount * FENCE_SIZE),
      bloom: new Uint32Array(buffer, entry.bloom, entry.bloomSize / 4),
    })
  }

  #waitForOwner(): void {
    this.#waits += 1
    if (this.#waits > RELIEF_WAITS_MAX) {
      throw new MaasError('FS_LIMIT', 'the index is full and its owner does not make room')
    }
    Atomics.add(this.arena.words, Word.pressure, 1)
    Atomics.notify(this.arena.words, Word.pressure)
    // The wake-up may come before the wait begins; so each wait is short.
    Atomics.wait(this.arena.words, Word.freed, this.arena.load(Word.freed), RELIEF_WAIT_MS)
  }
}

export function runPath(directory: string, fileNumber: number): string {
  return `${directory}/${String(fileNumber).padStart(8, '0')}.run`
}
