/**
 * What the server thinks of a request before the device sees it: one function each for validity
 * and for the error of a failure. Values as NBD doc/proto.md, "Error values", wants them.
 */
import { AssertionFailure } from '@openmaas/kernel/assert'
import { ERROR_CATEGORIES, MaasError } from '@openmaas/kernel/errors'
import * as nbd from './constants.ts'

export interface RequestFacts {
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly length: number
}

export interface DeviceFacts {
  readonly size: number
  readonly readOnly: boolean
  readonly structured: boolean
  readonly blockStatus: boolean
}

/** The flags that each command may carry. FUA is accepted everywhere, as the protocol asks. */
const COMMAND_FLAGS: ReadonlyMap<number, number> = new Map([
  [nbd.NBD_CMD_READ, nbd.NBD_CMD_FLAG_FUA | nbd.NBD_CMD_FLAG_DF],
  [nbd.NBD_CMD_WRITE, nbd.NBD_CMD_FLAG_FUA],
  [nbd.NBD_CMD_FLUSH, nbd.NBD_CMD_FLAG_FUA],
  [nbd.NBD_CMD_TRIM, nbd.NBD_CMD_FLAG_FUA],
  [nbd.NBD_CMD_CACHE, 0],
  [
    nbd.NBD_CMD_WRITE_ZEROES,
    nbd.NBD_CMD_FLAG_FUA | nbd.NBD_CMD_FLAG_NO_HOLE | nbd.NBD_CMD_FLAG_FAST_ZERO,
  ],
  [nbd.NBD_CMD_BLOCK_STATUS, nbd.NBD_CMD_FLAG_FUA | nbd.NBD_CMD_FLAG_REQ_ONE],
])

/** @returns the NBD error to answer with, 0 for a request the device may see */
export function refuseRequest(request: RequestFacts, device: DeviceFacts): number {
  const { type, flags, offset, length } = request
  const allowed = COMMAND_FLAGS.get(type)
  if (allowed === undefined || (flags & ~allowed) !== 0) return nbd.NBD_EINVAL
  if ((flags & nbd.NBD_CMD_FLAG_DF) !== 0 && !device.structured) return nbd.NBD_EINVAL
  if (type === nbd.NBD_CMD_FLUSH) return offset === 0 && length === 0 ? 0 : nbd.NBD_EINVAL

  const zeroes = type === nbd.NBD_CMD_WRITE_ZEROES
  const changes = type === nbd.NBD_CMD_WRITE || type === nbd.NBD_CMD_TRIM || zeroes
  if (changes && device.readOnly) return nbd.NBD_EPERM
  if (offset + length > device.size) {
    return type === nbd.NBD_CMD_WRITE || zeroes ? nbd.NBD_ENOSPC : nbd.NBD_EINVAL
  }
  // Zeroing without a hole is writing, so it has the limit of a write; trimming has none.
  const provisions = zeroes && (flags & nbd.NBD_CMD_FLAG_NO_HOLE) !== 0
  const moves = type === nbd.NBD_CMD_READ || type === nbd.NBD_CMD_WRITE
  if (moves || type === nbd.NBD_CMD_CACHE || provisions) {
    if (length > nbd.REQUEST_SIZE_MAX) return nbd.NBD_EINVAL
  }
  if (type === nbd.NBD_CMD_BLOCK_STATUS && (!device.blockStatus || length === 0)) {
    return nbd.NBD_EINVAL
  }
  return 0
}

/** The NBD error of a failed device call. A bug is an I/O error to the peer. */
export function errorValue(error: unknown): number {
  if (!(error instanceof MaasError)) return nbd.NBD_EIO
  if (error.code === 'NBD_NOT_FAST') return nbd.NBD_ENOTSUP
  const value = ERROR_CATEGORIES[error.category].nbd
  // The protocol keeps ENOTSUP for fast zeroing alone, which has its own code.
  return value === nbd.NBD_ENOTSUP ? nbd.NBD_EINVAL : value
}

/** Text for the error chunk. Bugs keep their words for the log of the server. */
export function errorText(error: unknown): string {
  return error instanceof MaasError ? error.message : 'internal error'
}

/** True for what must be reported to the owner of the server, not only to the peer. */
export function isBug(error: unknown): boolean {
  return error instanceof AssertionFailure || !(error instanceof MaasError)
}
