/**
 * Something that is done again and again: never two rounds at once, a round that fails is told and
 * the next one comes all the same, and who stops waits for the round that is under way. The timer
 * keeps no process alive.
 */

export interface RoundsOptions {
  readonly everyMs: number
  /** @param count  of this round since the start, from 1 */
  readonly round: (count: number) => Promise<void>
  /** What a round of the timer threw. */
  readonly onError: (error: unknown) => void
}

export class Rounds implements AsyncDisposable {
  readonly #options: RoundsOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #count = 0

  constructor(options: RoundsOptions) {
    this.#options = options
  }

  start(): void {
    const { everyMs, onError } = this.#options
    this.#timer ??= setInterval(() => void this.now().catch(onError), everyMs)
    this.#timer.unref()
  }

  /** A round at once, or the one under way. Rejects with what it throws. */
  now(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined))
    return this.#running
  }

  /** No more rounds, and none is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#running?.catch(() => undefined) // Whoever began that round is told.
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    this.#count += 1
    await this.#options.round(this.#count)
  }
}
