/** Names for what the draft has by id, and a name for the source itself. */
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { agentsQuery } from '../hosts/queries.ts'
import { policyNamesQuery, poolNamesQuery, sourcesQuery } from '../sources/queries.ts'
import { NO_POLICY, suggestName } from './draft.ts'
import type { Draft } from './search.ts'

export interface WizardNames {
  readonly name: string
  readonly host: string
  readonly policy: string | null
  readonly pool: string | null
}

/** Names that are looked at; a clash beyond them the server refuses, and says so. */
const NAMES_LOOKED_AT = 200

export function useWizardNames(draft: Draft): WizardNames {
  const may = useMay()
  const { data: agents } = useSuspenseQuery(agentsQuery)
  const policies = useQuery({ ...policyNamesQuery, enabled: may('policy.read') })
  const pools = useQuery({ ...poolNamesQuery, enabled: may('pool.read') })
  const sources = useQuery(sourcesQuery({ limit: NAMES_LOOKED_AT }))
  const host = agents.items.find(({ id }) => id === draft.hostId)?.name ?? ''
  const taken = new Set(sources.data?.items.map(({ name }) => name))
  // The directory of a database says nothing: `main`, `mysql`.
  const subject = isDatabaseKind(draft.kind ?? 'files') ? `/${draft.kind}` : (draft.path ?? '')
  const policy = policies.data?.items.find(({ id }) => id === draft.policyId)?.name
  const pool = pools.data?.items.find(({ id }) => id === draft.poolId)?.name
  return {
    name: draft.name ?? suggestName(subject, host, taken),
    host,
    policy: draft.policyId === NO_POLICY ? null : (policy ?? null),
    pool: pool ?? null,
  }
}
