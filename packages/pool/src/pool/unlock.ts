/**
 * The master key of a pool from a passphrase, before anything else of the pool is loaded: the
 * 50 ms that it takes pass in another thread, while this one loads the code that needs the key.
 */
import type { Fs } from '@openmaas/kernel/fs'
import { findBricks } from '../backend/bricks.ts'
import { unlockMasterKeyAside } from '../keys/key-slot-store.ts'

/**
 * @param path of any brick
 * @throws MaasError POOL_NOT_FOUND, POOL_BRICK_MISSING, POOL_PASSPHRASE_WRONG,
 *   POOL_KEY_SLOT_INVALID
 */
export async function unlockPool(fs: Fs, path: string, passphrase: string): Promise<Buffer> {
  return unlockMasterKeyAside(fs, findBricks(fs, path).paths, passphrase)
}
