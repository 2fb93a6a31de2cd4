/** Promises as cards: what each says, for whom it holds, and whether it is kept. */
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Segmented from 'antd/es/segmented'
import type { Policy } from '@openmaas/api/resources/policy'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine } from '../../ui/search-params.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { firstComplianceQuery } from '../sources/queries.ts'
import { countCompliance, STATES, type Counts } from './compliance-counts.ts'
import { policiesMessages } from './messages/text.ts'
import { PolicyPromise } from './PolicyPromise.tsx'
import { policiesQuery } from './queries.ts'
import { policiesRoute } from './routes.ts'
import { selectorTexts } from './selector-text.ts'
import './policies.css'

const FILTERS = ['all', 'true', 'false'] as const

export function PoliciesPage() {
  const text = useText(policiesMessages)
  const may = useMay()
  const search = policiesRoute.useSearch()
  const navigate = useNavigate({ from: '/policies' })
  const { data } = useSuspenseQuery(policiesQuery(search))
  const compliance = useQuery({ ...firstComplianceQuery, enabled: may('source.read') })
  // Of more sources than one answer has, a share would be wrong.
  const isWhole = compliance.data !== undefined && compliance.data.next === null
  const counts = isWhole ? countCompliance(compliance.data.items) : new Map<string, Counts>()
  const add = may('policy.write') && (
    <Link to="/policies/new">
      <Button type="primary" tabIndex={-1} data-testid="new-policy">
        {text('new')}
      </Button>
    </Link>
  )
  return (
    <Page
      title={text('title')}
      actions={add}
      cli="openmaas policy list"
      api={apiLine('GET', '/api/v1/policies', {
        ...(search.enabled !== undefined && { 'filter[enabled]': search.enabled }),
      })}
    >
      <div className="om-filters">
        <Segmented<(typeof FILTERS)[number]>
          value={search.enabled ?? 'all'}
          onChange={(chosen) =>
            void navigate({ search: chosen === 'all' ? {} : { enabled: chosen } })
          }
          options={FILTERS.map((value) => ({ value, label: text(`filter.${value}`) }))}
          aria-label={text('filter')}
          data-testid="filter-enabled"
        />
      </div>
      {data.items.length === 0 && <Empty message={text('empty')} action={add} />}
      <ul className="om-cards" data-testid="policies">
        {data.items.map((policy) => (
          <li key={policy.id}>
            <Card policy={policy} counts={counts.get(policy.id)} />
          </li>
        ))}
      </ul>
    </Page>
  )
}

interface CardProps {
  readonly policy: Policy
  readonly counts: Counts | undefined
}

function Card({ policy, counts }: CardProps) {
  const text = useText(policiesMessages)
  const selector = selectorTexts(policy.selector).join(', ')
  return (
    <section className="om-panel" data-testid={`policy-${policy.name}`}>
      <h2>
        <Link to="/policies/$policyId" params={{ policyId: policy.id }}>
          {policy.name}
        </Link>{' '}
        {!policy.enabled && <StateTag state="disabled" />}
      </h2>
      <PolicyPromise spec={policy.spec} />
      <p className="om-quiet">
        {policy.selector === null ? text('selector.none') : text('selector.is', { selector })}
      </p>
      {counts !== undefined && <ComplianceBar counts={counts} />}
      <p>
        <Link to="/sources" search={{ policyId: policy.id }}>
          {text('sources', { count: policy.sourceCount ?? 0 })}
        </Link>
      </p>
    </section>
  )
}

function ComplianceBar({ counts }: { readonly counts: Counts }) {
  const present = STATES.filter((state) => counts[state] > 0)
  return (
    <div className="om-compliance">
      <div className="om-compliance-bar" aria-hidden>
        {present.map((state) => (
          <span key={state} className={`om-bar-${state}`} style={{ flexGrow: counts[state] }} />
        ))}
      </div>
      <span className="om-compliance-words">
        {present.map((state) => (
          <span key={state}>
            {counts[state]} <StateTag state={state} />
          </span>
        ))}
      </span>
    </div>
  )
}
