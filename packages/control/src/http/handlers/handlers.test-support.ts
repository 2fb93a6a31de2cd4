/** The handlers of this folder on a catalog, with an engine that only queues. */
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'
import { ServerKey } from '../../auth/server-key.ts'
import { SettingsStore } from '../../auth/settings-store.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import { ComplianceBoard } from '../../monitor/board.ts'
import type { JobDefinition } from '../../job/definition.ts'
import { cancelJob, enqueueJob, retryJob } from '../../job/queue.ts'
import { type Handlers, registerHandlers } from '../handler.ts'
import type { Post } from '../webhooks/post.ts'
import type { JobControl } from './handler-context.ts'
import { makeHostHandlers } from './hosts.ts'
import { makeJobHandlers } from './jobs.ts'
import { makeMediumHandlers } from './media.ts'
import { makePointHandlers } from './points.ts'
import { makePoolHandlers } from './pools.ts'
import { makeSourceHandlers } from './sources.ts'
import { makeStatusHandlers } from './status.ts'
import { makeWebhookHandlers } from './webhooks.ts'

const KINDS = ['protect', 'collect', 'check', 'verify', 'restore', 'expire', 'plug', 'eject']
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

export function makeHandlers(
  parts: Parts,
  post: Post = () => Promise.resolve({ status: 204 }),
): Handlers {
  const { catalog, clock } = parts
  const settings = new SettingsStore(catalog, clock, SERVER_KEY)
  const jobs = makeJobControl(parts)
  const context = { catalog, clock, random: systemRandom, settings, jobs }
  return registerHandlers(
    makeSourceHandlers(context),
    makeJobHandlers(context),
    makeHostHandlers(context),
    makePoolHandlers(context),
    makePointHandlers(context),
    makeMediumHandlers(context),
    makeStatusHandlers({ ...context, board: new ComplianceBoard(context), version: '0.0.0' }),
    makeWebhookHandlers({ ...context, serverKey: SERVER_KEY, post }),
    { getHealth: () => Promise.resolve({ body: { status: 'ok' } }) },
  )
}
