/** The handlers that need no host, on a catalog, with an engine that only queues. */
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { systemRandom } from '@openmaas/kernel/random'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { ServerKey } from '../auth/server-key.ts'
import type { SecretSealer } from '../auth/secret-vault.ts'
import { SettingsStore } from '../auth/settings-store.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { ComplianceBoard } from '../monitor/board.ts'
import type { JobDefinition } from '../job/definition.ts'
import { cancelJob, enqueueJob, retryJob } from '../job/queue.ts'
import { type Handlers, registerHandlers } from './handler.ts'
import type { Post } from '../webhook/post.ts'
import type { JobControl } from './handler-context.ts'
import { makeGroupDatabaseHandlers } from '../group/databases.ts'
import { makeGroupHandlers } from '../group/handlers.ts'
import { makeHostHandlers } from '../host/handlers.ts'
import { makeJobHandlers } from '../job/handlers.ts'
import { makeMediumListHandlers } from '../media/list.ts'
import { makePointListHandlers } from '../points/list.ts'
import { makePoolHandlers } from '../pools/handlers.ts'
import { makeJobKinds } from '../job/kinds/kinds.ts'
import type { KindServices } from '../job/kinds/services.ts'
import { makeSourceHandlers } from '../sources/handlers.ts'
import { makeSourceListHandlers } from '../sources/list.ts'
import { makeStatusHandlers } from '../monitor/status-handlers.ts'
import { makeVirtualDatabaseHandlers } from '../virtual-database/handlers.ts'
import { makeVirtualDatabaseListHandlers } from '../virtual-database/list.ts'
import { makeVirtualDatabaseVerbs } from '../virtual-database/verbs.ts'
import { makeWebhookHandlers } from '../webhook/handlers.ts'

/** All kinds there are, and none of them does anything. */
const KINDS = makeJobKinds({} as KindServices).map(({ kind }) => kind)
const definitions = new Map(
  KINDS.map((kind): [string, JobDefinition] => [
    kind,
    { kind, params: z.unknown(), slots: () => [], steps: [], attemptMax: 1, deadlineMs: 1000 },
  ]),
)

export const SERVER_KEY = new ServerKey(Buffer.alloc(32, 7), systemRandom)

interface Parts {
  readonly catalog: Catalog
  readonly clock: Clock
}

export function makeJobControl({ catalog, clock }: Parts): JobControl {
  const services = { clock, random: systemRandom, definitions }
  return {
    enqueue: (trx, request) => enqueueJob(trx, services, request),
    cancel: async (jobId) => {
      await catalog.transaction((trx) => cancelJob(trx, services, jobId))
    },
    retry: (trx, jobId, actor) => retryJob(trx, services, jobId, actor),
  }
}

/** There is no host, and nobody answers in production's place. */
const NO_HOSTS: OrderGiver = {
  order: (_hostId, verb) =>
    Promise.reject(
      verb === 'database.check'
        ? new MaasError('DATABASE_UNREACHABLE', 'nobody answers')
        : new MaasError('HOST_OFFLINE', 'there is no host'),
    ),
  isConnected: () => false,
}

export function makeHandlers(
  parts: Parts,
  post: Post = () => Promise.resolve({ status: 204 }),
  orders: OrderGiver = NO_HOSTS,
): Handlers {
  const { catalog, clock } = parts
  const settings = new SettingsStore(catalog, clock, SERVER_KEY)
  const jobs = makeJobControl(parts)
  const sealer = { seal: (_: string, plain: string) => plain } as unknown as SecretSealer
  const openSecret = (id: string) => Promise.resolve(`secret of ${id}`)
  const random = systemRandom
  const context = { catalog, clock, random, settings, jobs, sealer, openSecret, orders }
  return registerHandlers(
    makeSourceListHandlers(context),
    makeSourceHandlers(context),
    makeJobHandlers(context),
    makeHostHandlers(context),
    makePoolHandlers(context),
    makePointListHandlers(context),
    makeMediumListHandlers(context),
    makeVirtualDatabaseListHandlers(context),
    makeVirtualDatabaseHandlers(context),
    makeVirtualDatabaseVerbs(context),
    makeGroupHandlers(context),
    makeGroupDatabaseHandlers(context),
    makeStatusHandlers({ ...context, board: new ComplianceBoard(context), version: '0.0.0' }),
    makeWebhookHandlers({ ...context, serverKey: SERVER_KEY, post }),
    { getHealth: () => Promise.resolve({ body: { status: 'ok' } }) },
  )
}
