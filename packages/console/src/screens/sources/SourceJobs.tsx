import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { JobProgressBar } from '../jobs/JobProgressBar.tsx'
import { sourcesMessages } from './messages/text.ts'
import { sourceJobsQuery } from './queries.ts'

/** The list of jobs has the rest, with filters. */
const JOBS_SHOWN_MAX = 30

export function SourceJobs({ sourceId }: { readonly sourceId: string }) {
  const text = useText(sourcesMessages)
  const kindText = useJobKind()
  const { data, error } = useQuery(sourceJobsQuery(sourceId, JOBS_SHOWN_MAX))
  return (
    <section className="om-panel" data-testid="source-jobs">
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
      <p>
        <Link to="/jobs" search={{ sourceId }}>
          {text('jobs.all')}
        </Link>
      </p>
    </section>
  )
}
