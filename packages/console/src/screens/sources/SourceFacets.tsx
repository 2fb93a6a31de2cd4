/**
 * What narrows the list, as a tree of links: by promise, by host, by kind. The address has it, and
 * going back undoes it.
 */
import type { ReactNode } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { SOURCE_KINDS } from '@openmaas/api/resources/source'
import { apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { sourcesMessages } from './messages/text.ts'
import { hostNamesQuery, policyNamesQuery, type SourcesSearch } from './queries.ts'
import { SourceKind } from './SourceKind.tsx'

const STATES = ['violated', 'at-risk', 'unprotected', 'paused', 'compliant'] as const

export function SourceFacets({ search }: { readonly search: SourcesSearch }) {
  const text = useText(sourcesMessages)
  const may = useMay()
  const { data: status } = useQuery(apiQuery('getStatus'))
  const hosts = useQuery({ ...hostNamesQuery, enabled: may('host.read') })
  const policies = useQuery({ ...policyNamesQuery, enabled: may('policy.read') })
  const agents = hosts.data?.items.filter(({ kind }) => kind === 'agent') ?? []
  const { total, compliant, paused, atRisk, violated, unprotected } = status?.sources ?? {}
  const counts = { compliant, paused, 'at-risk': atRisk, violated, unprotected }
  const isAll = (['state', 'kind', 'hostId', 'policyId'] as const).every(
    (name) => search[name] === undefined,
  )
  return (
    <nav className="om-facets" aria-label={text('facets')} data-testid="facets">
      <ul>
        <Facet name="all" to={{}} isCurrent={isAll} count={total}>
          {text('facet.all')}
        </Facet>
      </ul>
      <h2>{text('facet.state')}</h2>
      <ul>
        {STATES.map((state) => (
          <Facet
            key={state}
            name={state}
            to={{ state }}
            isCurrent={search.state === state}
            count={counts[state]}
          >
            <StateTag state={state} />
          </Facet>
        ))}
      </ul>
      {agents.length > 0 && <h2>{text('facet.host')}</h2>}
      <ul>
        {agents.map(({ id, name }) => (
          <Facet key={id} name={id} to={{ hostId: id }} isCurrent={search.hostId === id}>
            {name}
          </Facet>
        ))}
      </ul>
      <h2>{text('facet.kind')}</h2>
      <ul>
        {SOURCE_KINDS.map((kind) => (
          <Facet key={kind} name={kind} to={{ kind }} isCurrent={search.kind === kind}>
            <SourceKind kind={kind} />
          </Facet>
        ))}
      </ul>
      {policies.data !== undefined && policies.data.items.length > 0 && (
        <h2>{text('facet.policy')}</h2>
      )}
      <ul>
        {policies.data?.items.map(({ id, name, sourceCount }) => (
          <Facet
            key={id}
            name={id}
            to={{ policyId: id }}
            isCurrent={search.policyId === id}
            count={sourceCount}
          >
            {name}
          </Facet>
        ))}
      </ul>
    </nav>
  )
}

interface FacetProps {
  readonly name: string
  readonly to: SourcesSearch
  readonly isCurrent: boolean
  readonly count?: number | undefined
  readonly children: ReactNode
}

/** One filter at a time: it begins at the first page, in the order and columns of before. */
function Facet({ name, to, isCurrent, count, children }: FacetProps) {
  const next = (old: SourcesSearch): SourcesSearch => ({
    limit: old.limit,
    columns: old.columns,
    ...(to.state === undefined && { sort: old.sort }),
    ...to,
  })
  return (
    <li>
      <Link
        from="/sources"
        to="/sources"
        search={next}
        className={isCurrent ? 'om-current' : ''}
        aria-current={isCurrent ? 'true' : undefined}
        data-testid={`facet-${name}`}
      >
        <span>{children}</span>
        {count !== undefined && <small className="om-quiet">{count}</small>}
      </Link>
    </li>
  )
}
