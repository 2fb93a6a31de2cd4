/**
 * A world for tests of jobs: hosts that do work when the test says so, remember it by key, fail
 * as they please; and an engine that can die at any point where it waits for something.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import type { OrderGiver, Params, Result, Verb } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import { defineJob } from './definition.ts'
import type { JobDefinition, Step } from './definition.ts'

/** Lets everything run that can run without the clock. */
export async function settle(turns = 8): Promise<void> {
  for (let i = 0; i < turns; i += 1) await turn()
}

interface Work {
  readonly key: string
  readonly hostId: string
  readonly subject: string
  readonly verb: Verb
  /** Undefined while it goes on. */
  answer?: { readonly error?: ErrorCode }
  readonly waiting: ((error: ErrorCode | undefined) => void)[]
}

/** What stands in the world: "job:step" of every step whose work was done and not undone. */
export class World implements OrderGiver {
  readonly done = new Set<string>()
  /** Times the work of a key was begun; more than 1 would be a duplicate. */
  readonly begun = new Map<string, number>()
  readonly #works = new Map<string, Work>()

  isConnected(): boolean {
    return true
  }

  get pending(): readonly Work[] {
    return [...this.#works.values()].filter((work) => work.answer === undefined)
  }

  async order<V extends Verb>(
    hostId: string,
    verb: V,
    params: Params<V>,
    options: { readonly key: string; readonly signal?: AbortSignal },
  ): Promise<Result<V>> {
    const { key, signal } = options
    let work = this.#works.get(key)
    if (work === undefined) {
      const { mediumId } = params as { readonly mediumId: string }
      work = { key, hostId, subject: mediumId, verb, waiting: [] }
      this.#works.set(key, work)
      this.begun.set(key, (this.begun.get(key) ?? 0) + 1)
    }
    const error = await new Promise<ErrorCode | undefined>((resolve) => {
      if (work.answer !== undefined) resolve(work.answer.error)
      work.waiting.push(resolve)
      signal?.addEventListener('abort', () => this.#stop(work))
      if (signal?.aborted === true) this.#stop(work)
    })
    if (error !== undefined) throw new MaasError(error, `${verb} failed`)
    return { detached: true, withdrawn: true } as unknown as Result<V>
  }

  /** The host does the work, or fails, or nobody hears of it any more. */
  finish(work: Work, error?: ErrorCode, isLost = false): void {
    if (work.answer !== undefined) return
    if (error === undefined || isLost) this.#effect(work)
    if (!isLost) work.answer = error === undefined ? {} : { error }
    for (const resolve of work.waiting.splice(0)) resolve(error)
    if (isLost) work.answer = {}
  }

  #effect(work: Work): void {
    if (work.verb === 'medium.withdraw') this.done.delete(work.subject)
    else this.done.add(work.subject)
  }

  #stop(work: Work): void {
    if (work.answer === undefined) this.finish(work, 'CANCELLED')
  }
}

export const chainParams = z.object({ hostId: z.string(), steps: z.number().int() })
type ChainResults = Record<string, { readonly at: number }>

/** A job of some steps, each of which does one piece of work on its host and can be undone. */
export function makeChain(stepCount: number, more: Partial<JobDefinition> = {}): JobDefinition {
  const steps = Array.from(
    { length: stepCount },
    (_, position): Step<z.infer<typeof chainParams>, ChainResults> => ({
      name: `s${position}`,
      async run(context) {
        const subject = `${context.job.id}:s${position}`
        await context.orders.order(
          context.params.hostId,
          'medium.detach',
          { mediumId: subject, force: false },
          { key: context.key(), timeoutMs: 1000, signal: context.signal },
        )
        return { at: position }
      },
      async apply(trx, context) {
        const subject = `${context.job.id}:s${position}`
        const at = (await trx.selectFrom('sample').select('at').execute()).length
        await trx.insertInto('sample').values({ name: 'applied', subject, at, value: 1 }).execute()
      },
      async undo(context) {
        const subject = `${context.job.id}:s${position}`
        await context.orders.order(
          context.params.hostId,
          'medium.withdraw',
          { mediumId: subject, poolId: 'p', force: true },
          { key: context.key(), timeoutMs: 1000 },
        )
      },
    }),
  )
  const definition = defineJob<z.infer<typeof chainParams>, ChainResults>({
    kind: 'chain',
    params: chainParams,
    slots: (params) => [`host:${params.hostId}`],
    steps,
    attemptMax: 4,
    deadlineMs: 3_600_000,
    conclude: (results) => ({ result: { steps: Object.keys(results).length } }),
  })
  return { ...definition, ...more }
}

/** Never comes: what a process that died waits for. */
const never = <T>(): Promise<T> => new Promise(() => {})

/** Dies when it has been asked so often: before, within or after a write, or around an order. */
export class Mortal {
  #left: number
  isDead = false
  onDeath: () => void = () => {}

  constructor(left = Infinity) {
    this.#left = left
  }

  die(): void {
    if (this.isDead) return
    this.isDead = true
    this.onDeath()
  }

  /** A point at which a process may die. */
  point(): boolean {
    this.#left -= 1
    if (this.#left <= 0) this.die()
    return this.isDead
  }

  /** Writes that had not committed at the death are rolled back, and nothing comes after. */
  wrapCatalog(catalog: Catalog): Catalog {
    const transaction: Catalog['transaction'] = async (body) => {
      if (this.point()) return never()
      const killed = new Error('killed')
      try {
        const result = await catalog.transaction(async (trx) => {
          const value = await body(trx)
          if (this.point()) throw killed
          return value
        })
        return this.point() ? await never() : result
      } catch (error) {
        if (error === killed || this.isDead) return never()
        throw error
      }
    }
    return new Proxy(catalog, {
      get: (target, name) => {
        if (name === 'transaction') return transaction
        const value: unknown = Reflect.get(target, name, target)
        return value
      },
    })
  }

  wrapOrders(orders: OrderGiver): OrderGiver {
    return {
      isConnected: (hostId) => orders.isConnected(hostId),
      order: async (hostId, verb, params, options) => {
        if (this.point()) return never()
        try {
          const result = await orders.order(hostId, verb, params, options)
          return this.point() ? await never() : result
        } catch (error) {
          if (this.isDead) return never()
          throw error
        }
      },
    }
  }
}
