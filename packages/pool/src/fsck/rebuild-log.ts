/**
 * A new log from the packs alone, for the day on which every mirror is lost or corrupt.
 *
 * Every pack with a good footer becomes a PACK record, every manifest chunk whose snapshot is
 * complete a SNAPSHOT record. What the packs do not know is lost: pins, and that a snapshot had
 * been deleted (it comes back when all of it is still there). Locks keep their dates, and pool
 * time begins at the latest moment that any readable record of the old log proves, so a lock can
 * only become longer. The old mirrors are kept beside the new ones.
 */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import { brickMissing, findBricks } from '../backend/bricks.ts'
import { OwnerLock } from '../backend/owner-lock.ts'
import { ChunkType } from '../chunk/chunk.ts'
import { SNAPSHOT_VISITORS } from '../gc/visitors.ts'
import type { SnapshotVisitors } from '../gc/visitors.ts'
import { removeManifest } from '../index/manifest.ts'
import { PackTable } from '../index/pack-table.ts'
import { SharedIndex } from '../index/shared-index.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { logDirectories, readMirror, replaceMirror } from '../log/mirrors.ts'
import { BATCH_COUNT_MAX, FIRST_MAC, RecordCodec } from '../log/record.ts'
import { LogType } from '../log/types.ts'
import type { LogEntry, PackBody, SnapshotBody } from '../log/types.ts'
import { readFooter } from '../pack/scan.ts'
import type { PackFooter } from '../pack/scan.ts'
import { ChunkReader } from '../pool/chunk-reader.ts'
import { parseManifest } from '../pool/manifest.ts'
import { fillPackTable, indexDirectory, readLog } from '../pool/load.ts'
import { openMasterKey } from '../pool/reader.ts'
import type { Unlock } from '../pool/reader.ts'
import { packFiles } from '../pool/recover-files.ts'
import { PoolState } from '../pool/state.ts'

export interface RebuildLogOptions {
  readonly path: string
  readonly unlock: Unlock
  readonly fs: Fs
  readonly clock: Clock
  readonly pid?: number
  readonly visitors?: SnapshotVisitors
}

export interface RebuildLogReport {
  readonly packs: number
  /** Files that are no whole pack of this pool; the next owner puts them to quarantine. */
  readonly badFiles: readonly string[]
  readonly snapshots: readonly string[]
  /** Snapshots whose manifest is there, but not all of their chunks. */
  readonly incomplete: readonly string[]
}

interface FoundPack {
  readonly body: PackBody
  readonly footer: PackFooter
}

/** @throws MaasError POOL_BUSY; POOL_EXISTS when the log is whole; what opening throws */
export async function rebuildLog(options: RebuildLogOptions): Promise<RebuildLogReport> {
  const { fs, clock } = options
  const bricks = findBricks(fs, options.path)
  if (bricks.missing.length > 0) throw brickMissing(bricks)
  const masterKey = openMasterKey(fs, bricks.paths, options.unlock)
  const keys = new KeyRing(masterKey, bricks.superblock.poolId)
  const lock = OwnerLock.acquire(fs, bricks.paths[0]!, options.pid ?? 0)
  try {
    refuseWholeLog(fs, bricks.paths, keys)
    const old = readOldLog(fs, bricks.paths, keys)
    const badFiles: string[] = []
    const found = findPacks(fs, bricks.paths, { keys, at: old.poolTimeMs, badFiles })
    const { snapshots, incomplete } = findSnapshots(options, bricks.paths, {
      keys,
      masterKey,
      found,
    })
    const wallMs = Math.floor(clock.wallMs())
    const owner = { epoch: old.ownerEpoch + 1, poolId: keys.poolId, wallMs, rebuilt: true }
    const entries: LogEntry[] = [
      { type: LogType.owner, body: owner },
      { type: LogType.poolTime, body: { at: old.poolTimeMs, wallMs } },
      ...found.map(({ body }) => ({ type: LogType.pack, body })),
      ...snapshots.map((body) => ({ type: LogType.snapshot, body })),
    ]
    removeManifest(fs, indexDirectory(bricks.paths))
    writeLog(fs, bricks.paths, encodeAll(keys, owner.epoch, entries))
    return {
      packs: found.length,
      badFiles,
      snapshots: snapshots.map(({ id }) => id),
      incomplete,
    }
  } finally {
    lock.release()
  }
}

function refuseWholeLog(fs: Fs, bricks: readonly string[], keys: KeyRing): void {
  try {
    readLog(fs, bricks, keys)
  } catch (error) {
    if (isMaasError(error, 'LOG_CORRUPT')) return // This is the day.
    throw error
  }
  throw new MaasError('POOL_EXISTS', 'the log is whole: there is nothing to rebuild', {
    mirrors: logDirectories(bricks),
  })
}

/** The latest pool time and epoch that any record of any old mirror proves. */
function readOldLog(
  fs: Fs,
  bricks: readonly string[],
  keys: KeyRing,
): { poolTimeMs: number; ownerEpoch: number } {
  const codec = new RecordCodec(keys.logMacKey)
  let [poolTimeMs, ownerEpoch] = [0, 1]
  for (const directory of logDirectories(bricks)) {
    const mirror = readMirror(fs, directory)
    if (mirror === undefined) continue
    for (let offset = 0; offset < mirror.length; offset += 1) {
      const record = codec.decode(mirror, offset)
      if (record === undefined) continue
      const { body } = record.entry
      if ('at' in body) poolTimeMs = Math.max(poolTimeMs, body.at)
      ownerEpoch = Math.max(ownerEpoch, record.ownerEpoch)
      offset += record.length - 1
    }
  }
  return { poolTimeMs, ownerEpoch }
}

function findPacks(
  fs: Fs,
  bricks: readonly string[],
  { keys, at, badFiles }: { keys: KeyRing; at: number; badFiles: string[] },
): FoundPack[] {
  const found = new Map<string, { footer: PackFooter; bricks: number[]; mtimeMs: number }>()
  for (const [brick, root] of bricks.entries()) {
    for (const { directory, name } of packFiles(fs, root)) {
      const path = `${directory}/${name}`
      const footer = tryFooter(fs, path)
      const ours = footer?.header.poolId.equals(keys.poolIdBytes) === true
      if (footer === undefined || !ours || footer.header.packId.toString('hex') !== name) {
        badFiles.push(path)
        continue
      }
      const known = found.get(name)
      if (known === undefined) {
        found.set(name, { footer, bricks: [brick], mtimeMs: fs.stat(path)?.mtimeMs ?? 0 })
      } else if (known.footer.trailer.hash.equals(footer.trailer.hash)) known.bricks.push(brick)
      else badFiles.push(path)
    }
  }
  // The order in which they were written, as far as the file system still knows it.
  const ordered = [...found].toSorted(([a, x], [b, y]) => x.mtimeMs - y.mtimeMs || (a < b ? -1 : 1))
  return ordered.map(([packId, pack], packNo) => {
    const { header, trailer, size } = pack.footer
    const hash = trailer.hash.toString('hex')
    const { kind } = header
    const recordCount = trailer.count
    const body = { packNo, packId, kind, size, hash, recordCount, bricks: pack.bricks, at }
    return { body, footer: pack.footer }
  })
}

function tryFooter(fs: Fs, path: string): PackFooter | undefined {
  try {
    return readFooter(fs, path)
  } catch (error) {
    if (isMaasError(error)) return undefined // Listed as a bad file by the caller.
    throw error
  }
}

function findSnapshots(
  options: RebuildLogOptions,
  bricks: readonly string[],
  pool: { keys: KeyRing; masterKey: Buffer; found: readonly FoundPack[] },
): { snapshots: SnapshotBody[]; incomplete: string[] } {
  const { found } = pool
  const reader = makeReader(options.fs, bricks, pool)
  const visitors = options.visitors ?? SNAPSHOT_VISITORS
  const snapshots = new Map<string, SnapshotBody>()
  const incomplete: string[] = []
  try {
    for (const { footer } of found) {
      for (const { type, chunkId } of footer.records) {
        if (type !== ChunkType.manifest) continue
        const body = readSnapshot(reader, chunkId, visitors)
        if (typeof body === 'string') incomplete.push(body)
        else snapshots.set(body.id, body)
      }
    }
  } finally {
    reader.close()
  }
  const ordered = [...snapshots.values()].toSorted((a, b) => a.createdAtMs - b.createdAtMs)
  return { snapshots: ordered, incomplete: incomplete.filter((id) => !snapshots.has(id)) }
}

/** @returns the record, or the id (or the chunk id) of a snapshot that is not complete */
function readSnapshot(
  reader: ChunkReader,
  chunkId: Buffer,
  visitors: SnapshotVisitors,
): SnapshotBody | string {
  let name = chunkId.toString('hex')
  try {
    const { kind, root, parent, snapshot } = parseManifest(reader.read(chunkId))
    name = snapshot.id
    const entered = new Set<string>()
    const demand = (id: Buffer): void => {
      if (!reader.has(id)) throw new MaasError('CHUNK_MISSING', 'a chunk is lost')
    }
    const { chunkCount } = visitors[kind](reader, Buffer.from(root, 'hex'), {
      enter: (id) => {
        const key = id.toString('latin1')
        if (entered.has(key)) return false
        entered.add(key)
        return true
      },
      leaf: demand,
    })
    if (chunkCount !== snapshot.chunkCount) return name
    return {
      id: snapshot.id,
      kind,
      root,
      manifestChunk: chunkId.toString('hex'),
      chunkCount,
      createdAtMs: snapshot.createdAtMs,
      ...(parent === undefined ? {} : { parent }),
      ...(snapshot.lockUntil === undefined ? {} : { lockUntil: snapshot.lockUntil }),
    }
  } catch (error) {
    if (isMaasError(error)) return name // Told as incomplete; its chunks stay in their packs.
    throw error
  }
}

function makeReader(
  fs: Fs,
  bricks: readonly string[],
  { keys, masterKey, found }: { keys: KeyRing; masterKey: Buffer; found: readonly FoundPack[] },
): ChunkReader {
  const state = new PoolState()
  const entries = found.map(({ body }) => ({ type: LogType.pack, body }) as const)
  for (const [index, entry] of entries.entries()) {
    const sequence = index + 1
    state.apply({ sequence, ownerEpoch: 1, batchIndex: 0, entry, mac: FIRST_MAC, length: 0 })
  }
  const packTable = PackTable.allocate()
  fillPackTable(new PackTable(packTable), state)
  const index = SharedIndex.open({
    fs,
    directory: `${indexDirectory(bricks)}/none`,
    poolId: keys.poolId,
    poolIdBytes: keys.poolIdBytes,
    packs: found.map(({ body, footer }, at) => ({
      packNo: body.packNo,
      sequence: at + 1,
      recordCount: body.recordCount,
      read: () => footer.records,
    })),
    packTable,
    nextPackNo: found.length,
    logMac: () => undefined,
    writable: false,
  })
  return new ChunkReader({ poolId: keys.poolId, masterKey, bricks, index: index.handoff() }, { fs })
}

function encodeAll(keys: KeyRing, ownerEpoch: number, entries: readonly LogEntry[]): Buffer {
  const codec = new RecordCodec(keys.logMacKey)
  let previousMac = FIRST_MAC
  const pieces = entries.map((entry, index) => {
    const batchIndex = index % BATCH_COUNT_MAX
    const piece = codec.encode({ sequence: index + 1, ownerEpoch, batchIndex, previousMac }, entry)
    previousMac = Buffer.from(piece.subarray(piece.length - previousMac.length))
    return piece
  })
  return Buffer.concat(pieces)
}

/** Atomic per mirror: a crash leaves the old state or a whole new log, never a short one. */
function writeLog(fs: Fs, bricks: readonly string[], bytes: Buffer): void {
  for (const directory of logDirectories(bricks)) {
    fs.makeDirectory(directory)
    keepOld(fs, directory)
    fs.close(replaceMirror(fs, directory, bytes))
  }
}

function keepOld(fs: Fs, directory: string): void {
  const log = fs.readDirectory(directory).find((name) => name.endsWith('.log'))
  if (log === undefined) return
  let number = 1
  while (fs.stat(`${directory}/${log}.lost-${number}`) !== undefined) number += 1
  fs.rename(`${directory}/${log}`, `${directory}/${log}.lost-${number}`)
}
