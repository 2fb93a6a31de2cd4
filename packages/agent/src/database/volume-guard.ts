/**
 * Looks after the volumes of the standbys that this agent was told to run: one without room is
 * stopped in good order, whichever its engine, and what it keeps of the log is bounded even while
 * no point is taken. Who is told to follow again when there is room goes on; nothing is lost.
 */
import { errorToMessage } from '@openmaas/kernel/error-message'
import { makeLog } from '@openmaas/kernel/log'
import { Rounds } from '@openmaas/kernel/rounds'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import type { DatabasePlugins } from './plugins.ts'
import { isFull, type Room, roomOf } from './volume-room.ts'

const log = makeLog('openmaas:agent:database')

/** One statfs for each; a fast network writes 2 GB meanwhile, which is the reserve. */
const LOOK_MS = 2000
/** Listing a log of ten thousand files takes some milliseconds. */
const PRUNE_ROUNDS = 30

export interface Guarded {
  readonly engine: string
  readonly id: string
  readonly directory: string
}

export class VolumeGuard implements AsyncDisposable {
  readonly #plugins: Pick<DatabasePlugins, 'of'>
  readonly #lookAt: (directory: string) => Promise<Room | null>
  readonly #watched = new Map<string, Guarded>()
  readonly #rounds: Rounds

  /** @param lookAt of a test, instead of the file system */
  constructor(plugins: Pick<DatabasePlugins, 'of'>, lookAt: typeof roomOf = roomOf) {
    this.#plugins = plugins
    this.#lookAt = lookAt
    const onError = (error: unknown): void => {
      log.error('the guard of volumes failed', { message: errorToMessage(error).message })
    }
    this.#rounds = new Rounds({
      everyMs: LOOK_MS,
      round: (count) => this.#look(count % PRUNE_ROUNDS === 0),
      onError,
    })
  }

  watch(guarded: Guarded): void {
    this.#watched.set(guarded.id, guarded)
    this.#rounds.start()
  }

  release(id: string): void {
    this.#watched.delete(id)
  }

  /** Ends the standby, and leaves everything for it to go on. */
  async stop({ engine, id, directory }: Guarded): Promise<void> {
    this.release(id)
    const params = { engine, id, directory, connection: null, forget: false }
    const context = { signal: new AbortController().signal, progress: () => undefined }
    await this.#plugins.of(engine).unfollow(params, context)
  }

  /** One round by hand. */
  look(): Promise<void> {
    return this.#look(true)
  }

  async #look(prunes: boolean): Promise<void> {
    for (const guarded of this.#watched.values()) {
      try {
        await this.#lookAtOne(guarded, prunes)
      } catch (error) {
        const { code, message } = errorToMessage(error)
        log.warn('a volume cannot be looked after', { id: guarded.id, code, message })
      }
    }
  }

  async #lookAtOne(guarded: Guarded, prunes: boolean): Promise<void> {
    const { engine, id, directory } = guarded
    const plugin: SourcePlugin = this.#plugins.of(engine)
    if (prunes) await plugin.boundLog?.(guarded)
    const room = await this.#lookAt(directory)
    if (room === null || !isFull(room) || !this.#watched.has(id)) return
    log.warn('the volume is full, the standby stops', { id, ...room })
    await this.stop(guarded)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#rounds.stop()
  }
}
