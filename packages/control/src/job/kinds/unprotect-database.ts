/**
 * unprotect-database: the source is gone already. The standby ends, production forgets it (its
 * slot would keep the log of production for ever), the volume is withdrawn, the password deleted.
 *
 * A production that is away is waited for, a day at most, and not at all when that was asked for;
 * one that refuses will refuse again. Then the job ends without it, and says what is left there.
 */
import { z } from 'zod'
import { ERROR_CATEGORIES, isMaasError } from '@openmaas/kernel/errors'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { deleteSecret } from '../../auth/secret-repository.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { mountPathOf, noteEjected, unplugPlace } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({
  sourceId: z.string(),
  engine: z.string(),
  hostId: z.string(),
  mediumId: z.string().nullable(),
  secretId: z.string().nullable(),
  connectionJson: z.string(),
  /** Production is gone for good, as whoever asks knows. */
  force: z.boolean().default(false),
})
type UnprotectParams = z.infer<typeof params>
/** What production was not told, and keeps. */
interface Left {
  readonly reason: string
  /** In words: `replication slot openmaas_…`; empty where nobody could say. */
  readonly what: string
  /** SQL that ends it. */
  readonly remedy: string
}
interface Results {
  readonly unfollow: { readonly left: Left | null } | null
  readonly unplug: null
}
type Context = StepContext<UnprotectParams, Results>

/** Production is away for a night, and back in the morning; what its slot keeps has a limit. */
const AWAY_MS = 24 * 3_600_000
/** Nothing that production has said. */
const OURS: ReadonlySet<string> = new Set(['CANCELLED', 'INTERNAL', 'JOB_FENCED', 'JOB_DEADLINE'])

export function unprotectDatabaseRequest(
  source: { readonly id: string; readonly labelsJson: string },
  of: Omit<UnprotectParams, 'sourceId'> & { readonly actor: string },
): JobRequest {
  const { actor, ...more } = of
  return {
    kind: 'unprotect-database',
    params: { ...more, sourceId: source.id },
    actor,
    activeKey: `unprotect:${source.id}`,
    sourceId: source.id,
    hostId: more.hostId,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}

async function unfollow(services: KindServices, context: Context): Promise<Results['unfollow']> {
  const { engine, sourceId: id, hostId, mediumId, secretId, connectionJson } = context.params
  if (mediumId === null) return null
  const kept = JSON.parse(connectionJson) as Omit<DatabaseConnection, 'password'>
  const password = secretId === null ? null : await services.openSecret(secretId)
  const connection = { ...kept, password }
  const order = { engine, id, directory: mountPathOf(mediumId), connection, forget: true }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  try {
    const key = context.key()
    await context.orders.order(hostId, 'database.unfollow', order, { ...options, key })
    return { left: null }
  } catch (error) {
    const left = leftBy(context, error)
    // Its standby has ended already, whichever the engine; where it could not, this says so.
    const key = context.key('end')
    const ending = { ...order, connection: null, forget: false }
    await context.orders
      .order(hostId, 'database.unfollow', ending, { ...options, key })
      .catch((thrown: unknown) => {
        if (!isMaasError(thrown, 'HOST_OFFLINE')) throw thrown
      })
    return { left }
  }
}

/** @throws the error itself, while waiting may still help */
function leftBy(context: Context, error: unknown): Left {
  if (!isMaasError(error) || OURS.has(error.code)) throw error
  const { params, job, clock } = context
  const waitedMs = clock.wallMs() - job.queuedAt
  const mayMend = ERROR_CATEGORIES[error.category].retry && waitedMs < AWAY_MS
  if (mayMend && !params.force) throw error
  const [what, remedy] = [error.details['left'], error.details['remedy']].map((text) =>
    typeof text === 'string' ? text : '',
  ) as [string, string]
  const kept = what === '' ? 'what it keeps for the standby' : `the ${what}`
  const how = remedy === '' ? '' : `; end it there with: ${remedy}`
  context.log('warning', error.code, `production was not told, and has ${kept} still${how}`)
  return { reason: error.message, what, remedy }
}

async function unplug(context: Context): Promise<null> {
  const { mediumId } = context.params
  if (mediumId === null) return null
  const { poolId, nodeId, hostId } = await loadMedium(context.catalog.db, mediumId)
  await unplugPlace(context, { mediumId, poolId, nodeId, hostId }, { force: true })
  return null
}

export function makeUnprotectDatabase(services: KindServices): JobDefinition {
  return defineJob<UnprotectParams, Results>({
    kind: 'unprotect-database',
    params,
    slots: ({ sourceId }) => [`source:${sourceId}`],
    steps: [
      { name: 'unfollow', run: (context) => unfollow(services, context) },
      {
        name: 'unplug',
        run: unplug,
        apply: async (trx, { params: { mediumId, secretId }, clock }) => {
          if (mediumId !== null) await noteEjected(trx, mediumId, clock)
          if (secretId !== null) await deleteSecret(trx, secretId)
        },
      },
    ],
    // A quarter of an hour lies between two attempts at most: more than a day of them.
    attemptMax: 100,
    deadlineMs: 7 * 24 * 3_600_000,
    conclude: ({ unfollow: told }) => {
      const left = told?.left ?? null
      return { warning: left !== null, result: { left } }
    },
  })
}
