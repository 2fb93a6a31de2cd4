/** One source: is it protected, what can be had back, what has run, how it is captured. */
import { useSuspenseQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Tabs from 'antd/es/tabs'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { TimelineTab } from '../timeline/TimelineTab.tsx'
import { sourcesMessages } from './messages/text.ts'
import { ProtectionAnswer } from './ProtectionAnswer.tsx'
import { complianceQuery, sourceQuery, type SourceTab } from './queries.ts'
import { sourceRoute } from './routes.ts'
import { SourceActions } from './SourceActions.tsx'
import { SourceJobs } from './SourceJobs.tsx'
import { SourceOverview } from './SourceOverview.tsx'
import { SourceSettings } from './SourceSettings.tsx'
import './sources.css'

export function SourcePage() {
  const text = useText(sourcesMessages)
  const may = useMay()
  const { sourceId } = sourceRoute.useParams()
  const search = sourceRoute.useSearch()
  const navigate = useNavigate({ from: '/sources/$sourceId' })
  const { data: source } = useSuspenseQuery(sourceQuery(sourceId))
  const { data: compliance } = useSuspenseQuery(complianceQuery(sourceId))
  const tab = search.tab ?? 'overview'
  const { cli, api } = equivalents(tab, source)
  return (
    <Page
      title={source.name}
      mark={<StateTag state={compliance.state} />}
      crumbs={[{ label: text('title'), to: '/sources' }]}
      actions={<SourceActions source={source} />}
      cli={cli}
      api={api}
    >
      <ProtectionAnswer source={source} />
      <Tabs
        activeKey={tab}
        onChange={(key) => void navigate({ search: tabSearch(key as SourceTab) })}
        items={[
          { key: 'overview', label: text('tab.overview') },
          ...(may('point.read') ? [{ key: 'timeline', label: text('tab.timeline') }] : []),
          ...(may('job.read') ? [{ key: 'jobs', label: text('tab.jobs') }] : []),
          { key: 'settings', label: text('tab.settings') },
        ].map((item) => ({ ...item, children: <TabBody tab={item.key} shown={tab} /> }))}
      />
    </Page>
  )
}

function TabBody({ tab, shown }: { readonly tab: string; readonly shown: string }) {
  const { sourceId } = sourceRoute.useParams()
  const { data: source } = useSuspenseQuery(sourceQuery(sourceId))
  if (tab !== shown) return null
  switch (tab) {
    case 'timeline':
      return <TimelineTab source={source} />
    case 'jobs':
      return <SourceJobs sourceId={sourceId} />
    case 'settings':
      return <SourceSettings key={source.version} source={source} />
    default:
      return <SourceOverview source={source} />
  }
}

const tabSearch = (tab: SourceTab) => (tab === 'overview' ? {} : { tab })

function equivalents(tab: SourceTab, { id, name }: { readonly id: string; readonly name: string }) {
  const api = `GET /api/v1/sources/${id}`
  switch (tab) {
    case 'timeline':
      return {
        cli: `openmaas point list --source ${name}`,
        api: `GET /api/v1/points?filter[sourceId]=${id}`,
      }
    case 'jobs':
      return {
        cli: `openmaas job list --source ${name}`,
        api: `GET /api/v1/jobs?filter[sourceId]=${id}`,
      }
    case 'settings':
      return { cli: `openmaas source change ${name}`, api: `PATCH /api/v1/sources/${id}` }
    default:
      return { cli: `openmaas source show ${name}`, api }
  }
}
