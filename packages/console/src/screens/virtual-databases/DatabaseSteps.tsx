/** The newest job about it, step by step, as it happens. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { StepList } from '../jobs/StepList.tsx'
import { JobProgressBar } from '../jobs/JobProgressBar.tsx'
import { databasesMessages } from './messages/text.ts'
import { databaseJobsQuery } from './queries.ts'

export function DatabaseSteps({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const kindText = useJobKind()
  const newest = useQuery(databaseJobsQuery(database.id, 1))
  const jobId = newest.data?.items[0]?.id
  const job = useQuery({
    ...apiQuery('getJob', { params: { jobId: jobId ?? '' } }),
    enabled: jobId !== undefined,
  })
  const error = newest.error ?? job.error
  if (error !== null) return <ProblemView error={error} />
  if (job.data === undefined) return null
  return (
    <section className="om-panel" aria-live="polite">
      <h2>
        {kindText(job.data.kind)} <StateTag state={job.data.state} />
      </h2>
      {job.data.endedAt === null && <JobProgressBar job={job.data} />}
      <StepList job={job.data} waiting={text('steps.waiting')} testId="database-steps" />
      <p>
        <Link to="/jobs/$jobId" params={{ jobId: job.data.id }} data-testid="database-job">
          {text('steps.job')}
        </Link>
      </p>
    </section>
  )
}
