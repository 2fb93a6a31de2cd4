/**
 * eject: the medium leaves its host, then its node. Both are asked even when the row says that
 * there is nothing: the answer is then that there was nothing. Nothing is undone: an eject that
 * fails half way is repeated, it does not plug again.
 */
import { z } from 'zod'
import { isMaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import { changeMedium, loadMedium, problemOf } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'

const params = z.object({
  mediumId: z.string(),
  hostId: z.string(),
  /** Although programs use it, or its host is away. */
  force: z.boolean(),
})
type EjectParams = z.infer<typeof params>
interface EjectResults {
  readonly begin: null
  readonly detach: { readonly detached: boolean; readonly hostAway: boolean }
  readonly withdraw: Result<'medium.withdraw'>
}
type Context = StepContext<EjectParams, EjectResults>

async function detach(context: Context): Promise<EjectResults['detach']> {
  const { mediumId, force } = context.params
  const medium = await loadMedium(context.catalog.db, mediumId)
  if (medium.protocol === 'local') return { detached: false, hostAway: false }
  try {
    const { detached } = await context.orders.order(
      medium.hostId,
      'medium.detach',
      { mediumId, force },
      { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
    )
    return { detached, hostAway: false }
  } catch (error) {
    // A host that is gone cannot let go; when it comes back, reconciliation detaches it.
    if (!force || !isMaasError(error, 'HOST_OFFLINE')) throw error
    context.log('warning', error.code, error.message)
    return { detached: false, hostAway: true }
  }
}

async function withdraw(context: Context): Promise<Result<'medium.withdraw'>> {
  const { mediumId, force } = context.params
  const { nodeId, poolId } = await loadMedium(context.catalog.db, mediumId)
  const order = { mediumId, poolId, force: force || context.results.detach.detached }
  return context.orders.order(nodeId, 'medium.withdraw', order, {
    key: context.key(),
    timeoutMs: ORDER_TIMEOUT_MS,
    signal: context.signal,
  })
}

export function makeEject(): JobDefinition {
  return defineJob<EjectParams, EjectResults>({
    kind: 'eject',
    params,
    slots: ({ mediumId }) => [`medium:${mediumId}`],
    steps: [
      {
        name: 'begin',
        run: () => Promise.resolve(null),
        apply: (trx, { params: { mediumId }, clock }) =>
          changeMedium(trx, mediumId, { state: 'ejecting' }, clock),
      },
      { name: 'detach', run: detach },
      {
        name: 'withdraw',
        run: withdraw,
        apply: (trx, { params: { mediumId }, clock }) => {
          const endedAt = clock.wallMs()
          const changes = { state: 'ejected', device: null, problemJson: null, endedAt } as const
          return changeMedium(trx, mediumId, changes, clock)
        },
      },
    ],
    attemptMax: 4,
    deadlineMs: 3_600_000,
    conclude: ({ detach: { hostAway } }) => ({ warning: hostAway, result: { hostAway } }),
    ended: async (trx, { params: { mediumId }, job, clock }, { state, results, problem }) => {
      if (state === 'succeeded' || state === 'warning' || job.startedAt === null) return
      // Still on its host: plugged, with the reason. Gone from there: somebody has to look.
      const isWhole = results.detach === undefined || !results.detach.detached
      const next = isWhole ? 'plugged' : 'lost'
      await changeMedium(trx, mediumId, { state: next, problemJson: problemOf(problem) }, clock)
    },
  })
}
