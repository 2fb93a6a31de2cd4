/**
 * A file system in memory, without faults: quick tests of what is built on `Fs`. It keeps the
 * same promises as NodeFs (verify-fs.ts); crashes and lies are the simulator's.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import { systemClock } from '@openmaas/kernel/clock'
import type { FileHandle, FileStat, Fs, OpenMode, OpenOptions } from '@openmaas/kernel/fs'
import { DIRECT_ALIGNMENT } from '@openmaas/kernel/fs'
import { fsError } from '@openmaas/kernel/fs-errors'

interface FileNode {
  readonly kind: 'file'
  /** At least `size` bytes; zeros behind it. */
  bytes: Buffer
  size: number
  mtimeMs: number
  /** The handle that holds the lock. */
  lock: FileHandle | undefined
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly names: Map<string, FileNode | DirectoryNode>
  mtimeMs: number
}

interface OpenFile {
  readonly path: string
  readonly node: FileNode
  readonly writable: boolean
  readonly direct: boolean
}

export interface MemoryFsOptions {
  readonly clock?: Clock
  /** Bytes of content all files may have together; FS_NO_SPACE beyond. */
  readonly capacity?: number
}

/** Far more than a test needs; a leak of handles shows as FS_LIMIT instead of never. */
const HANDLES_MAX = 65_536
/** Descriptors begin where no other meaning of a small number is mistaken for one. */
const HANDLE_FIRST = 1000

export class MemoryFs implements Fs {
  readonly #root: DirectoryNode
  readonly #open = new Map<FileHandle, OpenFile>()
  readonly #clock: Clock
  readonly #capacity: number
  #used = 0
  #nextHandle = HANDLE_FIRST

  constructor(options: MemoryFsOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#capacity = options.capacity ?? 2 ** 40
    this.#root = { kind: 'directory', names: new Map(), mtimeMs: this.#clock.wallMs() }
  }

  open(path: string, mode: OpenMode, options: OpenOptions = {}): FileHandle {
    if (this.#open.size >= HANDLES_MAX) throw fsError('EMFILE', 'open', path)
    const { parent, name } = this.#parentOf(path, 'open')
    let node = parent.names.get(name)
    if (mode === 'create') {
      if (node !== undefined) throw fsError('EEXIST', 'open', path)
      const mtimeMs = this.#clock.wallMs()
      node = { kind: 'file', bytes: Buffer.alloc(0), size: 0, mtimeMs, lock: undefined }
      parent.names.set(name, node)
      parent.mtimeMs = mtimeMs
    }
    if (node === undefined) throw fsError('ENOENT', 'open', path)
    if (node.kind === 'directory') throw fsError('EISDIR', 'open', path)
    const handle = (this.#nextHandle += 1)
    const direct = options.direct ?? false
    this.#open.set(handle, { path, node, writable: mode !== 'read', direct })
    return handle
  }

  close(file: FileHandle): void {
    const { node } = this.#file(file)
    if (node.lock === file) node.lock = undefined
    this.#open.delete(file)
  }

  read(file: FileHandle, target: Uint8Array, offset: number): number {
    const { node } = this.#file(file)
    const count = Math.max(0, Math.min(target.length, node.size - offset))
    target.set(node.bytes.subarray(offset, offset + count))
    return count
  }

  write(file: FileHandle, bytes: Uint8Array, offset: number): void {
    const { node, path } = this.#writable(file, 'write')
    const { direct } = this.#file(file)
    if (direct) {
      const aligned = offset % DIRECT_ALIGNMENT === 0 && bytes.length % DIRECT_ALIGNMENT === 0
      assert(aligned, 'a direct write is aligned')
    }
    if (bytes.length === 0) return
    this.#resize(node, Math.max(node.size, offset + bytes.length), path)
    node.bytes.set(bytes, offset)
    node.mtimeMs = this.#clock.wallMs()
  }

  truncate(file: FileHandle, size: number): void {
    const { node, path } = this.#writable(file, 'truncate')
    this.#resize(node, size, path)
    node.mtimeMs = this.#clock.wallMs()
  }

  size(file: FileHandle): number {
    return this.#file(file).node.size
  }

  dataSync(file: FileHandle): void {
    this.#file(file)
  }

  syncDirectory(path: string): void {
    this.#directory(path, 'sync directory')
  }

  rename(source: string, target: string): void {
    const from = this.#parentOf(source, 'rename')
    const node = from.parent.names.get(from.name)
    if (node === undefined) throw fsError('ENOENT', 'rename', source)
    const to = this.#parentOf(target, 'rename')
    const old = to.parent.names.get(to.name)
    if (old === node) return
    if (old?.kind === 'directory') {
      if (node.kind === 'file') throw fsError('EISDIR', 'rename', target)
      if (old.names.size > 0) throw fsError('ENOTEMPTY', 'rename', target)
    }
    if (old?.kind === 'file' && node.kind === 'directory') {
      throw fsError('ENOTDIR', 'rename', target)
    }
    to.parent.names.set(to.name, node)
    from.parent.names.delete(from.name)
    if (old !== undefined) this.#forget(old)
  }

  unlink(path: string): void {
    const { parent, name } = this.#parentOf(path, 'unlink')
    const node = parent.names.get(name)
    if (node === undefined) throw fsError('ENOENT', 'unlink', path)
    if (node.kind === 'directory') throw fsError('EISDIR', 'unlink', path)
    parent.names.delete(name)
    this.#forget(node)
  }

  makeDirectory(path: string): void {
    let directory = this.#root
    for (const name of split(path)) {
      let next = directory.names.get(name)
      if (next?.kind === 'file') throw fsError('EEXIST', 'make directory', path)
      if (next === undefined) {
        next = { kind: 'directory', names: new Map(), mtimeMs: this.#clock.wallMs() }
        directory.names.set(name, next)
      }
      directory = next
    }
  }

  removeDirectory(path: string): void {
    const { parent, name } = this.#parentOf(path, 'remove directory')
    if (this.#directory(path, 'remove directory').names.size > 0) {
      throw fsError('ENOTEMPTY', 'remove directory', path)
    }
    parent.names.delete(name)
  }

  readDirectory(path: string): string[] {
    return [...this.#directory(path, 'read directory').names.keys()]
  }

  stat(path: string): FileStat | undefined {
    let node: FileNode | DirectoryNode | undefined = this.#root
    for (const name of split(path)) {
      node = node?.kind === 'directory' ? node.names.get(name) : undefined
    }
    if (node === undefined) return undefined
    return { size: node.kind === 'file' ? node.size : 0, kind: node.kind, mtimeMs: node.mtimeMs }
  }

  freeBytes(path: string): number {
    this.#directory(path, 'statfs')
    return this.#capacity - this.#used
  }

  tryLock(file: FileHandle): boolean {
    const { node } = this.#file(file)
    if (node.lock !== undefined && node.lock !== file) return false
    node.lock = file
    return true
  }

  /** Handles still open: a test of clean closing looks here. */
  get openCount(): number {
    return this.#open.size
  }

  #file(file: FileHandle): OpenFile {
    const open = this.#open.get(file)
    assert(open !== undefined, 'a file is open when it is used')
    return open
  }

  #writable(file: FileHandle, call: string): OpenFile {
    const open = this.#file(file)
    if (!open.writable) throw fsError('EBADF', call, open.path)
    return open
  }

  #resize(node: FileNode, size: number, path: string): void {
    const growth = size - node.size
    if (this.#used + growth > this.#capacity) throw fsError('ENOSPC', 'write', path)
    this.#used += growth
    if (size > node.bytes.length) {
      const larger = Buffer.alloc(Math.max(size, node.bytes.length * 2))
      larger.set(node.bytes.subarray(0, node.size))
      node.bytes = larger
    } else if (size < node.size) {
      node.bytes.fill(0, size, node.size)
    }
    node.size = size
  }

  #forget(node: FileNode | DirectoryNode): void {
    if (node.kind === 'file') this.#used -= node.size
  }

  /** @param asked the path that an error names */
  #directory(path: string, call: string, asked = path): DirectoryNode {
    let node: FileNode | DirectoryNode = this.#root
    for (const name of split(path)) {
      const next: FileNode | DirectoryNode | undefined =
        node.kind === 'directory' ? node.names.get(name) : undefined
      if (next === undefined) throw fsError('ENOENT', call, asked)
      node = next
    }
    if (node.kind === 'file') throw fsError('ENOTDIR', call, asked)
    return node
  }

  #parentOf(path: string, call: string): { parent: DirectoryNode; name: string } {
    const names = split(path)
    const name = names.pop()
    if (name === undefined) throw fsError('EBUSY', call, path)
    return { parent: this.#directory(`/${names.join('/')}`, call, path), name }
  }
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
