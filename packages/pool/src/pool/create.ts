/** Making a pool. The superblocks come last: a directory without one is no pool. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import { makeBrickId, makePoolId } from '@openmaas/kernel/ids'
import type { PoolId } from '@openmaas/kernel/ids'
import type { Random } from '@openmaas/kernel/random'
import { BRICK_COUNT_MAX } from '../index/pack-table.ts'
import { OwnerLock } from '../backend/owner-lock.ts'
import { copyCount, saveSuperblock } from '../backend/superblock.ts'
import type { Redundancy } from '../backend/superblock.ts'
import { KeyRing, MASTER_KEY_SIZE } from '../keys/key-ring.ts'
import { sealKeySlot } from '../keys/key-slot.ts'
import { saveKeySlot } from '../keys/key-slot-store.ts'
import { LogMirrors, logDirectories } from '../log/mirrors.ts'
import { FIRST_MAC, RecordCodec } from '../log/record.ts'
import { LogType } from '../log/types.ts'
import { clearInitRemains, isInitRemains } from './init-remains.ts'

export interface PoolCreateOptions {
  /** Absolute paths; each is made when missing and must be empty, or left by a killed init. */
  readonly bricks: readonly string[]
  readonly redundancy: Redundancy
  readonly passphrase: string
  readonly fs: Fs
  readonly clock: Clock
  readonly random: Random
}

/** What a fresh file system may hold. */
const IGNORED_NAMES = new Set(['lost+found'])
/** What stands in the lock while the pool is made. */
const PID_UNKNOWN = 0

/** @throws MaasError POOL_EXISTS, POOL_BUSY while another init is making it, USAGE, FS_* */
export function createPool(options: PoolCreateOptions): { poolId: PoolId; masterKey: Buffer } {
  const { fs, bricks, redundancy } = options
  if (bricks.length < 1 || bricks.length > BRICK_COUNT_MAX) {
    throw new MaasError('USAGE', `a pool has 1 to ${BRICK_COUNT_MAX} bricks`)
  }
  if (new Set(bricks).size !== bricks.length) {
    throw new MaasError('USAGE', 'each brick is a directory of its own', { bricks })
  }
  copyCount(redundancy, bricks.length)
  for (const brick of bricks) fs.makeDirectory(brick)
  // Looked at before the lock, which is a file, and again under it: two may have begun at once.
  for (const index of bricks.keys()) requireEmpty(fs, bricks, index)
  const lock = OwnerLock.acquire(fs, bricks[0]!, PID_UNKNOWN)
  try {
    return createLocked(options)
  } finally {
    lock.release()
  }
}

function createLocked(options: PoolCreateOptions): { poolId: PoolId; masterKey: Buffer } {
  const { fs, clock, random, bricks, redundancy, passphrase } = options
  const remains = bricks.filter((_, index) => requireEmpty(fs, bricks, index) === 'remains')
  for (const brick of remains) clearInitRemains(fs, brick)
  const poolId = makePoolId(clock, random)
  const masterKey = random.bytes(MASTER_KEY_SIZE)
  for (const brick of bricks) {
    for (const name of ['packs', 'tmp', 'quarantine']) fs.makeDirectory(`${brick}/${name}`)
  }
  fs.makeDirectory(`${bricks[0]!}/index`)
  const slot = 'passphrase'
  saveKeySlot(fs, bricks, sealKeySlot({ slot, poolId, masterKey, passphrase, random, clock }))
  const keys = new KeyRing(masterKey, poolId)
  LogMirrors.create(fs, logDirectories(bricks), firstRecord(keys, clock))
  // Read once: the superblocks of all bricks say the same.
  const createdAt = new Date(clock.wallMs()).toISOString()
  const members = bricks.map((path) => ({ brickId: makeBrickId(clock, random), path }))
  // The first brick is the one a pool is opened by: last, so that all others are there.
  for (const brickIndex of [...members.keys()].toReversed()) {
    const { brickId, path } = members[brickIndex]!
    fs.syncDirectory(path)
    if (bricks.length === 1) fs.syncDirectory(`${path}/log`)
    saveSuperblock(fs, path, {
      format: 1,
      poolId,
      brickId,
      brickIndex,
      brickCount: members.length,
      bricks: members,
      redundancy,
      createdAt,
    })
  }
  return { poolId, masterKey }
}

function firstRecord(keys: KeyRing, clock: Clock): Buffer {
  const head = { sequence: 1, ownerEpoch: 1, batchIndex: 0, previousMac: FIRST_MAC }
  const body = { epoch: 1, poolId: keys.poolId, wallMs: Math.floor(clock.wallMs()) }
  return new RecordCodec(keys.logMacKey).encode(head, { type: LogType.owner, body })
}

/** @throws MaasError POOL_EXISTS; then no brick has been touched */
function requireEmpty(fs: Fs, bricks: readonly string[], index: number): 'empty' | 'remains' {
  const path = bricks[index]!
  const names = fs.readDirectory(path).filter((name) => !IGNORED_NAMES.has(name))
  if (names.length === 0) return 'empty'
  if (isInitRemains(fs, bricks, index)) return 'remains'
  const what = names.includes('pool.json')
    ? 'a pool is already there'
    : 'the directory is not empty'
  throw new MaasError('POOL_EXISTS', `${path}: ${what}`, { path })
}
