/**
 * promote-virtual-database: its data goes to a local directory of its host while it runs, then it
 * stops for a moment and goes on from there with the same port, user and password.
 *
 *   copy ──▶ switch (stopped, the rest copied, durable) ──▶ start ──▶ release (the clone goes)
 *                     └─ the row names the directory: from here on that is what counts
 *
 * Before that the clone is what counts, and a failure or a cancel brings the instance back on it
 * and removes the copy. After it nothing is taken back: users may have written there already. What
 * does not start then is lost for a while, and care starts it as any other that should run.
 */
import { z } from 'zod'
import { isMaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, Step, StepContext } from '../definition.ts'
import { mountPathOf } from './database-media.ts'
import { problemOf } from './medium-rows.ts'
import { noteReleased, type Released, releaseClone } from './release-clone.ts'
import { DATA_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'
import { startInstance } from './start-instance.ts'
import { slotsOf } from './virtual-database-params.ts'

const params = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  directory: z.string(),
  bytesPerSecond: z.number().nullable(),
  /** Of the state before: `running` or `stopped`. */
  wasRunning: z.boolean(),
})
type PromoteParams = z.infer<typeof params>
interface Results {
  readonly copy: Result<'database.relocate'>
  /** `endedAt`: by control's clock, when all of it was durable. */
  readonly switch: Result<'database.relocate'> & { readonly endedAt: number }
  readonly start: { readonly port: number; readonly readyAt: number } | null
  readonly release: Released
}
type Context = StepContext<PromoteParams, Results>

const load = ({ catalog, params: given }: Context): Promise<VirtualDatabaseRow> =>
  loadVirtualDatabase(catalog.db, given.virtualDatabaseId)

/** The row says so: from then on the directory is what counts. */
const hasSwitched = (row: VirtualDatabaseRow): boolean => row.directory !== null

function relocate(
  context: Context,
  row: VirtualDatabaseRow,
  phase: 'copy' | 'finish',
): Promise<Result<'database.relocate'>> {
  const { directory: to, bytesPerSecond, hostId } = context.params
  const { engine, id } = row
  const order = { engine, id, directory: mountPathOf(row.mediumId ?? id), to, phase }
  return context.orders.order(
    hostId,
    'database.relocate',
    { ...order, bytesPerSecond },
    {
      key: context.key(),
      timeoutMs: DATA_TIMEOUT_MS,
      onProgress: context.progress,
      // Cut short, the instance would stand still until somebody noticed: it is soon done.
      ...(phase === 'copy' && { signal: context.signal }),
    },
  )
}

/** Removes the copy; on its own it is nothing. */
async function discardCopy(context: Context): Promise<void> {
  const row = await load(context)
  if (hasSwitched(row)) return
  const { directory, hostId } = context.params
  const order = { engine: row.engine, id: row.id, directory }
  const options = { key: context.key(), timeoutMs: DATA_TIMEOUT_MS }
  try {
    await context.orders.order(hostId, 'database.discard', order, options)
  } catch (error) {
    // It was refused, and holds nothing of ours.
    if (!isMaasError(error, 'DIRECTORY_UNFIT')) throw error
  }
}

/** On the clone, as it was. The order waits for one of the switch that may still be under way. */
async function goBack(services: KindServices, context: Context): Promise<void> {
  const row = await load(context)
  if (hasSwitched(row) || !context.params.wasRunning) return
  await startInstance(services, context, row, {
    mediumId: row.mediumId ?? row.id,
    hostId: row.hostId,
  })
}

function steps(services: KindServices): Step<PromoteParams, Results>[] {
  return [
    {
      name: 'copy',
      run: async (context) => relocate(context, await load(context), 'copy'),
      undo: discardCopy,
    },
    {
      name: 'switch',
      run: async (context) => {
        const finished = await relocate(context, await load(context), 'finish')
        return { ...finished, endedAt: context.clock.wallMs() }
      },
      apply: (trx, { params: { virtualDatabaseId: id, directory }, clock }) => {
        // For good: no lifetime ends it, and nothing refreshes it.
        const forGood = { leaseUntil: null, autoRefreshJson: null, nextRefreshAt: null }
        return changeVirtualDatabase(trx, id, { directory, ...forGood }, clock)
      },
      undo: (context) => goBack(services, context),
    },
    {
      name: 'start',
      run: async (context) => {
        if (!context.params.wasRunning) return null
        const row = await load(context)
        const place = { mediumId: row.id, hostId: row.hostId }
        const { port } = await startInstance(services, context, row, place)
        return { port, readyAt: context.clock.wallMs() }
      },
      apply: (trx, { params: { virtualDatabaseId: id }, clock }, started) => {
        const state = started === null ? 'stopped' : 'running'
        return changeVirtualDatabase(trx, id, { state, problemJson: null }, clock)
      },
    },
    { name: 'release', run: releaseClone, apply: noteReleased },
  ]
}

/** How long nobody could connect. */
function pauseMsOf({ switch: switched, start }: Results): number | null {
  if (start === null) return null
  return switched.stoppedMs + Math.max(0, start.readyAt - switched.endedAt)
}

export function makePromoteVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<PromoteParams, Results>({
    kind: 'promote-virtual-database',
    params,
    slots: slotsOf,
    steps: steps(services),
    attemptMax: 4,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: (results) => {
      const { copy, switch: switched, release } = results
      return {
        warning: release.left,
        result: {
          pauseMs: pauseMsOf(results),
          sizeBytes: switched.sizeBytes,
          copiedBytes: copy.writtenBytes,
          pausedBytes: switched.writtenBytes,
          passes: copy.passes,
        },
      }
    },
    ended: async (trx, { params: given, clock }, { state, problem, results }) => {
      if (state === 'succeeded' || state === 'warning') return
      const { virtualDatabaseId: id, wasRunning } = given
      const row = await loadVirtualDatabase(trx, id)
      // It moved, and nobody knows whether it runs there: care looks.
      const isUnsure = hasSwitched(row) && wasRunning && results.start === undefined
      const settled = wasRunning ? 'running' : 'stopped'
      const changes = { state: isUnsure ? 'lost' : settled } as const
      await changeVirtualDatabase(trx, id, { ...changes, problemJson: problemOf(problem) }, clock)
    },
  })
}
