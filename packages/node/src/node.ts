/**
 * The node: owns pools, obeys orders, knows nothing of policies or people.
 *
 * It keeps every pool of its store open as the owner. One that cannot be opened now (a disk is
 * away, another process owns it) is tried again when somebody asks for it. Killed at any moment
 * it starts again from the store, the pools' own logs and the media's records.
 */
import path from 'node:path'
import type { Clock } from '@openmaas/kernel/clock'
import { systemClock } from '@openmaas/kernel/clock'
import { toMaasError } from '@openmaas/kernel/error-message'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { PoolId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import type { Random } from '@openmaas/kernel/random'
import { systemRandom } from '@openmaas/kernel/random'
import { loadSuperblock } from '@openmaas/pool/backend/superblock'
import { Pool } from '@openmaas/pool/pool/pool'
import { OpenPool } from './open-pool.ts'
import { type KnownPool, PoolStore } from './pool-store.ts'

export interface NodeOptions {
  /** Of the node alone: `<data>/node`. */
  readonly directory: string
  /** Seals the pools' passphrases; by default a key file in the directory. */
  readonly key?: Buffer
  readonly clock?: Clock
  readonly random?: Random
  /** Told of a pool that could not be opened, and of other failures nobody waits for. */
  readonly onProblem?: (error: MaasError) => void
}

/** Bytes of a passphrase made for a new pool: 160 bits, 32 letters. */
const PASSPHRASE_BYTES = 20
/** What says that the pool which was begun was never finished, or is another's. */
const NOT_OURS: readonly string[] = ['POOL_NOT_FOUND', 'POOL_PASSPHRASE_WRONG', 'POOL_EXISTS']
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789a'

export class Node implements AsyncDisposable {
  readonly clock: Clock
  readonly random: Random
  readonly directory: string
  readonly onProblem: (error: MaasError) => void
  readonly #store: PoolStore
  readonly #open = new Map<PoolId, OpenPool>()
  readonly #opening = new Map<PoolId, Promise<OpenPool>>()
  /** One change of the list of pools at a time. */
  #changing: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(options: NodeOptions) {
    this.clock = options.clock ?? systemClock
    this.random = options.random ?? systemRandom
    this.directory = path.resolve(options.directory)
    this.onProblem = options.onProblem ?? (() => undefined)
    const { directory, random } = this
    this.#store = new PoolStore({ directory, random, ...(options.key && { key: options.key }) })
  }

  /** Opens what can be opened. @throws MaasError SEALED_INVALID, FS_* */
  static async open(options: NodeOptions): Promise<Node> {
    const node = new Node(options)
    await node.#finishCreation()
    await node.retry()
    return node
  }

  /** Pools that are open now. */
  get pools(): OpenPool[] {
    return [...this.#open.values()]
  }

  /** Whether any pool was ever given into its care, open now or not. */
  get knowsPools(): boolean {
    return this.#store.load().length > 0
  }

  /** Of a pool in its care, by its first directory; undefined where it has none there. */
  passphraseOf(brick: string): string | undefined {
    return this.#store.load().find(({ path }) => path === brick)?.passphrase
  }

  /** Tries the pools again that could not be opened; each failure is told to `onProblem`. */
  async retry(): Promise<void> {
    for (const known of this.#store.load()) {
      try {
        await this.#use(known)
      } catch (error) {
        this.onProblem(toMaasError(error))
      }
    }
  }

  /** @throws MaasError POOL_NOT_FOUND, NODE_POOL_UNREACHABLE */
  async pool(id: string): Promise<OpenPool> {
    const open = this.#open.get(id as PoolId)
    if (open?.isReadOnly === false) return open
    const known = this.#store.load().find(({ poolId }) => poolId === id)
    if (known === undefined || this.#closed) {
      throw new MaasError('POOL_NOT_FOUND', 'this node has no such pool', { pool: id })
    }
    try {
      return await this.#use(known)
    } catch (cause) {
      const why = toMaasError(cause)
      const message = `the pool cannot be opened: ${why.message}`
      const details = { pool: id, path: known.path, cause: why.code }
      throw new MaasError('NODE_POOL_UNREACHABLE', message, details, { cause })
    }
  }

  /** @returns the passphrase: shown once, and kept sealed here */
  async create(
    bricks: readonly string[],
    redundancy: string,
  ): Promise<{ poolId: PoolId; passphrase: string }> {
    return this.#change(async () => {
      requireAbsolute(bricks)
      const passphrase = this.#makePassphrase()
      const { clock, random } = this
      this.#store.begin({ path: bricks[0]!, passphrase })
      const { poolId } = await Pool.create({
        bricks,
        redundancy: redundancy as 'single',
        passphrase,
        fs: new NodeFs(),
        clock,
        random,
      }).catch((error: unknown) => {
        this.#store.end()
        throw error
      })
      const known = { poolId, path: bricks[0]!, passphrase }
      this.#store.add(known)
      this.#store.end()
      await this.#use(known)
      return { poolId, passphrase }
    })
  }

  /** A pool that was whole when its maker was killed is in our care; of any other nothing is. */
  async #finishCreation(): Promise<void> {
    const begun = this.#store.begun()
    if (begun === undefined) return
    try {
      const { poolId } = loadSuperblock(new NodeFs(), begun.path)
      const known = { poolId, ...begun }
      // It may be somebody else's pool that stands there: then the passphrase does not open it.
      await this.#use(known)
      this.#store.add(known)
    } catch (error) {
      if (!isMaasError(error)) throw error
      if (!NOT_OURS.includes(error.code)) return // A disk is away: the next start tries again.
    }
    this.#store.end()
  }

  /** @throws MaasError POOL_NOT_FOUND, POOL_PASSPHRASE_WRONG, POOL_BUSY */
  async adopt(brick: string, passphrase: string): Promise<PoolId> {
    return this.#change(async () => {
      requireAbsolute([brick])
      const { poolId } = loadSuperblock(new NodeFs(), brick)
      const known = { poolId, path: brick, passphrase }
      // Opened first: what does not open with this passphrase is not remembered.
      await this.#use(known)
      this.#store.add(known)
      return poolId
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#changing
    await Promise.allSettled(this.#opening.values())
    const open = [...this.#open.values()]
    this.#open.clear()
    for (const pool of open) await pool[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #use(known: KnownPool): Promise<OpenPool> {
    const { poolId } = known
    const open = this.#open.get(poolId)
    if (open?.isReadOnly === false) return Promise.resolve(open)
    const opening = this.#opening.get(poolId) ?? this.#begin(known)
    this.#opening.set(poolId, opening)
    return opening.finally(() => this.#opening.delete(poolId))
  }

  async #begin({ path: brick, passphrase, poolId }: KnownPool): Promise<OpenPool> {
    const { clock, random, onProblem } = this
    const failed = this.#open.get(poolId)
    if (failed !== undefined) {
      // After a failed log write only opening it again tells what is true.
      this.#open.delete(poolId)
      await failed[Symbol.asyncDispose]()
    }
    const pool = await OpenPool.open({ path: brick, passphrase, clock, random, onProblem })
    if (pool.id !== poolId || this.#closed) {
      await pool[Symbol.asyncDispose]()
      throw new MaasError('POOL_NOT_FOUND', 'another pool stands there now', { path: brick })
    }
    this.#open.set(poolId, pool)
    return pool
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#changing.then(work)
    this.#changing = result.catch(() => undefined) // Its asker is told.
    return result
  }

  #makePassphrase(): string {
    const letters = [...this.random.bytes(PASSPHRASE_BYTES * 2)].map((byte) => ALPHABET[byte & 31])
    return letters.join('').replaceAll(/.{5}(?=.)/g, '$&-')
  }
}

function requireAbsolute(paths: readonly string[]): void {
  const relative = paths.find((each) => !path.isAbsolute(each))
  if (relative === undefined) return
  throw new MaasError('USAGE', `"${relative}" is not an absolute path`, { path: relative })
}

/** A snapshot that an order names. @throws MaasError SNAPSHOT_NOT_FOUND */
export function requireSnapshot(pool: OpenPool, id: string) {
  const found = pool.snapshots.find(id)
  if (found !== undefined) return found
  throw new MaasError('SNAPSHOT_NOT_FOUND', 'there is no such snapshot', { snapshot: id })
}

/** The code of what refused one item of many; anything that is no refusal goes on. */
export function refusalOf(error: unknown): string {
  if (isMaasError(error) && error.category !== 'corrupt') return error.code
  throw error
}
