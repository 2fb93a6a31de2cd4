/** Following production: pausing, resuming, ending it; and moving to a local directory. */
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import type { Db } from '../http/handler-context.ts'
import {
  acceptedJob,
  type HandlerRequest,
  type Handlers,
  planned,
  requestInvalid,
} from '../http/handler.ts'
import type { VirtualDatabaseContext } from './handlers.ts'
import { mountPathOf } from '../job/kinds/database-media.ts'
import { queueVerb } from './queue-verb.ts'
import { requireClone, requireOwnLife, requireState } from './requirements.ts'
import { loadVirtualDatabase, type VirtualDatabaseRow } from './rows.ts'

export interface LifeContext extends VirtualDatabaseContext {
  readonly orders: OrderGiver
}

export function makeLifeVerbs(context: LifeContext) {
  return {
    pauseVirtualDatabase: (request) => sync(context, request, { paused: true }),
    resumeVirtualDatabase: (request) => sync(context, request, { paused: false }),
    openVirtualDatabase: (request) => open(context, request),
    promoteVirtualDatabase: (request) => promote(context, request),
  } satisfies Handlers
}

type SyncRoute = 'pauseVirtualDatabase' | 'resumeVirtualDatabase'

/** @throws MaasError VIRTUAL_DATABASE_OPEN */
function requireFollowing({ id, liveSync }: VirtualDatabaseRow): void {
  if (liveSync === 1) return
  const details = { virtualDatabaseId: id }
  throw new MaasError('VIRTUAL_DATABASE_OPEN', 'it does not follow production', details)
}

function sync(
  context: VirtualDatabaseContext,
  request: HandlerRequest<SyncRoute>,
  { paused }: { readonly paused: boolean },
) {
  const action: RouteName = paused ? 'pauseVirtualDatabase' : 'resumeVirtualDatabase'
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, request.params.virtualDatabaseId)
    requireFollowing(row)
    const verb = { action, kind: 'sync-virtual-database', params: { paused } }
    const states = { from: ['running'], to: null } as const
    return acceptedJob(await queueVerb(trx, context, request, { ...verb, ...states, row }))
  })
}

function open(context: VirtualDatabaseContext, request: HandlerRequest<'openVirtualDatabase'>) {
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, request.params.virtualDatabaseId)
    requireFollowing(row)
    const verb = { action: 'openVirtualDatabase', kind: 'open-virtual-database' }
    const states = { from: ['running', 'stopped', 'lost'], to: 'starting' } as const
    return acceptedJob(await queueVerb(trx, context, request, { ...verb, ...states, row }))
  })
}

async function promote(context: LifeContext, request: HandlerRequest<'promoteVirtualDatabase'>) {
  const { params, body, dryRun } = request
  const { directory, bytesPerSecond } = body
  const from = ['running', 'stopped'] as const
  if (dryRun) {
    const row = await loadVirtualDatabase(context.catalog.db, params.virtualDatabaseId)
    requireFit(row)
    requireState(row, from)
    await requireFreeDirectory(context.catalog.db, row, directory)
    await lookAtDirectory(context, request, row)
    const warnings = [
      `All of it is copied to ${directory} of its host while it runs; then it stops for a moment.`,
      'It has no lifetime, no bookmarks and no refresh from then on, and its clone is ejected.',
    ]
    return planned(`move it to ${directory}`, row, warnings)
  }
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    requireFit(row)
    await requireFreeDirectory(trx, row, directory)
    const jobId = await queueVerb(trx, context, request, {
      row,
      action: 'promoteVirtualDatabase',
      kind: 'promote-virtual-database',
      from,
      to: 'promoting',
      params: { directory, bytesPerSecond, wasRunning: row.state === 'running' },
    })
    return acceptedJob(jobId)
  })
}

function requireFit(row: VirtualDatabaseRow): void {
  requireOwnLife(row)
  requireClone(row)
}

/** The host looks at a directory and at the size of what would move. */
const LOOK_TIMEOUT_MS = 60_000

/** @throws MaasError DIRECTORY_UNFIT, FS_NO_SPACE: as the job would say it, before there is one */
async function lookAtDirectory(
  { orders }: LifeContext,
  { body, requestId, signal }: HandlerRequest<'promoteVirtualDatabase'>,
  { id, engine, hostId, mediumId }: VirtualDatabaseRow,
): Promise<void> {
  const directory = mountPathOf(mediumId ?? id)
  const order = { engine, id, directory, to: body.directory, phase: 'look' } as const
  const options = { key: `promote-look:${requestId}`, timeoutMs: LOOK_TIMEOUT_MS, signal }
  await orders.order(hostId, 'database.relocate', { ...order, bytesPerSecond: null }, options)
}

/** What is on the host's disk is seen there; two that are on their way see each other here. */
async function requireFreeDirectory(
  db: Db,
  { hostId }: VirtualDatabaseRow,
  directory: string,
): Promise<void> {
  const others = await db
    .selectFrom('virtualDatabase')
    .select(['name', 'directory'])
    .where('hostId', '=', hostId)
    .where('directory', 'is not', null)
    .where('endedAt', 'is', null)
    .execute()
  // Neither below one nor above one: whoever is dropped takes all of its directory away.
  const isWithin = (path: string, above: string): boolean => `${path}/`.startsWith(`${above}/`)
  const taken = others.find(
    (other) => isWithin(directory, other.directory!) || isWithin(other.directory!, directory),
  )
  if (taken === undefined) return
  throw requestInvalid('/directory', `${taken.name} stands at ${taken.directory}`)
}
