/**
 * The invariants of POOL.md, section 8, checked on the simulated disk after every recovery. The
 * medium is looked at directly: what only the page cache shows does not count.
 */
import { Blake3Hasher } from '@napi-rs/blake-hash'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { PackStatus } from '@openmaas/pool/index/pack-table'
import { logDirectories } from '@openmaas/pool/log/mirrors'
import { decodePackTrailer, PACK_TRAILER_SIZE } from '@openmaas/pool/pack/format'
import { packPath } from '@openmaas/pool/pack/path'
import { readFooter } from '@openmaas/pool/pack/scan'
import type { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { PackRow } from '@openmaas/pool/pool/state'
import type { SimDisk } from '../disk/sim-disk.ts'
import type { SimFile } from '../disk/sim-file.ts'
import { SimFs } from '../disk/sim-fs.ts'
import { verifyTree } from './content.ts'
import type { Oracle } from './oracle.ts'

export interface Site {
  readonly disk: SimDisk
  readonly bricks: readonly string[]
  readonly oracle: Oracle
}

/** I1, I2, I3 and I6 by names and by every byte. */
export function checkSnapshots(site: Site, pool: Pool, settle: boolean): void {
  const { oracle } = site
  const rows = pool.snapshots()
  oracle.compare(new Map(rows.map(({ id, root }) => [id, root])), settle)
  for (const row of rows) {
    pool.manifest(row)
    readWhole(pool.chunks, row.root, oracle)
  }
  checkPinned(pool.chunks, oracle)
}

/** I6: what a pin keeps can be read, also when the snapshot has been deleted. */
export function checkPinned(chunks: ChunkReader, oracle: Oracle): void {
  for (const pin of oracle.pins.values()) {
    if (pin.releasing) continue
    for (const id of pin.snapshots) readWhole(chunks, rootOf(oracle, id), oracle)
  }
}

function rootOf(oracle: Oracle, id: SnapshotId): string {
  const root = oracle.rootOf(id)
  if (root === undefined) throw new Error(`the oracle does not know ${id}`)
  return root
}

export function readWhole(chunks: ChunkReader, root: string, oracle: Oracle): void {
  const tree = oracle.trees.get(root)
  if (tree === undefined) throw new Error(`nobody wrote a tree with root ${root}`)
  for (const _ of verifyTree(chunks, root, tree)) {
    // Every file is compared by the generator.
  }
}

/** I9: all mirrors hold the same bytes, and the medium holds what the page cache shows. */
export function checkLog({ disk, bricks }: Site): void {
  let first: Buffer | undefined
  for (const directory of logDirectories(bricks)) {
    if (isLost(disk, directory)) continue
    const file = fileAt(disk, `${directory}/00000001.log`)
    if (file === undefined) throw new Error(`I9: the mirror in ${directory} is gone`)
    const bytes = Buffer.from(file.bytes.subarray(0, file.size))
    const isDurable = isDurableName(disk, `${directory}/00000001.log`) && isOnMedium(file)
    if (!isDurable) throw new Error(`I9: the mirror in ${directory} is not durable`)
    if (first !== undefined && !first.equals(bytes)) throw new Error('I9: mirrors differ')
    first = bytes
  }
}

/**
 * I4: every live pack has durable files.
 * @param everyCopy false while a brick is gone or damage waits for its repair: one copy must do
 */
export function checkPacks(site: Site, pool: Pool, everyCopy: boolean): void {
  for (const pack of pool.core.state.packs.values()) {
    if (pack.state === 'deleted') continue
    const good = pack.bricks.filter((brick) => isGoodCopy(site, pack, brick)).length
    if (good >= (everyCopy ? pack.bricks.length : 1)) continue
    throw new Error(`I4: pack ${pack.packId} has ${good} of ${pack.bricks.length} durable copies`)
  }
}

function isGoodCopy({ disk, bricks }: Site, pack: PackRow, brick: number): boolean {
  const path = packPath(bricks[brick]!, Buffer.from(pack.packId, 'hex'))
  if (isLost(disk, path)) return false
  const file = fileAt(disk, path)
  if (file === undefined || file.size !== pack.size || file.durableSize !== pack.size) return false
  if (!isDurableName(disk, path)) return false
  // The hash does not cover the trailer; the trailer has a checksum of its own.
  const trailer = file.durable.subarray(pack.size - PACK_TRAILER_SIZE, pack.size)
  if (decodePackTrailer(trailer, pack.size) === undefined) return false
  const hasher = new Blake3Hasher()
  hasher.update(file.durable.subarray(0, pack.size - PACK_TRAILER_SIZE))
  return hasher.digestBuffer().toString('hex') === pack.hash
}

/** I7: the index knows every record of every live pack, at its place. */
export function checkIndex(site: Site, pool: Pool): void {
  const { packs, index, state } = pool.core
  const fs = new SimFs(site.disk)
  const footers = new Map<string, Map<number, number>>()
  for (const pack of state.livePacks()) {
    if (packs.status(pack.packNo) !== PackStatus.live) continue
    const brick = pack.bricks.find((candidate) => isGoodCopy(site, pack, candidate))
    if (brick === undefined) continue
    const path = packPath(site.bricks[brick]!, Buffer.from(pack.packId, 'hex'))
    for (const { chunkId, offset } of readFooter(fs, path).records) {
      const id = chunkId.toString('hex')
      const places = footers.get(id)
      if (places === undefined) footers.set(id, new Map([[pack.packNo, offset]]))
      else places.set(pack.packNo, offset)
    }
  }
  for (const [id, places] of footers) {
    const found = index.view.findAll(Buffer.from(id, 'hex'), (packNo) => packs.visible(packNo, 0))
    const same =
      found.length === places.size &&
      found.every(({ packNo, offset }) => places.get(packNo) === offset)
    if (!same) throw new Error(`I7: index and packs disagree on chunk ${id}`)
  }
}

function fileAt(disk: SimDisk, path: string): SimFile | undefined {
  const node = disk.find(path)
  return node?.kind === 'file' ? node : undefined
}

function isLost(disk: SimDisk, path: string): boolean {
  return disk.lostBrick !== undefined && path.startsWith(`/${disk.lostBrick}/`)
}

function isOnMedium(file: SimFile): boolean {
  const { size, durableSize, bytes, durable } = file
  return size === durableSize && bytes.compare(durable, 0, size, 0, size) === 0
}

function isDurableName(disk: SimDisk, path: string): boolean {
  const names = path.split('/').filter((name) => name !== '')
  for (let depth = 1; depth <= names.length; depth += 1) {
    const parent = disk.find(names.slice(0, depth - 1).join('/'))
    if (parent?.kind !== 'directory' || !parent.isDurable(names[depth - 1]!)) return false
  }
  return true
}
