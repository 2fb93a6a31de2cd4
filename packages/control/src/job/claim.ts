/**
 * Which waiting jobs begin now. One transaction, so that no two engines take the same job or the
 * last slot: the catalog has one writer at a time.
 *
 * A look reads what waits at the top, and a stretch further down that moves on with every look;
 * so jobs that are blocked by a full slot cannot hide those behind them.
 */
import type { Catalog } from '../catalog/catalog.ts'
import type { JobDefinition, JobRow, Trx } from './definition.ts'
import { claimJob, hasQueuedJob, listRunning, listWaiting } from './job-repository.ts'
import type { WaitingRow } from './job-repository.ts'
import {
  CLAIM_MS,
  SCAN_NEXT_MAX,
  SCAN_TOP_MAX,
  SLOT_LIMIT_DEFAULT,
  URGENT_PRIORITY,
} from './limits.ts'
import { UNDO_PHASE } from './run.ts'

/** Where the last look ended; null: at the end of the queue, so the next begins at the top. */
export class ScanPlace {
  last: WaitingRow | null = null
}

export interface ClaimOptions {
  readonly definitions: ReadonlyMap<string, JobDefinition>
  readonly holder: string
  readonly now: number
  /** How many jobs this engine can take, and how many of them only what somebody waits for. */
  readonly free: number
  readonly reserved: number
  readonly slotLimits: Readonly<Record<string, number>>
  readonly place: ScanPlace
}

function slotsOf(
  definitions: ReadonlyMap<string, JobDefinition>,
  row: { readonly kind: string; readonly paramsJson: string },
): readonly string[] {
  const definition = definitions.get(row.kind)
  const params = definition?.params.safeParse(JSON.parse(row.paramsJson))
  return params?.success === true ? definition!.slots(params.data) : []
}

class Slots {
  readonly #used = new Map<string, number>()
  readonly #limits: Readonly<Record<string, number>>

  constructor(limits: Readonly<Record<string, number>>) {
    this.#limits = limits
  }

  take(slots: readonly string[]): void {
    for (const slot of slots) this.#used.set(slot, (this.#used.get(slot) ?? 0) + 1)
  }

  areFree(slots: readonly string[]): boolean {
    return slots.every((slot) => {
      const limit = this.#limits[slot.slice(0, slot.indexOf(':'))] ?? SLOT_LIMIT_DEFAULT
      return (this.#used.get(slot) ?? 0) < limit
    })
  }
}

export async function claimNext(catalog: Catalog, options: ClaimOptions): Promise<JobRow[]> {
  const { now, place } = options
  // Most looks find nothing: they shall not take the writer's turn.
  if (!(await hasQueuedJob(catalog.db))) return []
  const { claimed, last } = await catalog.transaction(async (trx) => {
    const top = await listWaiting(trx, { now, after: null, limit: SCAN_TOP_MAX })
    const after = place.last ?? top.at(-1) ?? null
    const isAll = top.length < SCAN_TOP_MAX
    const next = isAll ? [] : await listWaiting(trx, { now, after, limit: SCAN_NEXT_MAX })
    return {
      claimed: await claimAmong(trx, options, [...top, ...next]),
      last: next.length < SCAN_NEXT_MAX ? null : next.at(-1)!,
    }
  })
  place.last = last
  return claimed
}

async function claimAmong(
  trx: Trx,
  options: ClaimOptions,
  rows: readonly WaitingRow[],
): Promise<JobRow[]> {
  if (rows.length === 0) return []
  const { definitions, holder, now } = options
  const slots = new Slots(options.slotLimits)
  for (const row of await listRunning(trx)) slots.take(slotsOf(definitions, row))
  const claimed = new Map<string, JobRow>()
  for (const row of rows) {
    if (claimed.size >= options.free) break
    if (claimed.has(row.id)) continue
    const wanted = slotsOf(definitions, row)
    // What is to be cancelled or undone waits for nobody: that is what frees slots.
    const isUrgent = row.cancelRequestedAt !== null || row.phase === UNDO_PHASE
    if (!isUrgent && !slots.areFree(wanted)) continue
    const isAwaited = isUrgent || row.priority >= URGENT_PRIORITY
    if (!isAwaited && claimed.size >= options.free - options.reserved) continue
    slots.take(wanted)
    const deadlineMs = definitions.get(row.kind)?.deadlineMs ?? 0
    const until = now + CLAIM_MS
    claimed.set(row.id, await claimJob(trx, row.id, { holder, until, now, deadlineMs }))
  }
  return [...claimed.values()]
}
