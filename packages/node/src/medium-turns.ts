/**
 * Orders about one medium, one after another: each finds what the one before has left. A seal,
 * which takes long, has a line of its own, so that freezes go on meanwhile.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Node } from './node.ts'

/** A seal that is under way, for whoever has to end it. */
export interface RunningSeal {
  readonly cancel: () => void
  /** Settles when nothing of it goes on. Never rejects. */
  readonly ended: Promise<unknown>
}

export class MediumTurns {
  readonly #last = new Map<string, Promise<unknown>>()
  readonly #seals = new Map<string, Set<RunningSeal>>()

  /** Runs the work when everything asked for before about that key has ended. */
  async take<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const mine = before.then(() => {
      if (signal?.aborted === true) throw cancelled(key)
      return work()
    })
    const ended = mine.catch(() => undefined) // Its asker is told.
    this.#last.set(key, ended)
    void ended.then(() => {
      if (this.#last.get(key) === ended) this.#last.delete(key)
    })
    return signal === undefined ? mine : orCancelled(mine, key, signal)
  }

  /** Remembers the seal until it ends. */
  async seal<T>(mediumId: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
    const own = new AbortController()
    const done = work(AbortSignal.any([signal, own.signal]))
    const seals = this.#seals.get(mediumId) ?? new Set()
    this.#seals.set(mediumId, seals)
    const running = { cancel: () => own.abort(), ended: done.catch(() => undefined) }
    seals.add(running)
    try {
      return await done
    } finally {
      seals.delete(running)
      if (seals.size === 0) this.#seals.delete(mediumId)
    }
  }

  sealsOf(mediumId: string): RunningSeal[] {
    return [...(this.#seals.get(mediumId) ?? [])]
  }
}

/** The asker of work that has not begun is not kept; what has begun looks at the signal itself. */
async function orCancelled<T>(work: Promise<T>, key: string, signal: AbortSignal): Promise<T> {
  let cancel = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    cancel = () => reject(cancelled(key))
    signal.addEventListener('abort', cancel)
    if (signal.aborted) cancel()
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

function cancelled(key: string): MaasError {
  return new MaasError('CANCELLED', 'the order was cancelled', { id: key })
}

const turns = new WeakMap<Node, MediumTurns>()

/** One for each node, whoever gives the orders. */
export function turnsOf(node: Node): MediumTurns {
  const known = turns.get(node)
  if (known !== undefined) return known
  const made = new MediumTurns()
  turns.set(node, made)
  return made
}
