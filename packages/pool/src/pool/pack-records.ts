/** The footers of logged packs, as the index wants them. */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { PackRecords } from '../index/shared-index.ts'
import { packPath } from '../pack/path.ts'
import { readFooter } from '../pack/scan.ts'
import type { PackFooter } from '../pack/scan.ts'
import type { PackRow, PoolState } from './state.ts'

/** Packs whose entries the index holds: live ones, and condemned ones that may come back. */
export function indexedPacks(fs: Fs, bricks: readonly string[], state: PoolState): PackRecords[] {
  return [...state.packs.values()]
    .filter((pack) => pack.state !== 'deleted')
    .map((pack) => ({
      packNo: pack.packNo,
      sequence: pack.sequence,
      recordCount: pack.recordCount,
      read: () => readPackFooter(fs, bricks, pack).records,
    }))
}

/**
 * Reads the footer from the first good copy and compares it with what the log says.
 * @throws MaasError PACK_MISSING when no brick has the file, PACK_INVALID, FS_*
 */
export function readPackFooter(fs: Fs, bricks: readonly string[], pack: PackRow): PackFooter {
  let failure: MaasError | undefined
  for (const brick of pack.bricks) {
    const path = packPath(bricks[brick]!, Buffer.from(pack.packId, 'hex'))
    try {
      return checkFooter(readFooter(fs, path), pack, path)
    } catch (error) {
      // The next copy may be good; when none is, the most telling failure is reported.
      if (!isMaasError(error)) throw error
      if (failure === undefined || isMaasError(failure, 'FS_NOT_FOUND')) failure = error
    }
  }
  if (failure instanceof Error && !isMaasError(failure, 'FS_NOT_FOUND')) throw failure as Error
  throw new MaasError(
    'PACK_MISSING',
    'no brick has the pack file',
    { packId: pack.packId },
    {
      cause: failure,
    },
  )
}

function checkFooter(footer: PackFooter, pack: PackRow, path: string): PackFooter {
  const { header, trailer, size } = footer
  const same =
    header.packId.toString('hex') === pack.packId &&
    trailer.hash.toString('hex') === pack.hash &&
    trailer.count === pack.recordCount &&
    size === pack.size
  if (same) return footer
  throw new MaasError('PACK_INVALID', 'the pack is not the one that the log names', { path })
}
