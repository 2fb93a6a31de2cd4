/** What the files of a pool say at this moment, for whoever reads without owning it. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { PackStatus, PackTable } from '../index/pack-table.ts'
import { SharedIndex } from '../index/shared-index.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { logDirectories, logFileSize, readMirror } from '../log/mirrors.ts'
import { RecordCodec } from '../log/record.ts'
import { recoverLog } from '../log/recovery.ts'
import type { LogRecovery } from '../log/recovery.ts'
import { indexedPacks } from './pack-records.ts'
import { PoolState } from './state.ts'

export interface LoadedPool {
  readonly state: PoolState
  readonly index: SharedIndex
  /** See `logSizeOf`, before it was read: once it differs, the pool has changed. */
  readonly logSize: number
}

/** @throws MaasError LOG_CORRUPT, FS_* */
export function loadPool(fs: Fs, bricks: readonly string[], keys: KeyRing): LoadedPool {
  const logSize = logSizeOf(fs, bricks)
  const { recovery, state } = readLog(fs, bricks, keys)
  const packTable = PackTable.allocate()
  fillPackTable(new PackTable(packTable), state)
  const index = SharedIndex.open({
    fs,
    directory: indexDirectory(bricks),
    poolId: keys.poolId,
    poolIdBytes: keys.poolIdBytes,
    packs: indexedPacks(fs, bricks, state),
    packTable,
    nextPackNo: state.nextPackNo,
    logMac: (sequence) => recovery.records[sequence - 1]?.mac.toString('hex'),
    writable: false,
  })
  return { state, index, logSize }
}

/** Bytes of the log files of all bricks: grows with every record. */
export function logSizeOf(fs: Fs, bricks: readonly string[]): number {
  return logDirectories(bricks).reduce((sum, directory) => sum + logFileSize(fs, directory), 0)
}

export function indexDirectory(bricks: readonly string[]): string {
  return `${bricks[0]!}/index`
}

/**
 * Reads all mirrors and replays the log.
 * @throws MaasError LOG_CORRUPT when it has a hole, contradicts itself, or holds nothing
 */
export function readLog(
  fs: Fs,
  bricks: readonly string[],
  keys: KeyRing,
): { recovery: LogRecovery; state: PoolState } {
  const mirrors = logDirectories(bricks).map((directory) => readMirror(fs, directory))
  const recovery = recoverLog(new RecordCodec(keys.logMacKey), mirrors)
  const state = new PoolState()
  for (const record of recovery.records) state.apply(record)
  if (state.poolId !== keys.poolId) {
    // A pool is made with its first record: a log without one has been lost, not begun.
    throw new MaasError('LOG_CORRUPT', 'no mirror holds the log of this pool', {
      mirrors: logDirectories(bricks),
      mirrorsRead: mirrors.filter((mirror) => mirror !== undefined).length,
    })
  }
  return { recovery, state }
}

export function fillPackTable(table: PackTable, state: PoolState): void {
  const statuses = {
    live: PackStatus.live,
    condemned: PackStatus.condemned,
    deleted: PackStatus.dead,
  } as const
  for (const { packNo, packId, kind, bricks, size, state: packState } of state.packs.values()) {
    table.setFile(packNo, { packId: Buffer.from(packId, 'hex'), kind, bricks, size })
    table.setStatus(packNo, statuses[packState])
  }
}
