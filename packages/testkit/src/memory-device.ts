/** A block device in memory: the counterpart in tests of protocols, and a model of others. */
import { assert } from '@openmaas/kernel/assert'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'

export interface MemoryDeviceOptions {
  /** Bytes; any number, not only whole blocks. */
  readonly size: number
  readonly blockSize?: number
  readonly readOnly?: boolean
  /** What it holds at first; zeros behind its end. Taken over, not copied, when it fits. */
  readonly content?: Buffer
}

export class MemoryDevice implements SyncBlockDevice {
  readonly size: number
  readonly blockSize: number
  readonly readOnly: boolean
  readonly #bytes: Buffer
  /** One byte per block: 1 when something was written there since it was last trimmed. */
  readonly #allocated: Uint8Array
  #closed = false

  constructor(options: MemoryDeviceOptions) {
    const { size, blockSize = 4096, readOnly = false, content } = options
    assert(size > 0, 'a device holds at least one byte')
    assert(blockSize >= 512 && (blockSize & (blockSize - 1)) === 0, 'a block is a power of two')
    this.size = size
    this.blockSize = blockSize
    this.readOnly = readOnly
    this.#allocated = new Uint8Array(Math.ceil(size / blockSize))
    if (content?.length === size) {
      this.#bytes = content
    } else {
      this.#bytes = Buffer.alloc(size)
      content?.copy(this.#bytes)
    }
    if (content !== undefined) this.#allocate(0, Math.min(size, content.length))
  }

  read(offset: number, target: Buffer): void {
    this.#check(offset, target.length)
    this.#bytes.copy(target, 0, offset, offset + target.length)
  }

  write(offset: number, source: Buffer): void {
    this.#checkWrite(offset, source.length)
    source.copy(this.#bytes, offset)
    this.#allocate(offset, source.length)
  }

  /** Whole blocks become holes and read as zeros; the rest keeps its bytes. */
  trim(offset: number, length: number): void {
    this.#checkWrite(offset, length)
    const first = Math.ceil(offset / this.blockSize)
    const atEnd = offset + length === this.size
    const end = atEnd ? this.#allocated.length : Math.floor((offset + length) / this.blockSize)
    if (first >= end) return
    this.#allocated.fill(0, first, end)
    this.#bytes.fill(0, first * this.blockSize, Math.min(this.size, end * this.blockSize))
  }

  writeZeroes(offset: number, length: number): void {
    this.#checkWrite(offset, length)
    this.#bytes.fill(0, offset, offset + length)
  }

  flush(): void {
    assert(!this.#closed, 'a closed device is not used')
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    this.#check(offset, length)
    const extents: BlockExtent[] = []
    const end = offset + length
    let start = offset
    while (start < end) {
      const used = this.#allocated[Math.floor(start / this.blockSize)]
      let block = Math.floor(start / this.blockSize) + 1
      while (block * this.blockSize < end && this.#allocated[block] === used) block += 1
      const next = Math.min(end, block * this.blockSize)
      extents.push({ offset: start, length: next - start, hole: used === 0, zero: used === 0 })
      start = next
    }
    return extents
  }

  close(): void {
    this.#closed = true
  }

  /** The content itself, for tests that look behind the interface. */
  get bytes(): Buffer {
    return this.#bytes
  }

  #allocate(offset: number, length: number): void {
    if (length === 0) return
    const first = Math.floor(offset / this.blockSize)
    this.#allocated.fill(1, first, Math.ceil((offset + length) / this.blockSize))
  }

  #check(offset: number, length: number): void {
    assert(!this.#closed, 'a closed device is not used')
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a safe integer')
    assert(length >= 0 && offset + length <= this.size, 'a request lies inside the device')
  }

  #checkWrite(offset: number, length: number): void {
    this.#check(offset, length)
    if (this.readOnly) throw new MaasError('DEVICE_READ_ONLY', 'the device is read-only')
  }
}
