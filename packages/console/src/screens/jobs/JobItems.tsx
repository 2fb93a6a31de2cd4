/** The newest jobs about something, on its own page. */
import type { UseQueryResult } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Job } from '@openmaas/api/resources/job'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { useJobKind } from './job-kind.ts'
import { JobProgressBar } from './JobProgressBar.tsx'

interface JobItemsProps {
  readonly query: UseQueryResult<{ readonly items: readonly Job[] }>
  /** What is said when there is none. */
  readonly empty: string
}

export function JobItems({ query: { data, error }, empty }: JobItemsProps) {
  const kindText = useJobKind()
  return (
    <>
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <Empty message={empty} />}
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
    </>
  )
}
