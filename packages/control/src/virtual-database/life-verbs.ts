/** Following production: pausing, resuming, ending it; and moving to a local directory. */
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import type { Trx } from '../http/handler-context.ts'
import {
  acceptedJob,
  type HandlerRequest,
  type Handlers,
  planned,
  requestInvalid,
} from '../http/handler.ts'
import type { VirtualDatabaseContext } from './handlers.ts'
import { queueVerb, requireClone, requireOwnLife, requireState } from './queue-verb.ts'
import { loadVirtualDatabase, type VirtualDatabaseRow } from './rows.ts'

export function makeLifeVerbs(context: VirtualDatabaseContext) {
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

async function promote(
  context: VirtualDatabaseContext,
  request: HandlerRequest<'promoteVirtualDatabase'>,
) {
  const { params, body, dryRun } = request
  const { directory, bytesPerSecond } = body
  const from = ['running', 'stopped'] as const
  if (dryRun) {
    const row = await loadVirtualDatabase(context.catalog.db, params.virtualDatabaseId)
    requireFit(row)
    requireState(row, from)
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

/** What is on the host's disk is seen there; two that are on their way see each other here. */
async function requireFreeDirectory(
  trx: Trx,
  { hostId }: VirtualDatabaseRow,
  directory: string,
): Promise<void> {
  const others = await trx
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
