/**
 * make-virtual-database: a clone of the newest point before the moment, the log that leads to it,
 * an instance recovered on it. The row (state `creating`) was made by whoever asked. A step that
 * fails is rolled back, so that nothing runs for nobody.
 */
import { z } from 'zod'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import {
  chooseMoment,
  chooseSnapshot,
  type Chosen,
  clearChoice,
  plugCandidate,
  recordMedia,
  type Recovered,
  recoverClone,
  productionOf,
  settleMedia,
  wishOf,
} from './clone-steps.ts'
import { notePlugged } from './database-media.ts'
import { lookStep } from './follow-virtual-database.ts'
import { requireSilence } from './production-guard.ts'
import { loadKeptState } from './kept-state.ts'
import { problemOf } from './medium-rows.ts'
import type { KindServices } from './services.ts'
import { cloneOf, slotsOf } from './virtual-database-params.ts'

const params = z.object({ virtualDatabaseId: z.string(), hostId: z.string(), of: cloneOf })
type MakeParams = z.infer<typeof params>
interface Results {
  readonly guard: null
  readonly choose: Chosen
  readonly place: Recovered['told']
  readonly activate: Recovered
  readonly look: DatabaseStatus | null
}
type Context = StepContext<MakeParams, Results>

const load = (context: Context): Promise<VirtualDatabaseRow> =>
  loadVirtualDatabase(context.catalog.db, context.params.virtualDatabaseId)

async function choose(services: KindServices, context: Context): Promise<Chosen> {
  const row = await load(context)
  const { of } = context.params
  if ('moment' in of) return chooseMoment(services, context, row, of.moment)
  return chooseSnapshot(services, context, row, await loadKeptState(context, of.bookmarkId))
}

export function makeMakeVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<MakeParams, Results>({
    kind: 'make-virtual-database',
    params,
    slots: slotsOf,
    steps: [
      {
        name: 'guard',
        run: async (context) => {
          await requireSilence(services, context, await load(context))
          return null
        },
      },
      {
        name: 'choose',
        run: (context) => choose(services, context),
        apply: async (trx, context, chosen) => {
          const { virtualDatabaseId: id } = context.params
          const { name, labelsJson } = await loadVirtualDatabase(trx, id)
          await recordMedia(trx, context, chosen, { name, labelsJson })
        },
      },
      {
        name: 'place',
        run: (context) => plugCandidate(services, context, context.results.choose.candidates[0]!),
        undo: async (context) => {
          const row = await load(context)
          const { engine, id } = row
          const forget = await productionOf(services, context, row)
          await clearChoice(context, context.results.choose, { engine, id, forget })
        },
      },
      {
        name: 'activate',
        run: async (context) => {
          const row = await load(context)
          // It may have come back while the last of its log was stored.
          await requireSilence(services, context, row)
          const wish = await wishOf(services, context, row)
          return recoverClone(services, context, context.results.choose, wish)
        },
        apply: (trx, context, recovered) => recordReady(trx, context, recovered),
      },
      lookStep(services),
    ],
    // A person waits: a host that restarts is waited for, one that is away is soon told.
    attemptMax: 3,
    deadlineMs: 24 * 3_600_000,
    conclude: ({ activate: { instance, candidate } }) => ({
      result: { port: instance.port, version: instance.version, pointId: candidate.pointId },
    }),
    ended: async (
      trx,
      { params: { virtualDatabaseId: id }, clock },
      { state, problem, results },
    ) => {
      if (state === 'succeeded' || state === 'warning') return
      const now = clock.wallMs()
      const changes = { state: 'failed', endedAt: now, mediumId: null } as const
      await changeVirtualDatabase(trx, id, { ...changes, problemJson: problemOf(problem) }, clock)
      const ids = (results.choose?.candidates ?? []).flatMap(({ base, log }) => [
        base.mediumId,
        ...(log === null ? [] : [log.mediumId]),
      ])
      if (ids.length === 0) return
      const ended = { state: 'ejected', device: null, endedAt: now } as const
      await trx.updateTable('medium').set(ended).where('id', 'in', ids).execute()
    },
  })
}

async function recordReady(
  trx: Parameters<typeof settleMedia>[0],
  context: Context,
  { candidate, told, instance }: Recovered,
): Promise<void> {
  const { clock, params: given } = context
  await settleMedia(trx, context, context.results.choose, candidate.base.mediumId)
  await notePlugged(trx, candidate.base.mediumId, told, clock)
  const host = await trx
    .selectFrom('host')
    .select('name')
    .where('id', '=', candidate.base.hostId)
    .executeTakeFirst()
  await changeVirtualDatabase(
    trx,
    given.virtualDatabaseId,
    {
      ...readyFields(context, { candidate, instance }),
      address: host?.name ?? null,
      readyAt: clock.wallMs(),
    },
    clock,
  )
}

/** What a virtual database knows once its instance runs; also after a refresh. */
export function readyFields(
  { clock }: Pick<StepContext<unknown, unknown>, 'clock'>,
  { candidate, instance }: Pick<Recovered, 'candidate' | 'instance'>,
) {
  const { base, pointId } = candidate
  return {
    state: 'running',
    problemJson: null,
    endedAt: null,
    mediumId: base.mediumId,
    poolId: base.poolId,
    nodeId: base.nodeId,
    // A branch has the point of what it was branched from.
    ...(pointId !== null && { pointId }),
    dataAt: candidate.dataAt,
    position: instance.recoveredTo.position || candidate.position,
    port: instance.port,
    engineVersion: instance.version,
    databasesJson: JSON.stringify(instance.databases),
    lastRefreshAt: clock.wallMs(),
  } as const
}
