/**
 * What is to be done when the catalog's media and those in the world differ: pure, so that every
 * case can be looked at.
 *
 * A medium that has no row is left alone and told about: after a rebuild of the catalog it may be
 * a clone with somebody's work in it. One whose row has ended is what a crash left behind.
 */
import { DATABASE_PURPOSES } from './database-media.ts'
import type { MediumRow } from './medium-rows.ts'

export interface Served {
  readonly mediumId: string
  readonly nodeId: string
  readonly poolId: string
}
export interface Attached {
  readonly mediumId: string
  readonly hostId: string
}

export interface MediaState {
  readonly rows: readonly Pick<
    MediumRow,
    'id' | 'state' | 'protocol' | 'nodeId' | 'poolId' | 'hostId' | 'purpose'
  >[]
  readonly served: readonly Served[]
  readonly attached: readonly Attached[]
  /** Who answered: of others nothing is known. */
  readonly pools: ReadonlySet<string>
  readonly hosts: ReadonlySet<string>
  /** Media that a job is working on: it decides. */
  readonly busy: ReadonlySet<string>
}

export type MediaAction =
  | {
      readonly kind: 'withdraw'
      readonly mediumId: string
      readonly nodeId: string
      readonly poolId: string
    }
  | { readonly kind: 'detach'; readonly mediumId: string; readonly hostId: string }
  | { readonly kind: 'lost' | 'adopt' | 'fail' | 'eject' | 'orphan'; readonly mediumId: string }

const ENDED = new Set(['ejected', 'failed'])

export function planMedia(state: MediaState): MediaAction[] {
  const rows = new Map(state.rows.map((row) => [row.id, row]))
  const actions: MediaAction[] = []
  for (const { mediumId, nodeId, poolId } of state.served) {
    const row = rows.get(mediumId)
    if (state.busy.has(mediumId)) continue
    if (row === undefined) actions.push({ kind: 'orphan', mediumId })
    else if (ENDED.has(row.state)) actions.push({ kind: 'withdraw', mediumId, nodeId, poolId })
  }
  for (const { mediumId, hostId } of state.attached) {
    const row = rows.get(mediumId)
    if (row === undefined || state.busy.has(mediumId)) continue
    const isElsewhere = row.hostId !== hostId
    if (ENDED.has(row.state) || isElsewhere) actions.push({ kind: 'detach', mediumId, hostId })
  }
  const served = new Set(state.served.map((each) => each.mediumId))
  const attached = new Set(state.attached.map((each) => `${each.hostId}/${each.mediumId}`))
  for (const row of state.rows) {
    if (state.busy.has(row.id) || ENDED.has(row.state)) continue
    const mediumId = row.id
    // What stands on those decides: reconcile-databases.
    if (DATABASE_PURPOSES.includes(row.purpose)) continue
    // Nobody works on it any more, so nobody will finish it.
    if (row.state === 'plugging') actions.push({ kind: 'fail', mediumId })
    if (row.state === 'ejecting') actions.push({ kind: 'eject', mediumId })
    const isRemote = row.protocol === 'nbd'
    const isKnown = state.pools.has(row.poolId) && (!isRemote || state.hosts.has(row.hostId))
    if (!isKnown) continue
    const isHere = served.has(mediumId) && (!isRemote || attached.has(`${row.hostId}/${mediumId}`))
    if (row.state === 'plugged' && !isHere) actions.push({ kind: 'lost', mediumId })
    if (row.state === 'lost' && isHere) actions.push({ kind: 'adopt', mediumId })
  }
  return actions
}
