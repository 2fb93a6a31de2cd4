/**
 * The one interface that every medium is and every protocol server sees (DESIGN.md, section 3).
 *
 * Offsets and lengths are bytes. Any range inside [0, size) is served; `blockSize` is what is
 * efficient, not what is required. A method returns nothing when it has already been done, and a
 * promise when it has to wait: hot paths stay free of promises, a remote device can still be one.
 *
 * Promises of an implementation (checked by testkit `verifyBlockDevice`):
 * - a read sees every write that has returned or resolved before it was called;
 * - `flush` returns only when every write completed before it is durable;
 * - `trim` may leave any of: old bytes, zeros; `writeZeroes` reads back as zeros;
 * - `blockStatus` covers exactly the asked range, in order, without overlap;
 * - out of range is an assertion in the engine; servers check before they call.
 */
export type Completion = void | Promise<void>

export interface BlockExtent {
  readonly offset: number
  readonly length: number
  /** Nothing is allocated for the range; it may still read as something (a lower layer). */
  readonly hole: boolean
  /** True when the range is known to read as zeros. */
  readonly zero: boolean
}

export interface BlockDevice {
  readonly size: number
  /** Preferred I/O unit, a power of two, at least 512. */
  readonly blockSize: number
  readonly readOnly: boolean
  /** Fills the whole target. */
  read(offset: number, target: Buffer): Completion
  write(offset: number, source: Buffer): Completion
  trim(offset: number, length: number): Completion
  writeZeroes(offset: number, length: number): Completion
  flush(): Completion
  blockStatus(offset: number, length: number): BlockExtent[] | Promise<BlockExtent[]>
  close(): Completion
}

/** A device that never waits: the engine's own stack, run in worker threads. */
export interface SyncBlockDevice extends BlockDevice {
  read(offset: number, target: Buffer): void
  write(offset: number, source: Buffer): void
  trim(offset: number, length: number): void
  writeZeroes(offset: number, length: number): void
  flush(): void
  blockStatus(offset: number, length: number): BlockExtent[]
  close(): void
}
