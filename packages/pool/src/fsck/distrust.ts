/**
 * After a part of the pool could not be read: no session may refer to such parts again. Metadata
 * is small beside the data (about 1 %), and one bad node hides all that lies below it, so all of
 * it is read. What was bad counts as missing until the owner ends, and is stored again.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import { PackStatus } from '../index/pack-table.ts'
import { packPath } from '../pack/path.ts'
import { scanPack } from '../pack/scan.ts'
import type { PoolCore } from '../pool/core.ts'
import type { PackRow } from '../pool/state.ts'

/** @returns how many metadata packs have no copy that is whole */
export async function distrustDamaged(
  core: PoolCore,
  available: readonly number[],
): Promise<number> {
  let damaged = 0
  for (const pack of core.state.livePacks()) {
    if (pack.kind !== 'metadata' || core.packs.status(pack.packNo) !== PackStatus.live) continue
    await core.deps.yieldTurn()
    if (pack.bricks.some((brick) => available.includes(brick) && isWhole(core, pack, brick)))
      continue
    core.packs.setStatus(pack.packNo, PackStatus.lost)
    damaged += 1
  }
  return damaged
}

function isWhole({ deps, brickPaths }: PoolCore, pack: PackRow, brick: number): boolean {
  try {
    const path = packPath(brickPaths[brick]!, Buffer.from(pack.packId, 'hex'))
    const scan = scanPack(deps.fs, path)
    return scan.whole && scan.hash.toString('hex') === pack.hash
  } catch (error) {
    // Too many open files say nothing about the pack; anything else makes it one not to rely on.
    if (!isMaasError(error) || error.code === 'FS_LIMIT') throw error
    return false
  }
}
