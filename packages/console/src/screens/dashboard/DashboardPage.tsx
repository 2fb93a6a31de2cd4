/** "Am I safe, and can I get it back?" in one look. */
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { JobProgressBar } from '../jobs/JobProgressBar.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { Time } from '../../ui/Time.tsx'
import { Attention } from './Attention.tsx'
import { FirstRun } from './FirstRun.tsx'
import { dashboardMessages } from './messages/text.ts'
import { Pools } from './Pools.tsx'
import { Tiles } from './Tiles.tsx'

/** Ages grow without an event. */
const RENEW_EVERY_MS = 15_000

export function DashboardPage() {
  const text = useText(dashboardMessages)
  const may = useMay()
  const { data: status } = useSuspenseQuery({
    ...apiQuery('getStatus'),
    refetchInterval: RENEW_EVERY_MS,
  })
  return (
    <Page title={text('title')} cli="openmaas status" api="GET /api/v1/status">
      <FirstRun status={status} />
      <Tiles status={status} />
      <Attention rows={status.attention} />
      {may('pool.read') && <Pools />}
      {may('job.read') && <RunningJobs />}
    </Page>
  )
}

const RUNNING_SHOWN_MAX = 10

function RunningJobs() {
  const text = useText(dashboardMessages)
  const kindText = useJobKind()
  const query = { 'filter[state]': 'running', limit: RUNNING_SHOWN_MAX }
  const { data } = useQuery(apiQuery('listJobs', { query }))
  return (
    <section className="om-panel" data-testid="running">
      <h2>{text('running')}</h2>
      {data?.items.length === 0 && <Empty message={text('running.none')} />}
      <ul className="om-steps">
        {data?.items.map((job) => (
          <li key={job.id}>
            <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
              {kindText(job.kind)}
            </Link>
            <JobProgressBar job={job} />
            <Time at={job.startedAt} />
          </li>
        ))}
      </ul>
      <Link to="/jobs">{text('running.all')}</Link>
    </section>
  )
}
