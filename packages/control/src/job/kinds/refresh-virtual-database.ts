/**
 * refresh-virtual-database, and reset: the same virtual database on another clone. The new clone
 * is plugged while the old one is still used; then the old instance stops, and the new one takes
 * its port, user and password. When that fails the old one is started again. The old clone goes
 * at the very end, and what of it cannot go is left to reconciliation: the refresh has happened.
 */
import { z } from 'zod'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { recoveryTarget } from '@openmaas/api/resources/virtual-database'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import { requireReplaceable } from '../../virtual-database/requirements.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, Step, StepContext, Trx } from '../definition.ts'
import {
  chooseMoment,
  chooseSnapshot,
  type Chosen,
  clearChoice,
  deactivateAt,
  plugCandidate,
  recordMedia,
  type Recovered,
  recoverClone,
  settleMedia,
  unplugCandidate,
  wishOf,
} from './clone-steps.ts'
import { type MediumPlace, noteEjected, notePlugged, unplugPlace } from './database-media.ts'
import { loadKeptState } from './kept-state.ts'
import { readyFields } from './make-virtual-database.ts'
import { loadMedium, problemOf } from './medium-rows.ts'
import type { KindServices } from './services.ts'
import { startInstance } from './start-instance.ts'
import { cloneOf, slotsOf } from './virtual-database-params.ts'

const params = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  of: cloneOf,
  /** What the row says of its moment once it has happened. */
  target: recoveryTarget,
  bookmarkId: z.string().nullable(),
  /** Of the state before: `running` or `stopped`. */
  wasRunning: z.boolean(),
})
type RefreshParams = z.infer<typeof params>
type OldPlace = Pick<MediumPlace, 'mediumId' | 'poolId' | 'nodeId' | 'hostId'>
interface Results {
  readonly choose: Chosen & { readonly old: OldPlace | null }
  readonly place: Recovered['told']
  readonly stop: null
  readonly activate: Recovered
  readonly clear: { readonly left: boolean }
}
type Context = StepContext<RefreshParams, Results>

const load = (context: Context): Promise<VirtualDatabaseRow> =>
  loadVirtualDatabase(context.catalog.db, context.params.virtualDatabaseId)

async function choose(services: KindServices, context: Context): Promise<Results['choose']> {
  const row = await load(context)
  // It may have become so since it was asked for.
  requireReplaceable(row)
  const { of } = context.params
  const chosen =
    'moment' in of
      ? await chooseMoment(services, context, row, of.moment)
      : await chooseSnapshot(services, context, row, await loadKeptState(context, of.bookmarkId))
  if (row.mediumId === null) return { ...chosen, old: null }
  const {
    id: mediumId,
    poolId,
    nodeId,
    hostId,
  } = await loadMedium(context.catalog.db, row.mediumId)
  return { ...chosen, old: { mediumId, poolId, nodeId, hostId } }
}

/** The row says so: from then on nothing is taken back, only cleared away. */
function hasSwitched(row: VirtualDatabaseRow, chosen: Chosen | undefined): boolean {
  return chosen?.candidates.some(({ base }) => base.mediumId === row.mediumId) ?? false
}

/** The old one as it was, when it ran. */
async function startOld(services: KindServices, context: Context): Promise<void> {
  const { choose: chosen } = context.results
  const row = await load(context)
  if (hasSwitched(row, chosen) || chosen.old === null || !context.params.wasRunning) return
  await startInstance(services, context, row, chosen.old)
}

async function clear(context: Context): Promise<Results['clear']> {
  const { old } = context.results.choose
  if (old === null) return { left: false }
  try {
    await unplugPlace(context, old, { force: true })
    return { left: false }
  } catch (error) {
    context.signal.throwIfAborted()
    const { code, message } = errorToMessage(error)
    context.log('warning', code, message)
    return { left: true }
  }
}

async function recordNew(trx: Trx, context: Context, recovered: Recovered): Promise<void> {
  const { candidate, told } = recovered
  const { clock, params: given, results } = context
  await settleMedia(trx, context, results.choose, candidate.base.mediumId)
  await notePlugged(trx, candidate.base.mediumId, told, clock)
  await changeVirtualDatabase(
    trx,
    given.virtualDatabaseId,
    {
      ...readyFields(context, recovered),
      bookmarkId: given.bookmarkId,
      targetJson: JSON.stringify(given.target),
    },
    clock,
  )
}

/** Beside the old one, which is still used. */
function placeSteps(services: KindServices): Step<RefreshParams, Results>[] {
  return [
    {
      name: 'choose',
      run: (context) => choose(services, context),
      apply: async (trx, context, chosen) => {
        const { name, labelsJson } = await loadVirtualDatabase(
          trx,
          context.params.virtualDatabaseId,
        )
        await recordMedia(trx, context, chosen, { name, labelsJson })
      },
    },
    {
      name: 'place',
      run: (context) => plugCandidate(services, context, context.results.choose.candidates[0]!),
      undo: async (context) => {
        const { choose: chosen } = context.results
        if (hasSwitched(await load(context), chosen)) return
        for (const each of chosen.candidates) await unplugCandidate(context, each)
      },
    },
  ]
}

/** From the old one to the new one. */
function switchSteps(services: KindServices): Step<RefreshParams, Results>[] {
  return [
    {
      name: 'stop',
      run: async (context) => {
        const { engine, id } = await load(context)
        const { old } = context.results.choose
        if (old !== null) await deactivateAt(context, { engine, id, base: old, immediate: true })
        return null
      },
      undo: (context) => startOld(services, context),
    },
    {
      name: 'activate',
      run: async (context) => {
        const wish = await wishOf(services, context, await load(context))
        return recoverClone(services, context, context.results.choose, wish)
      },
      apply: recordNew,
      undo: async (context) => {
        const row = await load(context)
        const { choose: chosen } = context.results
        const { engine, id } = row
        if (!hasSwitched(row, chosen)) await clearChoice(context, chosen, { engine, id })
      },
    },
    {
      name: 'clear',
      run: clear,
      apply: async (trx, { results, clock }) => {
        const { old } = results.choose
        if (old !== null) await noteEjected(trx, old.mediumId, clock)
      },
    },
  ]
}

export function makeRefreshVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<RefreshParams, Results>({
    kind: 'refresh-virtual-database',
    params,
    slots: slotsOf,
    steps: [...placeSteps(services), ...switchSteps(services)],
    attemptMax: 3,
    deadlineMs: 24 * 3_600_000,
    conclude: ({ activate: { instance, candidate }, clear: { left } }) => ({
      warning: left,
      result: { port: instance.port, pointId: candidate.pointId, dataAt: candidate.dataAt },
    }),
    ended: async (trx, { params: given, clock }, { state, problem, results }) => {
      if (state === 'succeeded' || state === 'warning') return
      const { virtualDatabaseId: id, wasRunning } = given
      const row = await loadVirtualDatabase(trx, id)
      if (hasSwitched(row, results.choose)) return
      const next = wasRunning ? 'running' : 'stopped'
      const changes = { state: next, problemJson: problemOf(problem) } as const
      await changeVirtualDatabase(trx, id, changes, clock)
      const ids = (results.choose?.candidates ?? []).flatMap(({ base, log }) => [
        base.mediumId,
        ...(log === null ? [] : [log.mediumId]),
      ])
      if (ids.length === 0) return
      const ended = { state: 'ejected', device: null, endedAt: clock.wallMs() } as const
      await trx.updateTable('medium').set(ended).where('id', 'in', ids).execute()
    },
  })
}
