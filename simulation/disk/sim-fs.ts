/**
 * The file system as one simulated process sees it. Several may run on one `SimDisk`; when the
 * machine dies they all do, and `kill` ends one alone. Faults come from the disk's rates.
 */
import { assert } from '@openmaas/kernel/assert'
import type { FileHandle, FileStat, Fs, OpenMode, OpenOptions } from '@openmaas/kernel/fs'
import { fsError } from '@openmaas/kernel/fs-errors'
import { SimDirectory } from './sim-directory.ts'
import type { SimNode } from './sim-directory.ts'
import { Crash, split } from './sim-disk.ts'
import type { SimDisk } from './sim-disk.ts'
import type { SimFile } from './sim-file.ts'

interface OpenFile {
  readonly path: string
  readonly brick: string
  readonly file: SimFile
  readonly writable: boolean
}

const HANDLE_FIRST = 1000
/** A leak of handles shows as FS_LIMIT instead of never. */
const HANDLES_MAX = 1024

export class SimFs implements Fs {
  readonly #disk: SimDisk
  readonly #epoch: number
  readonly #open = new Map<FileHandle, OpenFile>()
  #nextHandle = HANDLE_FIRST
  #killed = false
  #dying = false

  constructor(disk: SimDisk) {
    this.#disk = disk
    this.#epoch = disk.epoch
  }

  /** This process alone ends: its handles and locks are gone, the page cache stays. */
  kill(): void {
    for (const [handle, { file }] of this.#open) this.#unlock(handle, file)
    this.#open.clear()
    this.#killed = true
  }

  get openCount(): number {
    return this.#open.size
  }

  open(path: string, mode: OpenMode, _options: OpenOptions = {}): FileHandle {
    this.#enter('open', path)
    if (this.#open.size >= HANDLES_MAX) throw fsError('EMFILE', 'open', path)
    if (this.#disk.strikes('open')) throw fsError('EMFILE', 'open', path)
    const { parent, name, brick } = this.#parentOf(path, 'open')
    let node = parent.get(name)
    if (mode === 'create') {
      if (node !== undefined) throw fsError('EEXIST', 'open', path)
      node = this.#disk.makeFile(name)
      this.#setName(parent, name, node)
    }
    if (node === undefined) throw fsError('ENOENT', 'open', path)
    if (node.kind === 'directory') throw fsError('EISDIR', 'open', path)
    this.#leave()
    this.#nextHandle += 1
    this.#open.set(this.#nextHandle, { path, brick, file: node, writable: mode !== 'read' })
    return this.#nextHandle
  }

  close(handle: FileHandle): void {
    this.#alive()
    const { file } = this.#file(handle)
    this.#unlock(handle, file)
    this.#open.delete(handle)
  }

  read(handle: FileHandle, target: Uint8Array, offset: number): number {
    const { file, path, brick } = this.#use('read', handle)
    const faulty = brick === this.#disk.faultyBrick && this.#disk.strikes('read')
    if (faulty) throw fsError('EIO', 'read', path)
    this.#leave()
    return file.read(target, offset)
  }

  write(handle: FileHandle, bytes: Uint8Array, offset: number): void {
    const { file, path, brick } = this.#writable('write', handle)
    const end = offset + bytes.length
    const fails = this.#disk.strikes('write')
    const roomy = this.#disk.allocate(brick, Math.max(0, end - file.size))
    if (!this.#dying && !fails && roomy) {
      file.write(bytes, offset)
    } else {
      // A part of it is there, up to a boundary of units; not all of it when the call fails.
      const { unit } = file
      const units = Math.ceil(end / unit) - Math.floor(offset / unit) + (this.#dying ? 1 : 0)
      const stop = (Math.floor(offset / unit) + this.#disk.random.below(units)) * unit
      const length = Math.max(0, Math.min(end, stop) - offset)
      if (roomy || length === 0) file.write(bytes.subarray(0, length), offset)
    }
    file.mtimeMs = this.#disk.clock.wallMs()
    this.#disk.noteFile(file)
    this.#leave()
    if (!roomy) {
      this.#disk.counts.noSpace += 1
      throw fsError('ENOSPC', 'write', path)
    }
    if (fails) throw fsError(this.#disk.random.below(2) === 0 ? 'EIO' : 'ENOSPC', 'write', path)
  }

  truncate(handle: FileHandle, size: number): void {
    const { file, path, brick } = this.#writable('truncate', handle)
    // Growing makes a hole, which takes no space until it is written; it is counted all the same.
    if (!this.#disk.allocate(brick, size - file.size)) throw fsError('ENOSPC', 'truncate', path)
    file.resize(size)
    this.#disk.noteFile(file)
    this.#leave()
  }

  size(handle: FileHandle): number {
    this.#alive()
    return this.#file(handle).file.size
  }

  dataSync(handle: FileHandle): void {
    const { file, path } = this.#use('dataSync', handle)
    if (this.#dying) this.#leave()
    if (this.#disk.strikes('dataSync')) {
      this.#disk.syncFailed()
      file.failSync(this.#disk.random)
      this.#disk.noteFile(file)
      throw fsError('EIO', 'fdatasync', path)
    }
    file.sync()
    this.#disk.noteFile(file)
  }

  syncDirectory(path: string): void {
    this.#enter('syncDirectory', path)
    const directory = this.#directory(path, 'sync directory')
    if (this.#dying) this.#leave()
    if (this.#disk.strikes('syncDirectory')) throw fsError('EIO', 'fsync', path)
    directory.sync()
    this.#disk.noteDirectory(directory)
  }

  rename(source: string, target: string): void {
    this.#enter('rename', `${source} → ${target}`)
    if (this.#disk.strikes('name')) throw fsError('EIO', 'rename', source)
    const from = this.#parentOf(source, 'rename')
    const node = from.parent.get(from.name)
    if (node === undefined) throw fsError('ENOENT', 'rename', source)
    const to = this.#parentOf(target, 'rename')
    const old = to.parent.get(to.name)
    if (old === node) return this.#leave()
    if (old?.kind === 'directory') {
      if (node.kind === 'file') throw fsError('EISDIR', 'rename', target)
      if (old.size > 0) throw fsError('ENOTEMPTY', 'rename', target)
    }
    if (old?.kind === 'file' && node.kind === 'directory') {
      throw fsError('ENOTDIR', 'rename', target)
    }
    this.#disk.observer.onRemove?.(source, 'rename')
    this.#setName(to.parent, to.name, node)
    this.#setName(from.parent, from.name, undefined)
    if (old?.kind === 'file') this.#disk.allocate(to.brick, -old.size)
    this.#leave()
  }

  unlink(path: string): void {
    this.#enter('unlink', path)
    if (this.#disk.strikes('name')) throw fsError('EIO', 'unlink', path)
    const { parent, name, brick } = this.#parentOf(path, 'unlink')
    const node = parent.get(name)
    if (node === undefined) throw fsError('ENOENT', 'unlink', path)
    if (node.kind === 'directory') throw fsError('EISDIR', 'unlink', path)
    this.#disk.observer.onRemove?.(path, 'unlink')
    this.#setName(parent, name, undefined)
    this.#disk.allocate(brick, -node.size)
    this.#leave()
  }

  makeDirectory(path: string): void {
    this.#enter('makeDirectory', path)
    this.#checkBrick(path, 'make directory')
    if (this.#disk.strikes('name')) throw fsError('EIO', 'make directory', path)
    let directory = this.#disk.root
    for (const name of split(path)) {
      let next = directory.get(name)
      if (next?.kind === 'file') throw fsError('EEXIST', 'make directory', path)
      if (next === undefined) {
        next = new SimDirectory(this.#disk.clock.wallMs())
        this.#setName(directory, name, next)
      }
      directory = next
    }
    this.#leave()
  }

  removeDirectory(path: string): void {
    this.#enter('removeDirectory', path)
    const { parent, name } = this.#parentOf(path, 'remove directory')
    if (this.#directory(path, 'remove directory').size > 0) {
      throw fsError('ENOTEMPTY', 'remove directory', path)
    }
    this.#setName(parent, name, undefined)
    this.#leave()
  }

  readDirectory(path: string): string[] {
    this.#enter('readDirectory', path)
    if (this.#disk.strikes('name')) throw fsError('EIO', 'read directory', path)
    this.#leave()
    return this.#directory(path, 'read directory').names()
  }

  stat(path: string): FileStat | undefined {
    this.#enter('stat', path)
    this.#leave()
    if (this.#isLost(path)) return undefined
    const node = this.#disk.find(path)
    if (node === undefined) return undefined
    const size = node.kind === 'file' ? node.size : 0
    return { size, kind: node.kind, mtimeMs: node.mtimeMs }
  }

  freeBytes(path: string): number {
    this.#alive()
    this.#directory(path, 'statfs')
    return this.#disk.free(split(path)[0] ?? '')
  }

  tryLock(handle: FileHandle): boolean {
    this.#alive()
    const { file } = this.#file(handle)
    const open = this.#open.get(handle)
    if (file.lockedBy !== undefined && file.lockedBy !== open) return false
    file.lockedBy = open
    this.#disk.noteLock(file)
    return true
  }

  /** Outside of Fs: gives the space of a range back (OverlayDeps.punchHole). */
  punchHole = (handle: FileHandle, offset: number, length: number): void => {
    const { file } = this.#writable('punchHole', handle)
    file.punch(offset, length)
    this.#disk.noteFile(file)
    this.#leave()
  }

  #alive(): void {
    if (this.#killed || this.#disk.epoch !== this.#epoch) throw new Crash()
  }

  #enter(call: string, path: string): void {
    this.#alive()
    this.#dying = this.#disk.step(call, path)
  }

  /** The call has done what it does; if the machine was to die behind it, it does now. */
  #leave(): void {
    if (!this.#dying) return
    this.#disk.die()
    throw new Crash()
  }

  #use(call: string, handle: FileHandle): OpenFile {
    this.#alive()
    const open = this.#file(handle)
    this.#enter(call, open.path)
    if (open.brick === this.#disk.lostBrick) throw fsError('EIO', call, open.path)
    return open
  }

  #writable(call: string, handle: FileHandle): OpenFile {
    const open = this.#use(call, handle)
    if (!open.writable) throw fsError('EBADF', call, open.path)
    return open
  }

  #file(handle: FileHandle): OpenFile {
    const open = this.#open.get(handle)
    assert(open !== undefined, 'a file is open when it is used')
    return open
  }

  #unlock(handle: FileHandle, file: SimFile): void {
    if (file.lockedBy === this.#open.get(handle)) file.lockedBy = undefined
  }

  #setName(directory: SimDirectory, name: string, node: SimNode | undefined): void {
    directory.set(name, node)
    this.#disk.noteDirectory(directory)
  }

  #isLost(path: string): boolean {
    const { lostBrick } = this.#disk
    return lostBrick !== undefined && split(path)[0] === lostBrick
  }

  /** A brick that is gone is an empty mount point: no name in it exists. */
  #checkBrick(path: string, call: string): void {
    if (this.#isLost(path)) throw fsError('ENOENT', call, path)
  }

  /** @param asked the path that an error names */
  #directory(path: string, call: string, asked = path): SimDirectory {
    this.#checkBrick(path, call)
    const node = this.#disk.find(path)
    if (node === undefined) throw fsError('ENOENT', call, asked)
    if (node.kind === 'file') throw fsError('ENOTDIR', call, asked)
    return node
  }

  #parentOf(path: string, call: string): { parent: SimDirectory; name: string; brick: string } {
    const names = split(path)
    const name = names.pop()
    if (name === undefined) throw fsError('EBUSY', call, path)
    const parent = this.#directory(names.join('/'), call, path)
    return { parent, name, brick: names[0] ?? name }
  }
}
