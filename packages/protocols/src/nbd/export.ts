/** What a server offers under a name, and what a negotiation has agreed about it. */
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { assert } from '@openmaas/kernel/assert'
import { KiB } from '@openmaas/kernel/units'
import type { BlockSizes } from './codec.ts'
import {
  NBD_FLAG_CAN_MULTI_CONN,
  NBD_FLAG_HAS_FLAGS,
  NBD_FLAG_READ_ONLY,
  NBD_FLAG_SEND_CACHE,
  NBD_FLAG_SEND_DF,
  NBD_FLAG_SEND_FAST_ZERO,
  NBD_FLAG_SEND_FLUSH,
  NBD_FLAG_SEND_FUA,
  NBD_FLAG_SEND_TRIM,
  NBD_FLAG_SEND_WRITE_ZEROES,
  REQUEST_SIZE_MAX,
} from './constants.ts'

export interface NbdExport {
  /**
   * Returns the device to serve. Called once per INFO, GO or EXPORT_NAME; the device belongs to
   * whoever made the export, and is not closed by the server.
   *
   * @throws MaasError the client is told that the export is not available
   */
  readonly open: () => BlockDevice
  /** For people, in NBD_OPT_LIST. At most 4096 bytes. */
  readonly description?: string
  /**
   * Whether a flush on one connection covers the writes of all others. True unless said
   * otherwise, and right whenever `open` returns the same device each time.
   */
  readonly multiConn?: boolean
  /** What the server calls it, when clients ask with more than a name. Default: as asked for. */
  readonly name?: string
  /** Whether `writeZeroes` is always quicker than writing the bytes. Default false. */
  readonly fastZero?: boolean
}

/** The exports by name; '' is the default one. May change while the server runs. */
export type NbdExports = ReadonlyMap<string, NbdExport>

/** What the handshake has agreed, for the transmission phase. */
export interface NbdAgreement {
  readonly exportName: string
  readonly device: BlockDevice
  /** Structured replies were negotiated. */
  readonly structured: boolean
  /** base:allocation was selected for this export. */
  readonly blockStatus: boolean
  readonly fastZero: boolean
}

/** The transmission flags of an export. DF may only be offered with structured replies. */
export function transmissionFlags(
  entry: NbdExport,
  device: BlockDevice,
  structured: boolean,
): number {
  let flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_CACHE
  if (structured) flags |= NBD_FLAG_SEND_DF
  if (entry.multiConn ?? true) flags |= NBD_FLAG_CAN_MULTI_CONN
  if (device.readOnly) return flags | NBD_FLAG_READ_ONLY
  flags |= NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES
  return flags | NBD_FLAG_SEND_FAST_ZERO
}

/** Any byte range is served; the device's own block size is what is efficient. */
export function exportBlockSizes(device: BlockDevice): BlockSizes {
  const preferred = Math.max(device.blockSize, 4 * KiB)
  assert(Number.isInteger(Math.log2(preferred)), 'blockSize is a power of two')
  assert(preferred <= REQUEST_SIZE_MAX, 'blockSize is within one request')
  return { minimum: 1, preferred, maximum: REQUEST_SIZE_MAX }
}
