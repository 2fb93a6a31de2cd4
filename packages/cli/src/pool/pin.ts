/**
 * Keeping a point readable for as long as a command reads it: the collector of another process
 * must not move or remove what a restore still needs.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { PinOwner } from '@openmaas/pool/pool/owner-protocol'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import type { Site } from '../program/site.ts'
import type { Point } from './points.ts'

/**
 * Runs the work with the point pinned. Where no pin can be written (a read-only file system, a
 * full disk, a missing disk, an owner that does not answer) the work is done without one: a
 * point is a root of the collector anyway, so the worst that a deletion in the middle can do is
 * to end this command with PACK_MISSING.
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
    // The pin names this process: should nobody take it back, the collector sees that it is gone.
    if (isPinned) await asOwner(reader, site, (owner) => owner.unpin(id))
  }
}

/** POOL_READ_ONLY: the log could not be written, as on a disk that is full to the last byte. */
const UNPINNED = [
  'POOL_BUSY',
  'POOL_BRICK_MISSING',
  'POOL_READ_ONLY',
  'FS_DENIED',
  'FS_NO_SPACE',
] as const

/** @returns false when the pool cannot be written to at this moment */
async function asOwner(
  { brickPaths, masterKey }: PoolReader,
  { clock }: Site,
  work: (owner: PinOwner) => Promise<void>,
): Promise<boolean> {
  const path = brickPaths[0]!
  const { withPinOwner } = await import('@openmaas/agent/owner/owner-socket')
  const deps = { fs: new NodeFs(), clock, random: systemRandom, pid: process.pid }
  try {
    await withPinOwner({ path, masterKey, ...deps }, work)
    return true
  } catch (error) {
    if (UNPINNED.some((code) => isMaasError(error, code))) return false
    throw error
  }
}
