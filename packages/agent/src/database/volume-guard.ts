/**
 * Looks after the volumes of the standbys that this agent was told to run: one without room is
 * stopped in good order, whichever its engine, and what it keeps of the log is bounded even while
 * no point is taken. Who is told to follow again when there is room goes on; nothing is lost.
 */
import { errorToMessage } from '@openmaas/kernel/error-message'
import { makeLog } from '@openmaas/kernel/log'
import { Rounds } from '@openmaas/kernel/rounds'
import type { DatabaseParams } from '@openmaas/protocols/channel/database-orders'
import type { DatabasePlugins } from './plugins.ts'
import type { Turns } from './turns.ts'
import { isFull, type Room, roomOf } from './volume-room.ts'

const log = makeLog('openmaas:agent:database')

/** One statfs for each; a fast network writes 2 GB meanwhile, which is the reserve. */
const LOOK_MS = 2000
/** Listing a log of ten thousand files takes some milliseconds. */
const PRUNE_ROUNDS = 30

export type Guarded = DatabaseParams<'database.follow'>

export interface VolumeGuardOptions {
  readonly plugins: Pick<DatabasePlugins, 'of'>
  /** Its prunings wait for the orders about the same database. */
  readonly turns: Turns
  /** Of a test, instead of the file system. */
  readonly lookAt?: (directory: string) => Promise<Room | null>
}

export class VolumeGuard implements AsyncDisposable {
  readonly #options: VolumeGuardOptions
  readonly #watched = new Map<string, Guarded>()
  readonly #pruning = new Map<string, Promise<void>>()
  readonly #rounds: Rounds

  constructor(options: VolumeGuardOptions) {
    this.#options = options
    const onError = (error: unknown): void => {
      log.error('the guard of volumes failed', { message: errorToMessage(error).message })
    }
    const round = (count: number): Promise<void> => this.#look(count % PRUNE_ROUNDS === 0)
    this.#rounds = new Rounds({ everyMs: LOOK_MS, round, onError })
  }

  /** From now on, until it is released or stopped. */
  watch(guarded: Guarded): void {
    this.#watched.set(guarded.id, guarded)
    this.#rounds.start()
  }

  release(id: string): void {
    this.#watched.delete(id)
  }

  /** Ends the standby, and leaves everything for it to go on. */
  async stop(guarded: Guarded): Promise<void> {
    this.release(guarded.id)
    const { engine, id, directory } = guarded
    const plugin = this.#options.plugins.of(engine)
    if (plugin.hold !== undefined) return plugin.hold(guarded)
    const params = { engine, id, directory, connection: null, forget: false }
    const context = { signal: new AbortController().signal, progress: () => undefined }
    await plugin.unfollow(params, context)
  }

  /** A whole round by hand, with its prunings. */
  async look(): Promise<void> {
    await this.#look(true)
    await Promise.all(this.#pruning.values())
  }

  async #look(prunes: boolean): Promise<void> {
    for (const guarded of this.#watched.values()) {
      if (prunes) this.#prune(guarded)
      await this.#lookAt(guarded).catch((error: unknown) => tell(guarded, error))
    }
  }

  async #lookAt(guarded: Guarded): Promise<void> {
    const { lookAt = roomOf } = this.#options
    const { id, directory } = guarded
    const room = await lookAt(directory)
    if (room === null || !isFull(room) || !this.#watched.has(id)) return
    log.warn('the volume is full, the standby stops', { id, ...room })
    await this.stop(guarded)
  }

  /** Nobody waits for it: an order about the same database may take an hour. */
  #prune(guarded: Guarded): void {
    const { plugins, turns } = this.#options
    const { id, engine, directory } = guarded
    if (this.#pruning.has(id)) return
    const never = new AbortController().signal
    const work = async () => plugins.of(engine).boundLog?.({ engine, id, directory })
    const pruned = turns
      .take(id, never, work)
      .catch((error: unknown) => tell(guarded, error))
      .finally(() => this.#pruning.delete(id))
    this.#pruning.set(id, pruned)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rounds.stop()
    await Promise.all(this.#pruning.values())
  }
}

/** The next round tries again; whoever follows meets the same reason. */
function tell({ id }: Guarded, error: unknown): void {
  const { code, message } = errorToMessage(error)
  log.warn('a volume cannot be looked after', { id, code, message })
}
