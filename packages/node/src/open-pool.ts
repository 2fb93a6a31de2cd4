/**
 * One pool that this node owns: the lock, the socket for local commands, what its snapshots say,
 * and how its media are reached.
 */
import { statSync, statfsSync } from 'node:fs'
import process from 'node:process'
import { reconcile } from '@openmaas/agent/media/reconcile'
import type { PoolAccess } from '@openmaas/agent/media/types'
import { PoolOwnerSocket } from '@openmaas/agent/owner/owner-socket'
import type { Clock } from '@openmaas/kernel/clock'
import { toMaasError } from '@openmaas/kernel/error-message'
import type { MaasError } from '@openmaas/kernel/errors'
import type { PoolId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import type { Random } from '@openmaas/kernel/random'
import { bootId } from '@openmaas/kernel/sysinfo'
import { PACK_SIZES } from '@openmaas/pool/pack/writer'
import { Pool } from '@openmaas/pool/pool/pool'
import type { Result } from '@openmaas/protocols/channel/orders'
import { SnapshotCatalog } from './snapshot-catalog.ts'
import { finishChanges } from './volume/change-medium.ts'

export type PoolStats = Result<'pool.list'>['pools'][number]

export interface OpenPoolOptions {
  readonly path: string
  readonly passphrase: string
  readonly clock: Clock
  readonly random: Random
  readonly onProblem: (error: MaasError) => void
}

export class OpenPool implements AsyncDisposable {
  readonly id: PoolId
  readonly path: string
  readonly pool: Pool
  readonly snapshots: SnapshotCatalog
  readonly access: PoolAccess
  readonly #socket: PoolOwnerSocket
  readonly #onProblem: (error: MaasError) => void
  /** What the last check found; nothing is known before the first one. */
  badBlocks = 0
  /** Settles when what is damaged is no longer found: captures then store it again. */
  distrusted: Promise<unknown> = Promise.resolve()

  private constructor(pool: Pool, socket: PoolOwnerSocket, options: OpenPoolOptions) {
    const { clock, random } = options
    this.pool = pool
    this.#onProblem = options.onProblem
    this.#socket = socket
    this.id = pool.status().poolId
    this.path = pool.core.brickPaths[0]!
    this.snapshots = new SnapshotCatalog(pool)
    const { masterKey } = pool
    const fs = new NodeFs()
    this.access = { path: this.path, masterKey, fs, clock, random, owner: pool }
  }

  /**
   * Becomes the owner, and finishes what a crash of the last one left half done.
   *
   * @throws MaasError POOL_BUSY, POOL_PASSPHRASE_WRONG, POOL_BRICK_MISSING…
   */
  static async open(options: OpenPoolOptions): Promise<OpenPool> {
    const { path, passphrase, clock, random } = options
    const pool = await Pool.open({
      path,
      unlock: { passphrase },
      fs: new NodeFs(),
      clock,
      random,
      pid: process.pid,
      bootId: bootId(),
    })
    try {
      await pool.releaseDeadPins(isProcessAlive)
      const opened = new OpenPool(pool, await PoolOwnerSocket.listen(pool), options)
      await reconcile(opened.access)
      await finishChanges(opened.access, (id) => pool.core.state.pins.get(id)?.snapshots)
      return opened
    } catch (error) {
      await pool.close()
      throw error
    }
  }

  /** A log write has failed: nothing can be written until the pool is opened again. */
  get isReadOnly(): boolean {
    return this.pool.core.log.failure !== undefined
  }

  /** Somebody met damage and is about to send again what was lost. */
  distrustDamaged(): void {
    this.distrusted = this.distrusted
      .then(() => this.pool.distrustDamaged())
      .catch((error: unknown) => this.#onProblem(toMaasError(error)))
  }

  stats(): PoolStats {
    const status = this.pool.status()
    const { sizeBytes, freeBytes, full } = this.#room()
    const damaged = status.missingBricks.length > 0 || status.lostPacks.length > 0
    let logicalBytes = 0
    for (const { manifest } of this.snapshots.list())
      logicalBytes += manifest?.summary['bytes'] ?? 0
    return {
      poolId: this.id,
      path: this.path,
      state: damaged || status.readOnly ? 'degraded' : full ? 'full' : 'online',
      sizeBytes,
      freeBytes,
      physicalBytes: status.packBytes,
      logicalBytes,
      snapshotCount: status.snapshots,
      packCount: status.packs,
      badBlocks: status.lostPacks.length + this.badBlocks,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket[Symbol.asyncDispose]()
    await this.pool.close()
  }

  /** Bricks of one file system share its space: each file system counts once. */
  #room(): { sizeBytes: number; freeBytes: number; full: boolean } {
    const seen = new Set<number>()
    let [sizeBytes, freeBytes, withRoom] = [0, 0, 0]
    for (const index of this.pool.available) {
      const brick = this.pool.core.brickPaths[index]!
      const { blocks, bavail, bsize } = statfsSync(brick)
      if (bavail * bsize - this.pool.reserves[index]! >= PACK_SIZES.data) withRoom += 1
      const { dev } = statSync(brick)
      if (seen.has(dev)) continue
      seen.add(dev)
      sizeBytes += blocks * bsize
      freeBytes += bavail * bsize
    }
    return { sizeBytes, freeBytes, full: withRoom === 0 }
  }
}

/** A pid may be somebody else's by now: then its pin stays, which only keeps data longer. */
function isProcessAlive(holder: { pid: number; bootId: string }): boolean {
  if (holder.bootId !== bootId()) return false
  try {
    process.kill(holder.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
