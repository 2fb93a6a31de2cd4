import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { JobProgressBar } from '../jobs/JobProgressBar.tsx'
import { databasesMessages } from './messages/text.ts'
import { databaseJobsQuery } from './queries.ts'

/** Of one that is refreshed each hour: two days. */
const JOBS_SHOWN_MAX = 50

export function DatabaseJobs({ virtualDatabaseId }: { readonly virtualDatabaseId: string }) {
  const text = useText(databasesMessages)
  const kindText = useJobKind()
  const { data, error } = useQuery(databaseJobsQuery(virtualDatabaseId, JOBS_SHOWN_MAX))
  return (
    <section className="om-panel" data-testid="database-jobs">
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <Empty message={text('jobs.empty')} />}
      <ul className="om-steps">
        {data?.items.map((job) => (
          <li key={job.id}>
            <StateTag state={job.state} />
            <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
              {kindText(job.kind)}
            </Link>
            <Time at={job.queuedAt} />
            <JobProgressBar job={job} />
            {job.problem !== null && (
              <span className="om-state-failed">
                {job.problem.message} <code className="om-code">{job.problem.code}</code>
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
