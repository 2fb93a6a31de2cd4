/** One virtual database, live: how to connect, what happened to it, what can be done with it. */
import { useSuspenseQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Tabs from 'antd/es/tabs'
import { ApiError } from '@openmaas/api/client'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Activity } from './Activity.tsx'
import { ConnectionPanel } from './ConnectionPanel.tsx'
import { DatabaseActions } from './DatabaseActions.tsx'
import { DatabaseJobs } from './DatabaseJobs.tsx'
import { DatabaseState } from './DatabaseState.tsx'
import { DatabaseSteps } from './DatabaseSteps.tsx'
import { Facts } from './Facts.tsx'
import { LiveSync } from './LiveSync.tsx'
import { databasesMessages } from './messages/text.ts'
import { OwnTimeline } from './OwnTimeline.tsx'
import { type DatabaseTab, virtualDatabaseQuery } from './queries.ts'
import { StandsForProduction } from './recover-production/StandsForProduction.tsx'
import { virtualDatabaseRoute } from './routes.ts'
import { ForTests } from './ForTests.tsx'
import './virtual-databases.css'

const TAB_GUTTER_PX = 18

export function VirtualDatabasePage() {
  const text = useText(databasesMessages)
  const may = useMay()
  const { virtualDatabaseId } = virtualDatabaseRoute.useParams()
  const { tab = 'overview' } = virtualDatabaseRoute.useSearch()
  const navigate = useNavigate({ from: '/virtual-databases/$virtualDatabaseId' })
  const { data: database } = useSuspenseQuery(virtualDatabaseQuery(virtualDatabaseId))
  const tabs: readonly DatabaseTab[] = [
    'overview',
    'timeline',
    'tests',
    ...(may('job.read') ? (['jobs'] as const) : []),
    ...(may('audit.read') ? (['activity'] as const) : []),
  ]
  return (
    <Page
      title={database.name}
      mark={<DatabaseState state={database.state} />}
      crumbs={[{ label: text('title'), to: '/virtual-databases' }]}
      actions={<DatabaseActions database={database} />}
      {...equivalents(tab, database)}
    >
      <Trouble database={database} />
      <Tabs
        // All of them fit on a telephone, so that none hides behind a menu.
        tabBarGutter={TAB_GUTTER_PX}
        activeKey={tab}
        onChange={(key) =>
          void navigate({ search: key === 'overview' ? {} : { tab: key as DatabaseTab } })
        }
        items={tabs.map((key) => ({
          key,
          label: text(`tab.${key}`),
          children: key === tab ? <TabBody tab={key} database={database} /> : null,
        }))}
      />
    </Page>
  )
}

interface BodyProps {
  readonly tab: DatabaseTab
  readonly database: VirtualDatabase
}

function TabBody({ tab, database }: BodyProps) {
  switch (tab) {
    case 'overview':
      return <Overview database={database} />
    case 'timeline':
      return <OwnTimeline database={database} />
    case 'tests':
      return <ForTests database={database} />
    case 'jobs':
      return <DatabaseJobs virtualDatabaseId={database.id} />
    case 'activity':
      return <Activity virtualDatabaseId={database.id} />
  }
}

function Overview({ database }: Pick<BodyProps, 'database'>) {
  const text = useText(databasesMessages)
  const may = useMay()
  return (
    <div className="om-columns">
      <div className="om-stack">
        <StandsForProduction database={database} />
        {database.endedAt === null && <ConnectionPanel database={database} />}
        {database.liveSync && database.endedAt === null && <LiveSync database={database} />}
        {may('job.read') && <DatabaseSteps database={database} />}
      </div>
      <section className="om-panel">
        <h2>{text('about')}</h2>
        <Facts database={database} />
      </section>
    </div>
  )
}

/** What went wrong, and what is left of it. */
function Trouble({ database }: Pick<BodyProps, 'database'>) {
  const text = useText(databasesMessages)
  const { state, problem, readyAt } = database
  if (state === 'dropped') return <p data-testid="dropped">{text('dropped')}</p>
  if (problem === null) {
    return state === 'lost' ? <p className="om-state-warning">{text('lost')}</p> : null
  }
  const { code, message, hint = '' } = problem
  const wasNeverReady = state === 'failed' && readyAt === null
  const title = text(wasNeverReady ? 'failed' : 'trouble')
  const shown = { type: '', docs: '', status: 0, title, detail: message, hint, code }
  return (
    <>
      <ProblemView error={new ApiError(shown)} />
      {wasNeverReady && <p className="om-quiet">{text('failed.text')}</p>}
    </>
  )
}

function equivalents(tab: DatabaseTab, { id, name }: VirtualDatabase) {
  const one = `/api/v1/virtual-databases/${id}`
  switch (tab) {
    case 'timeline':
      return { cli: `openmaas vdb bookmark ${name}`, api: `GET ${one}/bookmarks` }
    case 'tests':
      return {
        cli: 'openmaas vdb create <source> --for <job> --drop-after 2h --format env',
        api: 'POST /api/v1/virtual-databases?wait=60s',
      }
    case 'jobs':
      return {
        cli: `openmaas job list`,
        api: `GET /api/v1/jobs?filter[virtualDatabaseId]=${id}`,
      }
    case 'activity':
      return {
        cli: `openmaas audit list --object ${id}`,
        api: `GET /api/v1/audit?filter[object]=${id}`,
      }
    case 'overview':
      return { cli: `openmaas vdb show ${name}`, api: `GET ${one}` }
  }
}
