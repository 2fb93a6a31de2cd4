/** The plug-in for PostgreSQL: decision 0012, docs/protocols/source-plugin.md. */
import { logBudget } from '@openmaas/source-kit/log-budget'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { stopServer } from '@openmaas/source-kit/server-process'
import { activate } from './activate.ts'
import { check } from './check.ts'
import { discover } from './discover.ts'
import { follow } from './follow.ts'
import { StandbyGuard } from './guard.ts'
import { deactivate } from './instance.ts'
import { mark } from './mark.ts'
import { placeOf, type PostgresOptions } from './place.ts'
import { listPrograms } from './programs.ts'
import { seed } from './seed.ts'
import { STOP_MS } from './standby.ts'
import { status } from './standby-status.ts'
import { findState } from './state.ts'
import { unfollow } from './unfollow.ts'
import { verify } from './verify.ts'
import { boundLog } from './wal-archive.ts'

/** What production keeps for a clone in live sync that is away: its users only read. */
const LIVE_RETAINED_MAX = 4 * 1024 ** 3

export function makePostgresPlugin(options: PostgresOptions = {}): SourcePlugin {
  const guard = new StandbyGuard(options)
  return {
    engine: 'postgres',
    title: 'PostgreSQL',
    programs: () => Promise.resolve([...listPrograms(options.programs ?? {}).keys()].map(String)),
    discover: () => discover(),
    check: (params) => check(params, options),
    seed: async (params, context) => {
      await guard.release(params.id)
      return await seed(params, context, options)
    },
    follow: async (params, context) => {
      await guard.release(params.id)
      const answer = await follow(params, context, options)
      await guard.watch(params)
      return answer
    },
    hold: async (params) => {
      await guard.release(params.id)
      await stopServer(placeOf(params, options).server, { signal: 'SIGINT', timeoutMs: STOP_MS })
      await guard.watch(params, false)
    },
    boundLog: async (params) => {
      const place = placeOf(params, options)
      const state = findState(place.layout)
      if (state?.phase !== 'seeded') return
      boundLog(place, state, await logBudget(params.directory))
    },
    status: (params) => status(params, options),
    mark: (params, context) => mark(params, context, options),
    unfollow: async (params) => {
      await guard.release(params.id)
      return await unfollow(params, options)
    },
    activate: async (params, context) => {
      await guard.release(params.id)
      const running = await activate(params, context, options)
      const { id, directory, follow: connection } = params
      const retainedLimitBytes = LIVE_RETAINED_MAX
      if (connection !== null) {
        await guard.watch({ id, directory, connection, retainedLimitBytes })
      }
      return running
    },
    deactivate: async (params) => {
      await guard.release(params.id)
      return await deactivate(params, options)
    },
    verify: (params, context) => verify(params, context, options),
  }
}
