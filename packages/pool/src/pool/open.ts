/**
 * Becoming the owner: lock, read the log of all mirrors, bring them to one, write OWNER with the
 * next epoch, make the files agree, load the index. Crash anywhere and open again: each step can
 * be repeated.
 */
import type { Fs } from '@openmaas/kernel/fs'
import { brickMissing, findBricks } from '../backend/bricks.ts'
import type { PoolBricks } from '../backend/bricks.ts'
import { OwnerLock } from '../backend/owner-lock.ts'
import { PackStatus, PackTable } from '../index/pack-table.ts'
import { SharedIndex } from '../index/shared-index.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { LogMirrors, logDirectories } from '../log/mirrors.ts'
import { RecordCodec } from '../log/record.ts'
import type { LogRecovery } from '../log/recovery.ts'
import { LogType } from '../log/types.ts'
import { LogWriter } from '../log/writer.ts'
import { PoolCore } from './core.ts'
import type { PoolDeps, PoolTuning } from './core.ts'
import { indexedPacks } from './pack-records.ts'
import { PoolTime } from './pool-time.ts'
import { fillPackTable, indexDirectory, readLog } from './load.ts'
import { openMasterKey } from './reader.ts'
import type { Unlock } from './reader.ts'
import { recoverFiles } from './recover-files.ts'
import type { RecoveredFiles } from './recover-files.ts'
import { reserveFor } from './space.ts'

export interface PoolOpenOptions extends PoolDeps {
  /** Of the pool's first brick. */
  readonly path: string
  readonly unlock: Unlock
  readonly tuning?: PoolTuning
  /** Opens although bricks are missing: packs then have fewer copies until fsck repairs. */
  readonly degraded?: boolean
}

export interface OpenedPool {
  readonly core: PoolCore
  readonly lock: OwnerLock
  readonly mirrors: LogMirrors
  readonly recovered: RecoveredFiles
  /** Indexes of bricks that are there. */
  readonly available: readonly number[]
  /** Bytes kept free, per brick; Infinity for a missing one. */
  readonly reserves: readonly number[]
}

/**
 * @throws MaasError POOL_NOT_FOUND, POOL_PASSPHRASE_WRONG, POOL_BUSY, POOL_BRICK_MISSING,
 *   LOG_CORRUPT, FS_*; nothing has been damaged then
 */
export async function openPool(options: PoolOpenOptions): Promise<OpenedPool> {
  const { fs } = options
  const bricks = findBricks(fs, options.path)
  refuseMissing(bricks, options.degraded === true)
  const masterKey = openMasterKey(fs, bricks.paths, options.unlock)
  const lock = OwnerLock.acquire(fs, bricks.paths[0]!, options.pid ?? 0)
  let mirrors: LogMirrors | undefined
  try {
    const available = [...bricks.paths.keys()].filter(
      (index) => !bricks.missing.some((brick) => brick.index === index),
    )
    const keys = new KeyRing(masterKey, bricks.superblock.poolId)
    const { recovery, state } = readLog(fs, bricks.paths, keys)
    mirrors = restoreMirrors(fs, bricks, available, recovery)
    const locked = [...state.snapshots.values()].some(
      ({ lockUntil }) => (lockUntil ?? 0) > state.poolTimeMs,
    )
    const { poolTimeMs, wallMs, frozen } = state
    const core = new PoolCore({
      deps: completeDeps(options),
      tuning: options.tuning ?? {},
      superblock: bricks.superblock,
      brickPaths: bricks.paths,
      masterKey,
      keys,
      state,
      time: new PoolTime(options.clock, { poolTimeMs, wallMs, frozen, locked }),
      packs: new PackTable(PackTable.allocate(options.tuning?.packCountMax)),
      lastMac: recovery.records.at(-1)!.mac,
      opening: { damagedMirrors: damagedMirrors(bricks, available, recovery) },
    })
    await becomeOwner(core, mirrors, recovery)
    fillPackTable(core.packs, state)
    const now = core.time.now()
    const recovered = recoverFiles({ fs, bricks: bricks.paths, available, state, now })
    for (const packNo of recovered.missing) core.packs.setStatus(packNo, PackStatus.lost)
    openIndex(core, recovery)
    const reserves = reservesOf(core, available)
    return { core, lock, mirrors, recovered, available, reserves }
  } catch (error) {
    mirrors?.close()
    lock.release()
    throw error
  }
}

/**
 * A brick that is there and cannot be read is not one to go on without: its log would be left
 * behind by an error that may pass. Whoever means to do without it takes it away.
 */
function refuseMissing(bricks: PoolBricks, degraded: boolean): void {
  if (bricks.missing.length === 0) return
  const firstThere = !bricks.missing.some(({ index }) => index === 0)
  const unreadable = bricks.missing.find(({ error }) => error.code.startsWith('FS_'))
  if (degraded && firstThere && unreadable !== undefined) throw unreadable.error
  if (!degraded || !firstThere) throw brickMissing(bricks)
}

function restoreMirrors(
  fs: Fs,
  bricks: PoolBricks,
  available: readonly number[],
  recovery: LogRecovery,
): LogMirrors {
  const directories = logDirectories(bricks.paths)
  if (bricks.paths.length === 1) return LogMirrors.restore(fs, directories, recovery)
  // A missing brick's mirror is brought up when the brick is back; its place is not written to.
  return LogMirrors.restore(
    fs,
    available.map((index) => directories[index]!),
    { ...recovery, intact: available.map((index) => recovery.intact[index]!) },
  )
}

function damagedMirrors(
  bricks: PoolBricks,
  available: readonly number[],
  recovery: LogRecovery,
): string[] {
  const isThere = (index: number) => bricks.paths.length === 1 || available.includes(index)
  return logDirectories(bricks.paths).filter(
    (_, index) => recovery.damaged[index] === true && isThere(index),
  )
}

async function becomeOwner(
  core: PoolCore,
  mirrors: LogMirrors,
  recovery: LogRecovery,
): Promise<void> {
  const { state, keys, deps, time } = core
  const epoch = state.ownerEpoch + 1
  core.log = new LogWriter({
    codec: new RecordCodec(keys.logMacKey),
    mirrors,
    position: { sequence: state.sequence, offset: recovery.bytes.length, mac: core.lastMac },
    ownerEpoch: epoch,
    apply: (record) => core.apply(record),
    yieldTurn: deps.yieldTurn,
  })
  const owner = { epoch, poolId: keys.poolId, wallMs: time.wallMs }
  const at = time.now()
  const frozen = time.frozen ? { frozen: true } : {}
  await Promise.all([
    core.append({ type: LogType.owner, body: owner }),
    core.append({ type: LogType.poolTime, body: { at, wallMs: time.wallMs, ...frozen } }),
  ])
}

function openIndex(core: PoolCore, recovery: LogRecovery): void {
  const { deps, brickPaths, superblock, keys, state, tuning, packs } = core
  const { memtableSlots, arenaSizeMax } = tuning
  core.index = SharedIndex.open({
    fs: deps.fs,
    directory: indexDirectory(brickPaths),
    poolId: superblock.poolId,
    poolIdBytes: keys.poolIdBytes,
    packs: indexedPacks(deps.fs, brickPaths, state),
    packTable: packs.buffers,
    nextPackNo: state.nextPackNo,
    logMac: (sequence) => recovery.records[sequence - 1]?.mac.toString('hex'),
    writable: true,
    ...(memtableSlots === undefined ? {} : { slotCount: memtableSlots }),
    ...(arenaSizeMax === undefined ? {} : { arenaSizeMax }),
  })
}

function reservesOf(core: PoolCore, available: readonly number[]): number[] {
  const { brickPaths, state, deps, tuning } = core
  return brickPaths.map((brick, index) => {
    if (!available.includes(index)) return Number.POSITIVE_INFINITY
    if (tuning.reserveBytes !== undefined) return tuning.reserveBytes
    let used = 0
    for (const pack of state.packs.values()) {
      if (pack.state !== 'deleted' && pack.bricks.includes(index)) used += pack.size
    }
    return reserveFor(used + deps.fs.freeBytes(brick))
  })
}

function completeDeps(options: PoolOpenOptions): Required<PoolDeps> {
  const { fs, clock, random, yieldTurn, pid, bootId } = options
  return {
    fs,
    clock,
    random,
    // A macrotask: timers, messages of lanes and signals get their turn.
    yieldTurn: yieldTurn ?? (() => new Promise((resolve) => setImmediate(resolve))),
    pid: pid ?? 0,
    bootId: bootId ?? '',
  }
}
