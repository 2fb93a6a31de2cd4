/**
 * The copies of one pack on its bricks, while it is written. Knows directories and handles,
 * nothing of what is in the file. Any method may throw FS_*; then only `discard` may follow.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { packDirectory, packPath, packsDirectory } from './path.ts'

export class PackFiles {
  readonly #fs: Fs
  /** Directories whose own name is known to be durable: synced once by this object. */
  readonly #durable = new Set<string>()
  readonly #handles = new Map<string, FileHandle>()
  /** Bricks on which the file of this pack exists. */
  readonly #created = new Set<string>()
  #packId: Buffer = Buffer.alloc(0)
  #bricks: readonly string[] = []
  #lastBrick = ''

  constructor(fs: Fs) {
    this.#fs = fs
  }

  /** The brick of the last call: after a failure, the one that failed. */
  get lastBrick(): string {
    return this.#lastBrick
  }

  /** Takes over a new pack. Its files are created with the first write. */
  begin(pack: { packId: Buffer; bricks: readonly string[] }): void {
    assert(this.#handles.size === 0, 'the files of the pack before are closed')
    this.#created.clear()
    this.#packId = pack.packId
    this.#bricks = pack.bricks
    this.#lastBrick = pack.bricks[0] ?? ''
  }

  /** Appends to every copy. Offset, length and address are aligned for direct I/O. */
  write(bytes: Buffer, offset: number): void {
    for (const brick of this.#bricks) {
      this.#lastBrick = brick
      this.#fs.write(this.#handles.get(brick) ?? this.#create(brick), bytes, offset)
    }
  }

  /** Makes content and names durable on every brick, and closes the files. */
  sync(): void {
    for (const brick of this.#bricks) {
      this.#lastBrick = brick
      const file = this.#handles.get(brick)
      assert(file !== undefined, 'something was written before the sync')
      this.#fs.dataSync(file)
      const directory = packDirectory(brick, this.#packId)
      this.#fs.syncDirectory(directory)
      if (!this.#durable.has(directory)) {
        // Its name may have been made by us or, unsynced, by a process that died.
        this.#fs.syncDirectory(packsDirectory(brick))
        this.#durable.add(directory)
      }
    }
    for (const brick of this.#bricks) {
      this.#lastBrick = brick
      this.#close(brick)
    }
  }

  /**
   * Closes and removes all copies of a pack that nothing refers to.
   * @returns bricks on which that failed; their file is recovery's to clear
   */
  discard(): string[] {
    const leftBehind: string[] = []
    for (const brick of this.#created) {
      try {
        this.#close(brick)
        this.#fs.unlink(packPath(brick, this.#packId))
      } catch (error) {
        if (!(error instanceof MaasError)) throw error
        leftBehind.push(brick)
      }
    }
    return leftBehind
  }

  #create(brick: string): FileHandle {
    this.#fs.makeDirectory(packDirectory(brick, this.#packId))
    const file = this.#fs.open(packPath(brick, this.#packId), 'create', { direct: true })
    this.#handles.set(brick, file)
    this.#created.add(brick)
    return file
  }

  #close(brick: string): void {
    const file = this.#handles.get(brick)
    if (file === undefined) return
    // Gone from the map first: a close that fails has still given up the handle (close(2)).
    this.#handles.delete(brick)
    this.#fs.close(file)
  }
}
