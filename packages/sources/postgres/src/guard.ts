/**
 * What is looked after while an agent runs: that a slot never fills production's disk, and that a
 * standby heals from what its keeper cannot mend.
 *
 *   slot beyond its limit            dropped, and the reason kept for status
 *   slot gone after a failover       made again
 *   keeper and server both gone      started again
 *   replay paused: larger limits     started again with them
 *
 * A repeated follow after a crash of the agent sets the guard up again. While no agent runs, only
 * production's own max_slot_wal_keep_size limits what the slot keeps: check warns when that is
 * unlimited.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseParams } from '@openmaas/protocols/channel/database-orders'
import { findServer } from '@openmaas/source-kit/server-process'
import { type Queries, withConnection } from './connection.ts'
import { listPowerful } from './administrator.ts'
import { prepareSlot, stopWhenPaused } from './follow.ts'
import { type Place, placeOf, type PostgresOptions, slotName } from './place.ts'
import { dropSlot, readSlot } from './slot.ts'
import { rewriteRefused } from './server-settings.ts'
import { ensureStandby, reloadServer } from './standby.ts'
import { askStandby } from './standby-status.ts'
import { loadState, type PostgresState, saveState } from './state.ts'

/** A disk of 1 GB/s fills by 5 GB meanwhile. */
const GUARD_MS = 5000
const DROP_POLL_MS = 100

/** Whose slot is watched, and how much it may keep. */
export type Guarded = Pick<
  DatabaseParams<'database.follow'>,
  'id' | 'directory' | 'connection' | 'retainedLimitBytes'
>

interface Watch {
  readonly timer: NodeJS.Timeout
  /** The look that goes on. */
  look: Promise<void> | null
}

export class StandbyGuard {
  readonly #watches = new Map<string, Watch>()
  readonly #options: PostgresOptions

  constructor(options: PostgresOptions) {
    this.#options = options
  }

  /** @param heals  false: the standby is to stand still, and only its slot is looked at */
  async watch(params: Guarded, heals = true): Promise<void> {
    await this.release(params.id)
    const watch: Watch = { timer: setInterval(() => look(), GUARD_MS), look: null }
    const look = (): void => {
      watch.look ??= this.look(params, heals)
        .then((givenUp) => {
          if (givenUp) clearInterval(watch.timer)
        })
        // Production is away or refuses: nothing can be done now, and status tells why.
        .catch(() => {})
        .finally(() => (watch.look = null))
    }
    // The agent may end: what is watched goes on.
    watch.timer.unref()
    this.#watches.set(params.id, watch)
  }

  /** Nothing is started any more when it returns. */
  async release(id: string): Promise<void> {
    const watch = this.#watches.get(id)
    this.#watches.delete(id)
    clearInterval(watch?.timer)
    await watch?.look
  }

  /** One look. @returns whether the slot was given up */
  async look(params: Guarded, heals = true): Promise<boolean> {
    const place = placeOf(params, this.#options)
    return await withConnection(params.connection, async (production) => {
      if (await this.#giveUp(place, params, production)) return true
      if (heals) await this.#heal(place, params, production)
      return false
    })
  }

  async #giveUp(place: Place, params: Guarded, production: Queries): Promise<boolean> {
    // Not the state's: a clone has that of the database it is a clone of.
    const name = slotName(params.id)
    const slot = await readSlot(production, name)
    if (slot === null || slot.retainedBytes <= params.retainedLimitBytes) return false
    await dropUsedSlot(production, name)
    const givenUp =
      `the slot ${name} kept ${slot.retainedBytes} bytes on production, more than the ` +
      `${params.retainedLimitBytes} it may, and was given up`
    saveState(place.layout, { ...loadState(place.layout), givenUp })
    return true
  }

  async #heal(place: Place, { connection }: Guarded, production: Queries): Promise<void> {
    const state = loadState(place.layout)
    if (state.instance !== null) await renewRefused(place, state)
    // A clone in live sync is its user's: a repeated activate mends it.
    if (state.instance !== null || state.givenUp !== null) return
    if ((await prepareSlot(production, state)) !== state.systemIdentifier) return
    await stopWhenPaused(place, state)
    if (findServer(place.server) !== null) return
    await ensureStandby(place, state, { connection, slot: state.slot, open: null })
  }
}

/** On production somebody may have become powerful since; nobody comes in here as them. */
async function renewRefused(place: Place, state: PostgresState): Promise<void> {
  const refused = await askStandby(place, state, listPowerful)
  if (refused === null) return
  if (rewriteRefused(place, { superuser: state.superuser, refused })) reloadServer(place)
}

/** A slot in use is dropped after its sender was ended, which a role may do with its own. */
async function dropUsedSlot(production: Queries, name: string): Promise<void> {
  const end = `
    select pg_terminate_backend(active_pid)
      from pg_replication_slots where slot_name = $1 and active`
  const deadline = performance.now() + GUARD_MS
  for (;;) {
    await production.rows(end, [name])
    if (await dropSlot(production, name)) return
    if ((await readSlot(production, name)) === null || performance.now() > deadline) return
    await delay(DROP_POLL_MS)
  }
}
