/** The inbox: what is wrong, grouped by its cause, with what to do. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { uiMessages } from '../../ui/messages/text.ts'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { apiLine } from '../../ui/search-params.ts'
import { groupAlerts } from './alert-groups.ts'
import { AlertCard } from './AlertCard.tsx'
import { alertsMessages } from './messages/text.ts'
import { alertsQuery, SEVERITIES, toAlertsQuery, type AlertsSearch } from './queries.ts'
import { alertsRoute } from './routes.ts'

export function AlertsPage() {
  const text = useText(alertsMessages)
  const may = useMay()
  const search = alertsRoute.useSearch()
  const { data, error } = useQuery({ ...alertsQuery(search), placeholderData: keepPreviousData })
  const { state = 'firing' } = search
  const option = state === 'all' ? '' : ` --state ${state}`
  const next = data?.next ?? null
  return (
    <Page
      title={text('title')}
      actions={
        may('notification.read') &&
        hasScreen('/notifications') && (
          <Link to="/notifications" data-testid="to-notifications">
            <Button tabIndex={-1}>{text('notifications')}</Button>
          </Link>
        )
      }
      cli={`openmaas alert list${option}`}
      api={apiLine('GET', '/api/v1/alerts', toAlertsQuery(search))}
    >
      <div className="om-filters">
        <Filters search={search} />
      </div>
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && (
        <div className="om-panel">
          <Empty message={state === 'firing' ? text('empty') : text('empty.resolved')} />
        </div>
      )}
      <div data-testid="list-alerts" aria-live="polite">
        {groupAlerts(data?.items ?? []).map((group) => (
          <AlertCard key={group.key} group={group} />
        ))}
      </div>
      {next !== null && (
        <Link to="/alerts" search={{ ...search, cursor: next }} data-testid="next-page">
          {text('older')}
        </Link>
      )}
    </Page>
  )
}

function Filters({ search }: { readonly search: AlertsSearch }) {
  const text = useText(alertsMessages)
  const words = useText(uiMessages)
  return (
    <>
      <FilterSelect
        name="state"
        label={text('filter.state')}
        any={text('state.firing')}
        value={search.state}
        options={(['resolved', 'all'] as const).map((value) => ({
          value,
          label: text(`state.${value}`),
        }))}
      />
      <FilterSelect
        name="severity"
        label={text('filter.severity')}
        any={text('filter.anySeverity')}
        value={search.severity}
        options={SEVERITIES.map((value) => ({ value, label: words(`state.${value}`) }))}
      />
      <FilterSelect
        name="acknowledged"
        label={text('filter.acknowledged')}
        any={text('filter.acknowledged.any')}
        value={search.acknowledged}
        options={(['false', 'true'] as const).map((value) => ({
          value,
          label: text(`filter.acknowledged.${value}`),
        }))}
      />
      <FilterSelect
        name="silenced"
        label={text('filter.silenced')}
        any={text('filter.silenced.any')}
        value={search.silenced}
        options={(['false', 'true'] as const).map((value) => ({
          value,
          label: text(`filter.silenced.${value}`),
        }))}
      />
    </>
  )
}
