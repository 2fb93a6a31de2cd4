import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { Time } from '../../ui/Time.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { JobProgressBar } from '../jobs/JobProgressBar.tsx'
import { dashboardMessages } from './messages/text.ts'

const RUNNING_SHOWN_MAX = 10

export function RunningJobs() {
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
