/**
 * A medium's device as one thread sees it. Memory per thread: the chunk caches of the reader, the
 * node caches of view and map; the grain maps are shared.
 */
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import type { Fs } from '@openmaas/kernel/fs'
import { ChunkReader, type ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import { punchHole } from '../overlay/punch-hole.ts'
import { type BuiltStack, buildStack, type StackDescription } from './build-stack.ts'

/** Cloneable: goes to every thread by postMessage or workerData. */
export interface StackHandoff extends StackDescription {
  readonly reader: ReaderHandoff
}

export class DeviceStack implements SyncBlockDevice {
  readonly size: number
  readonly blockSize: number
  readonly readOnly: boolean
  readonly #stack: BuiltStack
  readonly #top: SyncBlockDevice
  readonly #source: ChunkReader

  private constructor(stack: BuiltStack, source: ChunkReader) {
    this.#source = source
    this.#stack = stack
    this.#top = stack.top
    this.size = stack.top.size
    this.blockSize = stack.top.blockSize
    this.readOnly = stack.top.readOnly
  }

  /** @throws MaasError of the pool, OVERLAY_INVALID, FS_* */
  static open(handoff: StackHandoff, deps: { readonly fs: Fs }): DeviceStack {
    const source = new ChunkReader(handoff.reader, { fs: deps.fs })
    try {
      const stack = buildStack(handoff, { fs: deps.fs, source, punchHole })
      return new DeviceStack(stack, source)
    } catch (error) {
      source.close()
      throw error
    }
  }

  /** Bytes this medium has written of its own; 0 when read-only. */
  get overlayBytes(): number {
    return this.#stack.overlay?.writtenBytes ?? 0
  }

  read(offset: number, target: Buffer): void {
    this.#top.read(offset, target)
  }

  write(offset: number, source: Buffer): void {
    this.#top.write(offset, source)
  }

  trim(offset: number, length: number): void {
    this.#top.trim(offset, length)
  }

  writeZeroes(offset: number, length: number): void {
    this.#top.writeZeroes(offset, length)
  }

  flush(): void {
    this.#top.flush()
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    return this.#top.blockStatus(offset, length)
  }

  close(): void {
    this.#stack.close()
    this.#source.close()
  }
}
