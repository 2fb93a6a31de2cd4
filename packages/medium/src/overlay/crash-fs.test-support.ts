/**
 * For tests: an Fs in memory that can be killed or lose power at any call, and that can fail a
 * sync or run out of space.
 *
 * Model: a file has current and durable bytes. A power loss keeps, of every unit (4 KiB of
 * `data`, 512 bytes of anything else) written since the last sync, the old or the new one at
 * random; likewise the size, and every name whose directory was not synced. A kill keeps all.
 */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, FileStat, Fs, OpenMode } from '@openmaas/kernel/fs'
import type { SeededRandom } from '@openmaas/kernel/random'

/** Thrown at the call at which the process ends. */
export class Crash extends Error {}

class CrashFile {
  bytes = Buffer.alloc(0)
  size = 0
  durable = Buffer.alloc(0)
  durableSize = 0
  readonly touched = new Set<number>()
  readonly unit: number
  locked = false

  constructor(unit: number) {
    this.unit = unit
  }

  reserve(size: number): void {
    if (size <= this.bytes.length) return
    const grown = Buffer.alloc(Math.max(size, this.bytes.length * 2, 8192))
    this.bytes.copy(grown)
    this.bytes = grown
  }

  touch(offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / this.unit)
    for (let i = Math.floor(offset / this.unit); i <= last; i += 1) this.touched.add(i)
  }

  sync(): void {
    if (this.durable.length < this.bytes.length) {
      this.durable = Buffer.concat([this.durable], this.bytes.length)
    }
    for (const i of this.touched) {
      this.bytes.copy(this.durable, i * this.unit, i * this.unit, (i + 1) * this.unit)
    }
    this.touched.clear()
    this.durableSize = this.size
  }

  losePower(random: SeededRandom): void {
    for (const i of this.touched) if (random.below(2) === 0) this.touched.delete(i)
    const size = random.below(2) === 0 ? this.size : this.durableSize
    this.sync()
    this.bytes = Buffer.from(this.durable)
    this.size = size
    this.durableSize = size
    this.bytes.fill(0, size)
    this.locked = false
  }
}

export class CrashFs implements Fs {
  readonly #random: SeededRandom
  #names = new Map<string, CrashFile>()
  #durableNames = new Map<string, CrashFile>()
  readonly #open = new Map<FileHandle, CrashFile>()
  #next = 3
  calls = 0
  /** The call at which `Crash` is thrown; 0 never. */
  crashAt = 0
  failSyncAt = 0
  noSpaceAt = 0
  syncs = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** The process is gone: nothing stays open or locked. */
  kill(): void {
    for (const file of this.#names.values()) file.locked = false
    this.#open.clear()
    this.crashAt = 0
  }

  losePower(): void {
    for (const [name, file] of this.#names) {
      if (!this.#durableNames.has(name) && this.#random.below(2) === 0) {
        this.#durableNames.set(name, file)
      }
    }
    for (const name of this.#durableNames.keys()) {
      if (!this.#names.has(name) && this.#random.below(2) === 0) this.#durableNames.delete(name)
    }
    this.#names = new Map(this.#durableNames)
    for (const file of new Set(this.#names.values())) file.losePower(this.#random)
    this.kill()
  }

  #step(): void {
    this.calls += 1
    if (this.calls === this.crashAt) throw new Crash()
  }

  open(name: string, mode: OpenMode): FileHandle {
    this.#step()
    let file = this.#names.get(name)
    if (mode === 'create') {
      if (file !== undefined) throw new MaasError('FS_EXISTS', 'open', { path: name })
      file = new CrashFile(path.basename(name) === 'data' ? 4096 : 512)
      this.#names.set(name, file)
    }
    if (file === undefined) throw new MaasError('FS_NOT_FOUND', 'open', { path: name })
    this.#next += 1
    this.#open.set(this.#next, file)
    return this.#next
  }

  close(handle: FileHandle): void {
    this.#open.delete(handle) // Unknown when the process that opened it has ended.
  }

  #file(handle: FileHandle): CrashFile {
    const file = this.#open.get(handle)
    if (file === undefined) throw new Error(`no open file ${handle}`)
    return file
  }

  read(handle: FileHandle, target: Uint8Array, offset: number): number {
    this.#step()
    const file = this.#file(handle)
    const count = Math.max(0, Math.min(target.length, file.size - offset))
    file.reserve(offset + count)
    target.set(file.bytes.subarray(offset, offset + count))
    return count
  }

  write(handle: FileHandle, bytes: Uint8Array, offset: number): void {
    const file = this.#file(handle)
    this.calls += 1
    const dies = this.calls === this.crashAt
    const full = this.calls === this.noSpaceAt
    let part = bytes
    if (dies || full) {
      // A part of it is there: up to the boundary of a unit of the file.
      const units = Math.floor((offset + bytes.length) / file.unit) - Math.floor(offset / file.unit)
      const end = (Math.floor(offset / file.unit) + this.#random.below(units + 1)) * file.unit
      part = bytes.subarray(0, Math.max(0, end - offset))
    }
    file.reserve(offset + part.length)
    file.bytes.set(part, offset)
    if (part.length > 0) file.touch(offset, part.length)
    file.size = Math.max(file.size, offset + part.length)
    if (dies) throw new Crash()
    if (full) throw new MaasError('FS_NO_SPACE', 'write', {})
  }

  truncate(handle: FileHandle, size: number): void {
    this.#step()
    const file = this.#file(handle)
    file.reserve(Math.max(size, file.size))
    if (size < file.size) {
      file.bytes.fill(0, size, file.size)
      file.touch(size, file.size - size)
    }
    file.size = size
  }

  punch = (handle: FileHandle, offset: number, length: number): void => {
    this.#step()
    const file = this.#file(handle)
    file.reserve(offset + length)
    file.bytes.fill(0, offset, offset + length)
    file.touch(offset, length)
  }

  size(handle: FileHandle): number {
    return this.#file(handle).size
  }

  dataSync(handle: FileHandle): void {
    this.#step()
    this.syncs += 1
    if (this.syncs === this.failSyncAt) throw new MaasError('FS_IO', 'fdatasync', {})
    this.#file(handle).sync()
  }

  syncDirectory(directory: string): void {
    this.#step()
    for (const [name, file] of this.#names) {
      if (path.dirname(name) === directory) this.#durableNames.set(name, file)
    }
    for (const name of this.#durableNames.keys()) {
      const gone = path.dirname(name) === directory && !this.#names.has(name)
      if (gone) this.#durableNames.delete(name)
    }
  }

  rename(source: string, target: string): void {
    this.#step()
    const file = this.#names.get(source)
    if (file === undefined) throw new MaasError('FS_NOT_FOUND', 'rename', { path: source })
    this.#names.delete(source)
    this.#names.set(target, file)
  }

  unlink(name: string): void {
    this.#step()
    if (!this.#names.delete(name)) throw new MaasError('FS_NOT_FOUND', 'unlink', { path: name })
  }

  /** Directories exist by the names in them. */
  makeDirectory(): void {}
  removeDirectory(): void {}

  readDirectory(directory: string): string[] {
    const names = [...this.#names.keys()].filter((name) => name.startsWith(`${directory}/`))
    return [...new Set(names.map((name) => name.slice(directory.length + 1).split('/')[0]!))]
  }

  stat(name: string): FileStat | undefined {
    const file = this.#names.get(name)
    if (file !== undefined) return { size: file.size, kind: 'file', mtimeMs: 0 }
    if (this.readDirectory(name).length === 0) return undefined
    return { size: 0, kind: 'directory', mtimeMs: 0 }
  }

  freeBytes(): number {
    return 2 ** 40
  }

  tryLock(handle: FileHandle): boolean {
    const file = this.#file(handle)
    if (file.locked) return false
    file.locked = true
    return true
  }

  /** Flips one bit, durably: damage at rest. */
  damage(name: string, bit: number): void {
    const file = this.#names.get(name)!
    file.bytes[bit >> 3]! ^= 1 << (bit & 7)
    file.touch(bit >> 3, 1)
    file.sync()
  }
}
