/**
 * Keeping a point readable for as long as a command reads it: the collector of another process
 * must not move or remove what a restore still needs.
 */
import { setImmediate } from 'node:timers/promises'
import { isMaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { PinOwner } from '@openmaas/pool/pool/owner-protocol'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import type { Site } from '../program/site.ts'
import type { Point } from './points.ts'

/**
 * Runs the work with the point pinned. The pin is written as soon as the work waits for its
 * threads: to become the owner takes 30 ms of this one, in which they can read already. Until then
 * it is as with any reader that has just opened the pool: the point is a root of the collector.
 *
 * Where no pin can be written (a read-only file system, a full disk, a missing disk, an owner that
 * does not answer) the work is done without one: the worst that a deletion in the middle can do is
 * to end this command with PACK_MISSING.
 *
 * @param work ends early when its signal is aborted: the pool is not one to read from
 */
export async function withPin<T>(
  reader: PoolReader,
  { row }: Point,
  site: Site,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const id = `reader-${systemRandom.bytes(8).toString('hex')}`
  const refused = new AbortController()
  const working = work(AbortSignal.any([site.signal, refused.signal]))
  let isOver = false
  const end = (): void => {
    isOver = true
  }
  const ended = working.then(end, end)
  await Promise.race([ended, setImmediate()])
  // Refused, or nothing to read.
  if (isOver) return working
  let isPinned: boolean
  try {
    const snapshots = [row.id]
    const { pid } = process
    isPinned = await asOwner(reader, site, (owner) =>
      owner.pin({ id, kind: 'reader', snapshots, pid, bootId: bootId() }),
    )
  } catch (error) {
    refused.abort(error)
    await ended
    throw error
  }
  try {
    return await working
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
