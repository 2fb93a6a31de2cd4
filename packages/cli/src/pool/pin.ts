/**
 * Keeping a point readable for as long as a command reads it: the collector of another process
 * must not move or remove what a restore still needs.
 */
import { bootId } from '@openmaas/kernel/sysinfo'
import { isMaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { Pool } from '@openmaas/pool/pool/pool'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import type { Site } from '../program/site.ts'
import type { Point } from './points.ts'

/**
 * Runs the work with the point pinned. A pool that another process owns at this moment (a long
 * backup, say) is read without a pin: a point is a root of the collector anyway, so the worst
 * that a deletion in the middle can do is to end this command with PACK_MISSING.
 */
export async function withPin<T>(
  reader: PoolReader,
  { row }: Point,
  site: Site,
  work: () => Promise<T>,
): Promise<T> {
  const id = `reader-${systemRandom.bytes(8).toString('hex')}`
  const snapshots = [row.id]
  const { pid } = process
  const isPinned = await asOwner(reader, site, (owner) =>
    owner.pin({ id, kind: 'reader', snapshots, pid, bootId: bootId() }),
  )
  try {
    return await work()
  } finally {
    // The pin names this process: should the pool be busy now, the collector sees that it is gone.
    if (isPinned) await asOwner(reader, site, (owner) => owner.unpin(id))
  }
}

/** @returns false when the pool is busy, or cannot be written to */
async function asOwner(
  reader: PoolReader,
  { clock }: Site,
  work: (owner: Pool) => Promise<void>,
): Promise<boolean> {
  try {
    const path = reader.brickPaths[0]!
    const unlock = { masterKey: reader.masterKey }
    const fs = new NodeFs()
    await using owner = await Pool.open({ path, unlock, fs, clock, random: systemRandom })
    await work(owner)
    return true
  } catch (error) {
    const isReadOnly = isMaasError(error, 'FS_DENIED') || isMaasError(error, 'POOL_BRICK_MISSING')
    if (isMaasError(error, 'POOL_BUSY') || isMaasError(error, 'FS_NO_SPACE') || isReadOnly) {
      return false
    }
    throw error
  }
}
