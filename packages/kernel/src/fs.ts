/**
 * The file system as the pool and the overlays see it: few operations, all synchronous, so that
 * the same code runs in worker threads (NodeFs, kernel/node-fs.ts) and in the deterministic
 * simulator (simulation/sim-fs.ts), where every call is a point of crash.
 *
 * Every method throws MaasError: `FS_NOT_FOUND`, `FS_EXISTS`, `FS_NO_SPACE`, `FS_DENIED`,
 * `FS_LIMIT` (EMFILE, ENOMEM) or `FS_IO` (everything else), with `details.path` and
 * `details.errno`. A failed fsync must never be called again on the same file: the kernel has
 * dropped the dirty pages and would answer success (POOL.md, section 3).
 */
export type FileHandle = number

export interface FileStat {
  readonly size: number
  readonly kind: 'file' | 'directory' | 'other'
  readonly mtimeMs: number
}

export type OpenMode =
  /** Existing file, reading only. */
  | 'read'
  /** Existing file, reading and writing. */
  | 'readWrite'
  /** New file, reading and writing; fails with FS_EXISTS when the name is taken. */
  | 'create'

export interface OpenOptions {
  /**
   * Bypass the page cache where the file system can (O_DIRECT). Then offset, length and buffer
   * address of every write are multiples of DIRECT_ALIGNMENT; `alignedBuffer` gives such buffers.
   * Silently buffered where the file system refuses it (tmpfs of older kernels).
   */
  readonly direct?: boolean
}

/** Offsets, lengths and addresses of direct writes are multiples of this many bytes. */
export const DIRECT_ALIGNMENT = 4096

export interface Fs {
  open(path: string, mode: OpenMode, options?: OpenOptions): FileHandle
  close(file: FileHandle): void
  /** Reads at most target.length bytes at the offset; returns the count, short only at the end. */
  read(file: FileHandle, target: Uint8Array, offset: number): number
  /** Writes all bytes at the offset, or throws. */
  write(file: FileHandle, bytes: Uint8Array, offset: number): void
  truncate(file: FileHandle, size: number): void
  size(file: FileHandle): number
  /** Makes content and size durable. */
  dataSync(file: FileHandle): void
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void
  /** Replaces the target atomically. */
  rename(source: string, target: string): void
  unlink(path: string): void
  /** Creates the directory and its missing parents; an existing one is fine. */
  makeDirectory(path: string): void
  removeDirectory(path: string): void
  /** Names in the directory, in no order, without `.` and `..`. */
  readDirectory(path: string): string[]
  stat(path: string): FileStat | undefined
  /** Bytes an unprivileged writer may still allocate there. */
  freeBytes(path: string): number
  /**
   * Takes an exclusive advisory lock that ends with the process (flock).
   * @returns false when another process holds it
   */
  tryLock(file: FileHandle): boolean
}
