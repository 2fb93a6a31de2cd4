/** All keys of a pool, derived from its master key (docs/formats/keys.md, "Hierarchy"). */
import { hkdfSync } from 'node:crypto'
import { assert } from '@openmaas/kernel/assert'
import type { PoolId } from '@openmaas/kernel/ids'
import { encodePoolId } from './pool-id.ts'

export const MASTER_KEY_SIZE = 32

const GEAR_TABLE_SIZE = 256 * 8

/**
 * Cheap to make (70 µs), so each thread makes its own from the master key and the pool id; both
 * are structured-cloneable, this class is not.
 */
export class KeyRing {
  readonly poolId: PoolId
  /** The 16 bytes of the pool id, as they stand in packs. */
  readonly poolIdBytes: Buffer
  readonly chunkIdKey: Buffer
  readonly chunkerKey: Buffer
  readonly logMacKey: Buffer
  readonly socketKey: Buffer
  readonly manifestKey: Buffer
  readonly #packMaster: Buffer

  constructor(masterKey: Buffer, poolId: PoolId) {
    assert(masterKey.length === MASTER_KEY_SIZE, 'a master key has 32 bytes')
    this.poolId = poolId
    this.poolIdBytes = encodePoolId(poolId)
    const salt = this.poolIdBytes
    const make = (purpose: string): Buffer =>
      derive({ key: masterKey, salt, info: Buffer.from(`openmaas/1/${purpose}`), size: 32 })
    this.chunkIdKey = make('chunk-id')
    this.chunkerKey = make('chunker')
    this.#packMaster = make('pack')
    this.logMacKey = make('log-mac')
    this.socketKey = make('socket')
    this.manifestKey = make('manifest')
  }

  /** The AES key of one pack. Costs about 12 µs: callers keep it while they use the pack. */
  packKey(packId: Buffer): Buffer {
    const info = Buffer.concat([Buffer.from('openmaas/1/pack-key/'), packId])
    return derive({ key: this.#packMaster, salt: this.poolIdBytes, info, size: 32 })
  }
}

/** The gear table of the chunker: 256 little-endian u64. */
export function deriveGearTable(chunkerKey: Buffer): Buffer {
  const info = Buffer.from('openmaas/1/gear')
  return derive({ key: chunkerKey, salt: Buffer.alloc(0), info, size: GEAR_TABLE_SIZE })
}

interface Derivation {
  readonly key: Buffer
  readonly salt: Buffer
  readonly info: Buffer
  readonly size: number
}

function derive({ key, salt, info, size }: Derivation): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, size))
}
