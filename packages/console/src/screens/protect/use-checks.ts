/** What can be seen before anything runs: host, its clock, the directory, the pool. */
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { useMay } from '../../api/session.ts'
import { toShownProblem } from '../../api/problems.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { agentsQuery } from '../hosts/queries.ts'
import { poolNamesQuery } from '../sources/queries.ts'
import { type Database, placeOf } from './database.ts'
import { protectMessages } from './messages/text.ts'
import { directoryQuery } from './queries.ts'
import type { Draft } from './search.ts'

export interface Check {
  readonly name: 'host' | 'clock' | 'path' | 'database' | 'pool'
  readonly state: 'ok' | 'bad' | 'waiting'
  readonly detail: string
}

/** Beyond this, times of points cannot be trusted. */
const SKEW_MAX_MS = 60_000

export function useChecks(draft: Draft, database: Database | undefined): Check[] {
  const text = useText(protectMessages)
  const format = useFormat()
  const may = useMay()
  const { data: agents } = useSuspenseQuery(agentsQuery)
  const host = agents.items.find(({ id }) => id === draft.hostId)
  const isOnline = host?.state === 'online'
  const isFiles = (draft.kind ?? 'files') === 'files'
  const directory = useQuery({
    ...directoryQuery(draft.hostId ?? '', draft.path ?? '/'),
    enabled: isOnline && isFiles,
  })
  const pools = useQuery({ ...poolNamesQuery, enabled: may('pool.read') })
  const usable = pools.data?.items.filter(
    ({ id, state }) => (draft.poolId ?? id) === id && (state === 'online' || state === 'degraded'),
  )
  const free = Math.max(0, ...(usable ?? []).map(({ stats }) => stats.freeBytes))
  const skewMs = Math.abs(host?.clockSkewMs ?? 0)
  return [
    {
      name: 'host',
      state: isOnline ? 'ok' : 'bad',
      detail: isOnline ? host.name : text('check.host.offline'),
    },
    {
      name: 'clock',
      state: skewMs <= SKEW_MAX_MS ? 'ok' : 'bad',
      detail: text('check.clock.skew', { time: format.duration(skewMs) }),
    },
    ...(isOnline && isFiles
      ? [
          {
            name: 'path' as const,
            state: stateOf(directory),
            detail:
              directory.error === null
                ? (draft.path ?? '')
                : toShownProblem(directory.error).detail,
          },
        ]
      : []),
    ...(database === undefined
      ? []
      : [
          {
            name: 'database' as const,
            state: database.isChecked ? ('ok' as const) : ('bad' as const),
            detail: placeOf(database),
          },
        ]),
    ...(may('pool.read')
      ? [
          {
            name: 'pool' as const,
            state:
              usable === undefined
                ? ('waiting' as const)
                : usable.length > 0
                  ? ('ok' as const)
                  : ('bad' as const),
            detail:
              usable?.length === 0
                ? text('check.pool.none')
                : text('check.pool.free', { free: format.bytes(free) }),
          },
        ]
      : []),
  ]
}

interface Looked {
  readonly isPending: boolean
  readonly error: Error | null
}

const stateOf = ({ isPending, error }: Looked): Check['state'] =>
  error !== null ? 'bad' : isPending ? 'waiting' : 'ok'
