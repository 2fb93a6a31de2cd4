/**
 * Reads single records of packs, verified, from whichever copy is good (docs/formats/pack.md).
 *
 * Nothing of a record is believed before its checksums, the tag and the chunk id agree. A copy
 * that fails is reported, and the next brick's is read; only when all fail, the read fails.
 *
 * One per thread. Memory: 1 MiB, 4 MiB when records are read in order (read-ahead.ts), the
 * codec's scratch, and a few hundred bytes per open pack.
 */
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { CHUNK_SIZE_MAX } from '../chunk/chunk.ts'
import type { ChunkHasher } from '../chunk/chunk-hasher.ts'
import type { PayloadCodec } from '../chunk/payload-codec.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import {
  decodeRecordHeader,
  PACK_ALIGNMENT,
  PACK_SIZE_MAX,
  RECORD_HEADER_SIZE,
  RECORD_OVERHEAD,
  RECORD_TRAILER_SIZE,
  RecordBinding,
} from './format.ts'
import { packPath } from './path.ts'
import { ReadAhead } from './read-ahead.ts'

/** Open packs per reader: several threads of an engine stay below a limit of 1024 files. */
export const OPEN_PACKS_MAX = 48

/** A pack as readers know it. Keep one object per pack: it is the key of the handle cache. */
export interface PackCopies {
  /** 16 bytes. */
  readonly packId: Buffer
  /** Bricks that hold a copy, the preferred one first. */
  readonly bricks: readonly string[]
}

export interface RecordLocation {
  readonly pack: PackCopies
  readonly chunkId: Buffer
  readonly recordNumber: number
  readonly offset: number
  readonly encodedLength: number
  readonly rawLength: number
}

export interface BadCopy {
  readonly location: RecordLocation
  readonly brick: string
  readonly error: MaasError
}

export interface PackReaderOptions {
  readonly fs: Fs
  readonly keys: KeyRing
  readonly codec: PayloadCodec
  readonly hasher: ChunkHasher
  /** Told of each copy that could not be read, before the next one is tried. */
  readonly onBadCopy?: (copy: BadCopy) => void
  readonly openPacksMax?: number
}

interface OpenPack {
  readonly key: Buffer
  /** Per brick, opened when first needed. */
  readonly files: Map<string, FileHandle>
}

export class PackReader {
  readonly #options: PackReaderOptions
  readonly #scratch = Buffer.allocUnsafeSlow(CHUNK_SIZE_MAX + RECORD_OVERHEAD + PACK_ALIGNMENT)
  readonly #binding = new RecordBinding()
  readonly #ahead: ReadAhead
  readonly #packOf = new Map<FileHandle, PackCopies>()
  /** In order of use, the oldest first. */
  readonly #open = new Map<PackCopies, OpenPack>()

  constructor(options: PackReaderOptions) {
    this.#options = options
    this.#ahead = new ReadAhead(options.fs)
  }

  /**
   * The location of a chunk, when its record stands behind the one that was read last: then no
   * index needs to be asked. It is as good as one from the index: `read` verifies it all the same.
   */
  locateNext(chunkId: Buffer): RecordLocation | undefined {
    return this.#ahead.peek(RECORD_HEADER_SIZE, (bytes, { file, offset, recordNumber }) => {
      // Most records are of another chunk: the id alone decides, before anything is decoded.
      if (chunkId.compare(bytes, 16, 48) !== 0) return undefined
      const header = decodeRecordHeader(bytes)
      const pack = this.#packOf.get(file)
      if (header === undefined || pack === undefined) return undefined
      const { encodedLength, rawLength } = header
      return { pack, chunkId, recordNumber, offset, encodedLength, rawLength }
    })
  }

  /**
   * Reads one record and returns its raw bytes.
   *
   * @param target without one, or when it does not hold the chunk, a new buffer is made
   * @returns the first rawLength bytes of the target
   * @throws MaasError PACK_MISSING when no brick has the file; RECORD_INVALID when the copies
   *   there are damaged; FS_* when a copy may be good but could not be read (EMFILE, EACCES)
   */
  read(location: RecordLocation, target?: Buffer): Buffer {
    const { rawLength, pack } = location
    checkLocation(location)
    const fits = target !== undefined && target.length >= rawLength
    const raw = fits ? target.subarray(0, rawLength) : Buffer.allocUnsafeSlow(rawLength)
    const open = this.#openPack(pack)
    const errors: MaasError[] = []
    for (const brick of pack.bricks) {
      try {
        this.#readCopy({ location, brick, open, raw })
        return raw
      } catch (error) {
        if (!(error instanceof MaasError)) throw error
        errors.push(error)
        this.#options.onBadCopy?.({ location, brick, error })
      }
    }
    throw summarize(location, errors)
  }

  /** Closes the files of a pack, because it was deleted or repaired. */
  forget(pack: PackCopies): void {
    const open = this.#open.get(pack)
    if (open === undefined) return
    this.#open.delete(pack)
    for (const file of open.files.values()) {
      this.#ahead.forget(file)
      this.#packOf.delete(file)
      this.#options.fs.close(file)
    }
  }

  close(): void {
    for (const pack of this.#open.keys()) this.forget(pack)
  }

  #openPack(pack: PackCopies): OpenPack {
    const known = this.#open.get(pack)
    if (known !== undefined) {
      this.#open.delete(pack)
      this.#open.set(pack, known)
      return known
    }
    const openPacksMax = this.#options.openPacksMax ?? OPEN_PACKS_MAX
    if (this.#open.size >= openPacksMax) {
      const [oldest] = this.#open.keys()
      assert(oldest !== undefined, 'a full cache has an oldest entry')
      this.forget(oldest)
    }
    const open = { key: this.#options.keys.packKey(pack.packId), files: new Map() }
    this.#open.set(pack, open)
    return open
  }

  #readCopy(copy: { location: RecordLocation; brick: string; open: OpenPack; raw: Buffer }): void {
    const { location, brick, open, raw } = copy
    const { encodedLength, offset, pack } = location
    const file = open.files.get(brick) ?? this.#openFile(open, { pack, brick })
    const fail = (reason: string): never => {
      this.#ahead.forget(file) // The next attempt reads the file itself.
      const chunkId = location.chunkId.toString('hex')
      throw new MaasError('RECORD_INVALID', `a record is damaged: ${reason}`, {
        path: packPath(brick, pack.packId),
        offset,
        recordNumber: location.recordNumber,
        chunkId,
        reason,
      })
    }
    const { codec, hasher } = this.#options
    const length = RECORD_HEADER_SIZE + encodedLength + RECORD_TRAILER_SIZE
    const { recordNumber } = location
    const bytes = this.#ahead.read({ file, offset, length, recordNumber }, this.#scratch)
    if (bytes.length < length) fail('the file ends before it')
    const header = decodeRecordHeader(bytes) ?? fail('header checksum')
    if (!header.chunkId.equals(location.chunkId)) fail('another chunk stands there')
    if (header.rawLength !== location.rawLength) fail('raw length')
    if (header.encodedLength !== encodedLength) fail('encoded length')
    if (header.numberLow !== (location.recordNumber & 0xff)) fail('record number')
    const encoded = bytes.subarray(RECORD_HEADER_SIZE, RECORD_HEADER_SIZE + encodedLength)
    if (crc32c(encoded) !== bytes.readUInt32LE(length - RECORD_TRAILER_SIZE)) {
      fail('payload checksum')
    }
    const poolId = this.#options.keys.poolIdBytes
    const { packId } = pack
    const bound = this.#binding.bind({ poolId, packId }, location.recordNumber, bytes)
    const operation = { key: open.key, nonce: bound.nonce, associatedData: bound.associatedData }
    if (!codec.open(operation, header.codec, encoded, raw)) fail('authentication')
    if (!hasher.matches(raw, location.chunkId)) fail('chunk id')
  }

  #openFile(open: OpenPack, { pack, brick }: { pack: PackCopies; brick: string }): FileHandle {
    const file = this.#options.fs.open(packPath(brick, pack.packId), 'read')
    open.files.set(brick, file)
    this.#packOf.set(file, pack)
    return file
  }
}

/** A location comes from an index file or a log: its numbers are checked before they are used. */
function checkLocation({ chunkId, offset, encodedLength, rawLength }: RecordLocation): void {
  const fits =
    rawLength >= 1 &&
    rawLength <= CHUNK_SIZE_MAX &&
    encodedLength >= 1 &&
    encodedLength <= CHUNK_SIZE_MAX + RECORD_OVERHEAD &&
    offset + encodedLength <= PACK_SIZE_MAX
  if (fits) return
  throw new MaasError('RECORD_INVALID', 'a location has impossible numbers', {
    chunkId: chunkId.toString('hex'),
    offset,
    encodedLength,
    rawLength,
  })
}

/** What all failed copies together mean. */
function summarize(location: RecordLocation, errors: readonly MaasError[]): MaasError {
  const packId = location.pack.packId.toString('hex')
  const chunkId = location.chunkId.toString('hex')
  // A copy that could not be asked may still be good: that is no damage.
  const unread = errors.find(
    (error) => error.code.startsWith('FS_') && error.code !== 'FS_NOT_FOUND',
  )
  if (unread !== undefined) return unread
  const cause = errors.find((error) => error.code === 'RECORD_INVALID')
  if (cause !== undefined) return cause
  const first = errors.find((error) => isMaasError(error, 'FS_NOT_FOUND'))
  const message = 'no brick has the pack file'
  return new MaasError('PACK_MISSING', message, { packId, chunkId }, { cause: first })
}
