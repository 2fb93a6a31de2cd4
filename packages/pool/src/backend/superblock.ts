/**
 * `<brick>/pool.json`: what makes a directory a brick of a pool. Canonical JSON with its own
 * checksum; written once, the same on every brick but for brickId and brickIndex.
 * docs/formats/pool-directory.md.
 */
import { createHash } from 'node:crypto'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { isId } from '@openmaas/kernel/ids'
import type { BrickId, PoolId } from '@openmaas/kernel/ids'
import { KiB } from '@openmaas/kernel/units'
import { BRICK_COUNT_MAX } from '../index/pack-table.ts'
import { canonicalJson } from '../keys/canonical-json.ts'
import type { Json } from '../keys/canonical-json.ts'

export const POOL_FORMAT = 1
/** 32 bricks with long paths stay far below. */
const SUPERBLOCK_SIZE_MAX = 256 * KiB
/** Two files with the same bytes: one flipped bit must not make a pool of one brick unreadable. */
const SUPERBLOCK_FILES = ['pool.json', 'pool.json.copy'] as const

export type Redundancy = 'single' | `mirror:${number}`

export interface Superblock {
  readonly format: 1
  readonly poolId: PoolId
  readonly brickId: BrickId
  readonly brickIndex: number
  readonly brickCount: number
  readonly bricks: readonly { readonly brickId: BrickId; readonly path: string }[]
  readonly redundancy: Redundancy
  /** RFC 3339, UTC. */
  readonly createdAt: string
}

/** Copies of each pack. @throws MaasError USAGE when the text is no redundancy for that many */
export function copyCount(redundancy: string, brickCount: number): number {
  if (redundancy === 'single') return 1
  const copies = Number(/^mirror:(\d{1,2})$/.exec(redundancy)?.[1])
  if (copies >= 2 && copies <= brickCount) return copies
  throw new MaasError('USAGE', 'redundancy is "single" or "mirror:n" with 2 to as many as bricks', {
    redundancy,
    brickCount,
  })
}

/** Writes both files, each atomically; durable on return. */
export function saveSuperblock(fs: Fs, brick: string, superblock: Superblock): void {
  const checksum = sha256(canonicalJson(superblock as unknown as Json))
  const text = canonicalJson({ ...superblock, checksum } as unknown as Json)
  for (const name of [...SUPERBLOCK_FILES].toReversed()) {
    const temporary = `${brick}/${name}.new`
    if (fs.stat(temporary) !== undefined) fs.unlink(temporary)
    const file = fs.open(temporary, 'create')
    try {
      fs.write(file, Buffer.from(`${text}\n`), 0)
      fs.dataSync(file)
    } finally {
      fs.close(file)
    }
    fs.rename(temporary, `${brick}/${name}`)
  }
  fs.syncDirectory(brick)
}

/**
 * Loads whichever file is good.
 * @throws MaasError POOL_NOT_FOUND, POOL_SUPERBLOCK_INVALID, POOL_FORMAT_UNSUPPORTED, FS_*
 */
export function loadSuperblock(fs: Fs, brick: string): Superblock {
  const [first, second] = SUPERBLOCK_FILES
  try {
    return loadSuperblockFile(fs, `${brick}/${first}`)
  } catch (error) {
    if (!isMaasError(error)) throw error
    try {
      return loadSuperblockFile(fs, `${brick}/${second}`)
    } catch (secondError) {
      // The first file's failure says more; the copy is as bad or was never there.
      if (!isMaasError(secondError)) throw secondError
      throw error
    }
  }
}

/** Both files of a brick, each loaded on its own: for fsck. */
export function superblockFiles(brick: string): string[] {
  return SUPERBLOCK_FILES.map((name) => `${brick}/${name}`)
}

/** @throws as loadSuperblock */
export function loadSuperblockFile(fs: Fs, path: string): Superblock {
  const text = readSuperblock(fs, path)
  const invalid = (what: string, cause?: unknown) => {
    const message = `the superblock is damaged: ${what}`
    return new MaasError('POOL_SUPERBLOCK_INVALID', message, { path }, { cause })
  }
  let value: Superblock & { checksum: string }
  try {
    value = JSON.parse(text) as Superblock & { checksum: string }
  } catch (cause) {
    throw invalid('not JSON', cause)
  }
  if (typeof value !== 'object' || value === null) throw invalid('no object')
  const { checksum, ...superblock } = value
  const canonical = canonicalText(value)
  if (text !== `${canonical}\n` || sha256(canonicalText(superblock)) !== checksum) {
    throw invalid('checksum')
  }
  if (superblock.format !== POOL_FORMAT) {
    throw new MaasError('POOL_FORMAT_UNSUPPORTED', 'the pool has a format of another version', {
      path,
      format: Number(superblock.format),
    })
  }
  const { bricks, brickIndex, brickCount, poolId } = superblock
  if (!isId('pool', poolId)) throw invalid('pool id')
  if (!Array.isArray(bricks) || bricks.length !== brickCount) throw invalid('bricks')
  if (brickCount < 1 || brickCount > BRICK_COUNT_MAX) throw invalid('brick count')
  if (bricks[brickIndex]?.brickId !== superblock.brickId) throw invalid('brick id')
  return superblock
}

/** A value that was parsed from a damaged file may hold what no superblock holds. */
function canonicalText(value: unknown): string {
  try {
    return canonicalJson(value as Json)
  } catch {
    return '' // No checksum is that of the empty text: the caller reports the damage.
  }
}

function readSuperblock(fs: Fs, path: string): string {
  try {
    const file = fs.open(path, 'read')
    try {
      const size = fs.size(file)
      if (size > SUPERBLOCK_SIZE_MAX) {
        throw new MaasError('POOL_SUPERBLOCK_INVALID', 'the superblock is too large', {
          path,
          size,
        })
      }
      const bytes = Buffer.alloc(size)
      return bytes.toString('utf8', 0, fs.read(file, bytes, 0))
    } finally {
      fs.close(file)
    }
  } catch (cause) {
    if (!isMaasError(cause, 'FS_NOT_FOUND')) throw cause
    throw new MaasError('POOL_NOT_FOUND', 'there is no pool', { path }, { cause })
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
