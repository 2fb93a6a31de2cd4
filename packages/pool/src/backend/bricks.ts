/** The directories of a pool, found from the path of any one of them. */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { loadSuperblock } from './superblock.ts'
import type { Superblock } from './superblock.ts'

export interface PoolBricks {
  readonly superblock: Superblock
  /** Absolute, by brick index. */
  readonly paths: readonly string[]
  /** Indexes of bricks that are not there, or whose superblock is damaged or another pool's. */
  readonly missing: readonly { readonly index: number; readonly error: MaasError }[]
}

/**
 * @param path of a brick; a pool that was moved is found when its bricks lie where this one says,
 *   or beside this one under their old names
 * @throws MaasError POOL_NOT_FOUND, POOL_SUPERBLOCK_INVALID, POOL_FORMAT_UNSUPPORTED
 */
export function findBricks(fs: Fs, path: string): PoolBricks {
  const superblock = loadSuperblock(fs, path)
  const missing: { index: number; error: MaasError }[] = []
  const paths = superblock.bricks.map((brick, index) => {
    if (index === superblock.brickIndex) return path
    const parent = path.slice(0, path.lastIndexOf('/'))
    const sibling = `${parent}/${brick.path.slice(brick.path.lastIndexOf('/') + 1)}`
    const problems: MaasError[] = []
    for (const candidate of new Set([brick.path, sibling])) {
      try {
        const other = loadSuperblock(fs, candidate)
        if (other.poolId === superblock.poolId && other.brickId === brick.brickId) return candidate
        problems.push(new MaasError('POOL_BRICK_MISSING', 'another brick stands there', { path }))
      } catch (error) {
        // Reported below: whether the pool can do without this brick is the caller's decision.
        if (!isMaasError(error)) throw error
        problems.push(error)
      }
    }
    missing.push({ index, error: problems[0]! })
    return brick.path
  })
  return { superblock, paths, missing }
}

export function brickMissing(bricks: PoolBricks): MaasError {
  const [first] = bricks.missing
  return new MaasError(
    'POOL_BRICK_MISSING',
    'a brick of the pool is missing',
    { bricks: bricks.missing.map(({ index }) => bricks.paths[index]!) },
    { cause: first?.error },
  )
}
