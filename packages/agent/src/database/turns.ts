/**
 * Orders about one database or virtual database go one after the other: control repeats what it
 * has not heard the end of, and a plug-in need not guard against itself.
 */
import { MaasError } from '@openmaas/kernel/errors'

/** Orders that wait for one id; control waits for each itself, so more is a fault of somebody's. */
const WAITING_COUNT_MAX = 32

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()
  readonly #counts = new Map<string, number>()

  /** @throws MaasError CANCELLED while it waits, ORDER_REFUSED when too many do */
  async take<T>(id: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const count = this.#counts.get(id) ?? 0
    if (count >= WAITING_COUNT_MAX) {
      throw new MaasError('ORDER_REFUSED', 'too many orders wait for the same database', { id })
    }
    this.#counts.set(id, count + 1)
    const before = this.#last.get(id) ?? Promise.resolve()
    const turn = before.then(() => {
      if (signal.aborted) throw new MaasError('CANCELLED', 'the order was cancelled')
      return work()
    })
    // Who comes next waits for the end, not for its success.
    const end = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(id, end)
    try {
      return await turn
    } finally {
      const left = this.#counts.get(id)! - 1
      if (left > 0) this.#counts.set(id, left)
      else {
        this.#counts.delete(id)
        this.#last.delete(id)
      }
    }
  }
}
