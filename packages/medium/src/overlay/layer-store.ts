/**
 * The layers of a pool's media: one directory per overlay, shared by all media that stand on it.
 *
 *   <brick 0>/media/layers/<layerId>/   layer.json, data, journal.a, journal.b, dirty
 *
 * A medium's record lists its layers from the oldest to its own top; all but the top are frozen.
 * A layer goes when no record lists it: the records are the reference counts, so none can be
 * wrong after a crash.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { isId, type LayerId } from '@openmaas/kernel/ids'
import { overlayPath } from './files.ts'
import { DIRTY_HEADER_SIZE, JOURNAL_START } from './format.ts'
import { createOverlay, settleOverlay } from './prepare.ts'

export interface LayerRecord {
  readonly version: 1
  readonly id: LayerId
  /** Bytes of the device. */
  readonly size: number
  /** Never written again. */
  readonly frozen: boolean
}

/** A record is some 150 bytes; more is not ours. */
const RECORD_SIZE_MAX = 4096

export class LayerStore {
  readonly #fs: Fs
  readonly #directory: string

  /** @param mediaDirectory `<brick 0>/media` */
  constructor(fs: Fs, mediaDirectory: string) {
    this.#fs = fs
    this.#directory = path.join(mediaDirectory, 'layers')
  }

  pathOf(id: LayerId): string {
    return path.join(this.#directory, id)
  }

  /** @returns undefined when there is no such layer. @throws MaasError OVERLAY_INVALID */
  load(id: LayerId): LayerRecord | undefined {
    const target = path.join(this.pathOf(id), 'layer.json')
    const size = this.#fs.stat(target)?.size
    if (size === undefined) return undefined
    const invalid = (cause?: unknown): MaasError =>
      new MaasError('OVERLAY_INVALID', 'the record of a layer is damaged', { id }, { cause })
    if (size > RECORD_SIZE_MAX) throw invalid()
    const bytes = Buffer.alloc(size)
    const file = this.#fs.open(target, 'read')
    try {
      this.#fs.read(file, bytes, 0)
    } finally {
      this.#fs.close(file)
    }
    let parsed: { checksum?: unknown; record?: LayerRecord }
    try {
      parsed = JSON.parse(bytes.toString('utf8')) as typeof parsed
    } catch (cause) {
      throw invalid(cause)
    }
    const record = parsed?.record
    if (record === undefined || parsed.checksum !== checksumOf(record)) throw invalid()
    if (record.version !== 1 || record.id !== id) throw invalid()
    return record
  }

  /**
   * Makes an empty layer, durably. What a crash left of an earlier attempt is replaced.
   *
   * @throws MaasError OVERLAY_INVALID when files with writes in them stand there without a record
   */
  create(id: LayerId, size: number): void {
    this.#refuseWritten(id)
    this.#removeFiles(id)
    this.#fs.makeDirectory(this.pathOf(id))
    createOverlay(this.#fs, this.pathOf(id), size)
    this.#save({ version: 1, id, size, frozen: false })
    this.#fs.syncDirectory(this.#directory)
    this.#fs.syncDirectory(path.dirname(this.#directory))
  }

  /** An attempt cut short leaves a journal without batches; more than that is somebody's work. */
  #refuseWritten(id: LayerId): void {
    const sizeOf = (file: string): number => this.#fs.stat(file)?.size ?? 0
    const directory = this.pathOf(id)
    const written =
      sizeOf(overlayPath.journal(directory, 0)) > JOURNAL_START ||
      sizeOf(overlayPath.journal(directory, 1)) > 0 ||
      sizeOf(overlayPath.dirty(directory)) > DIRTY_HEADER_SIZE
    if (written) throw new MaasError('OVERLAY_INVALID', 'a layer has lost its record', { id })
  }

  /**
   * Makes a layer immutable. No engine writes to it any more. Nothing happens to a frozen one.
   *
   * @throws MaasError MEDIUM_BUSY while an engine has it, MEDIUM_NOT_FOUND, OVERLAY_INVALID
   */
  freeze(id: LayerId, bootId: string): void {
    const record = this.load(id)
    if (record === undefined) throw missing(id)
    if (record.frozen) return
    settleOverlay({ fs: this.#fs, directory: this.pathOf(id), bootId })
    this.#save({ ...record, frozen: true })
  }

  /** Says so of a layer that is settled already. @throws MaasError OVERLAY_INVALID */
  markFrozen(id: LayerId): void {
    const record = this.load(id)
    if (record === undefined) throw missing(id)
    this.#save({ ...record, frozen: true })
  }

  #save(record: LayerRecord): void {
    const directory = this.pathOf(record.id)
    const temporary = path.join(directory, 'layer.json.new')
    if (this.#fs.stat(temporary) !== undefined) this.#fs.unlink(temporary)
    const file = this.#fs.open(temporary, 'create')
    try {
      const text = JSON.stringify({ checksum: checksumOf(record), record })
      this.#fs.write(file, Buffer.from(text), 0)
      this.#fs.dataSync(file)
    } finally {
      this.#fs.close(file)
    }
    this.#fs.rename(temporary, path.join(directory, 'layer.json'))
    this.#fs.syncDirectory(directory)
  }

  /**
   * Removes those of the layers that no other medium refers to.
   *
   * @param released of the medium that ends, which is no longer among `referenced`
   * @param referenced every layer that any remaining medium lists
   * @returns what was removed
   */
  release(released: readonly LayerId[], referenced: ReadonlySet<LayerId>): LayerId[] {
    const gone = released.filter((id) => !referenced.has(id))
    // The top first: at no time does a layer stand without those below it.
    for (const id of gone.toReversed()) this.#remove(id)
    return gone
  }

  /** All there are, whoever refers to them. */
  list(): LayerId[] {
    if (this.#fs.stat(this.#directory) === undefined) return []
    const names = this.#fs.readDirectory(this.#directory)
    return names.filter((name): name is LayerId => isId('layer', name)).toSorted()
  }

  #remove(id: LayerId): void {
    const record = path.join(this.pathOf(id), 'layer.json')
    if (this.#fs.stat(record) !== undefined) {
      this.#fs.unlink(record)
      this.#fs.syncDirectory(this.pathOf(id)) // From here it is garbage, whatever happens.
    }
    this.#removeFiles(id)
  }

  #removeFiles(id: LayerId): void {
    const directory = this.pathOf(id)
    if (this.#fs.stat(directory) === undefined) return
    for (const name of this.#fs.readDirectory(directory)) {
      this.#fs.unlink(path.join(directory, name))
    }
    try {
      this.#fs.removeDirectory(directory)
    } catch (error) {
      if (!isMaasError(error, 'FS_NOT_FOUND')) throw error // Two that end at once remove the same.
    }
  }
}

const missing = (id: LayerId): MaasError =>
  new MaasError('OVERLAY_INVALID', 'a layer of the medium is missing', { id })

function checksumOf(record: LayerRecord): string {
  return createHash('sha256').update(JSON.stringify(record)).digest('hex')
}
