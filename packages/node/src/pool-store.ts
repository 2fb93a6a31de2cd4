/**
 * Which pools are in this node's care, and the passphrases that open them.
 *
 *   <data>/pools.json   { "version": 1, "pools": [{ poolId, path, sealed }] }, mode 0600
 *   <data>/pools.key    32 random bytes, mode 0600; only where nobody gave the node a key
 *   <data>/pool.new.json   one entry without a pool id: the pool that is being made
 *
 * `sealed` is nonce 12, AES-256-GCM ciphertext, tag 16, in base64; pool id and path are
 * authenticated with it, so that no passphrase can be moved to another pool's entry. Whoever
 * reads both files reads the pools: they are as good as the bricks' own disk.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { PoolId } from '@openmaas/kernel/ids'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import type { Random } from '@openmaas/kernel/random'
import { z } from 'zod'

const KEY_SIZE = 32
const NONCE_SIZE = 12
const TAG_SIZE = 16
/** Pools of one node: each holds its log and index in memory, some 100 MB when it is busy. */
export const POOLS_MAX = 64

const storeSchema = z.object({
  version: z.literal(1),
  pools: z
    .array(z.object({ poolId: z.string(), path: z.string(), sealed: z.string() }))
    .max(POOLS_MAX),
})

const newSchema = z.object({ path: z.string(), sealed: z.string() })
/** Stands for the id of a pool that has none yet. */
const NO_ID = '' as PoolId

export interface KnownPool {
  readonly poolId: PoolId
  /** Of the first brick. */
  readonly path: string
  readonly passphrase: string
}

export interface PoolStoreOptions {
  /** The node's data directory; made when missing. */
  readonly directory: string
  readonly random: Random
  /** Given by the composition root; by default the node keeps a key of its own. */
  readonly key?: Buffer
}

export class PoolStore {
  readonly #directory: string
  readonly #random: Random
  readonly #key: Buffer

  /** @throws MaasError SEALED_INVALID, FS_* */
  constructor({ directory, random, key }: PoolStoreOptions) {
    this.#directory = directory
    this.#random = random
    makeDirectories(directory, 0o700)
    const secret = key ?? this.#ownKey()
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'openmaas/node/pool-passphrases', 32))
  }

  /** @throws MaasError SEALED_INVALID when the file or the key is not the one it was */
  load(): KnownPool[] {
    if (!existsSync(this.#file)) return []
    let store: z.infer<typeof storeSchema>
    try {
      store = storeSchema.parse(JSON.parse(readFileSync(this.#file, 'utf8')))
    } catch (cause) {
      throw invalid('the list of pools is damaged', this.#file, cause)
    }
    return store.pools.map(({ poolId, path: brick, sealed }) => ({
      poolId: poolId as PoolId,
      path: brick,
      passphrase: this.#open(Buffer.from(sealed, 'base64'), { poolId, path: brick }),
    }))
  }

  /** Durable when it returns; adding a pool again replaces what was known of it. */
  add(pool: KnownPool): void {
    const others = this.load().filter(({ poolId }) => poolId !== pool.poolId)
    if (others.length >= POOLS_MAX) {
      const details = { max: POOLS_MAX }
      throw new MaasError('NODE_POOLS_TOO_MANY', 'this node has as many pools as it may', details)
    }
    this.#save([...others, pool])
  }

  /** Before a pool is made: its passphrase must not be lost with the process that chose it. */
  begin(made: Omit<KnownPool, 'poolId'>): void {
    const sealed = this.#seal({ poolId: NO_ID, ...made }).toString('base64')
    writePrivateFile(this.#newFile, `${JSON.stringify({ path: made.path, sealed })}\n`)
  }

  /** @returns what `begin` was told, when nobody has come to the end of it */
  begun(): Omit<KnownPool, 'poolId'> | undefined {
    if (!existsSync(this.#newFile)) return undefined
    let entry: z.infer<typeof newSchema>
    try {
      entry = newSchema.parse(JSON.parse(readFileSync(this.#newFile, 'utf8')))
    } catch (cause) {
      throw invalid('the note of a new pool is damaged', this.#newFile, cause)
    }
    const { path: brick, sealed } = entry
    const place = { poolId: NO_ID, path: brick }
    return { path: brick, passphrase: this.#open(Buffer.from(sealed, 'base64'), place) }
  }

  end(): void {
    rmSync(this.#newFile, { force: true })
  }

  remove(poolId: PoolId): void {
    this.#save(this.load().filter((pool) => pool.poolId !== poolId))
  }

  get #newFile(): string {
    return path.join(this.#directory, 'pool.new.json')
  }

  get #file(): string {
    return path.join(this.#directory, 'pools.json')
  }

  #save(pools: readonly KnownPool[]): void {
    const entries = pools.map((pool) => {
      const { poolId, path: brick } = pool
      return { poolId, path: brick, sealed: this.#seal(pool).toString('base64') }
    })
    writePrivateFile(this.#file, `${JSON.stringify({ version: 1, pools: entries })}\n`)
  }

  #ownKey(): Buffer {
    const file = path.join(this.#directory, 'pools.key')
    if (!existsSync(file)) writePrivateFile(file, this.#random.bytes(KEY_SIZE))
    const key = readFileSync(file)
    if (key.length !== KEY_SIZE) throw invalid('the key file is damaged', file)
    return key
  }

  #seal({ passphrase, ...place }: KnownPool): Buffer {
    const nonce = this.#random.bytes(NONCE_SIZE)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(associated(place))
    const sealed = [cipher.update(passphrase, 'utf8'), cipher.final()]
    return Buffer.concat([nonce, ...sealed, cipher.getAuthTag()])
  }

  #open(sealed: Buffer, place: { poolId: string; path: string }): string {
    try {
      const nonce = sealed.subarray(0, NONCE_SIZE)
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce)
      decipher.setAAD(associated(place)).setAuthTag(sealed.subarray(-TAG_SIZE))
      const body = sealed.subarray(NONCE_SIZE, -TAG_SIZE)
      return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
    } catch (cause) {
      throw invalid('the passphrase of a pool does not open with this key', this.#file, cause)
    }
  }
}

function associated({ poolId, path: brick }: { poolId: string; path: string }): Buffer {
  return Buffer.from(JSON.stringify([poolId, brick]))
}

function invalid(what: string, file: string, cause?: unknown): MaasError {
  return new MaasError('SEALED_INVALID', what, { path: file }, { cause })
}
