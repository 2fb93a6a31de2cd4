/** The steps of the job that mounts or unmounts it, as they happen. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Skeleton from 'antd/es/skeleton'
import type { Medium } from '@openmaas/api/resources/medium'
import { apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { StepList } from '../jobs/StepList.tsx'
import { mediaMessages } from './messages/text.ts'
import { newestJobQuery } from './queries.ts'

export function MediumSteps({ medium }: { readonly medium: Medium }) {
  const text = useText(mediaMessages)
  const kindText = useJobKind()
  const newest = useQuery(newestJobQuery(medium.id))
  const jobId = newest.data?.items[0]?.id
  const job = useQuery({
    ...apiQuery('getJob', { params: { jobId: jobId ?? '' } }),
    enabled: jobId !== undefined,
  })
  const error = newest.error ?? job.error
  return (
    <section className="om-panel" aria-live="polite">
      <h2>
        {job.data === undefined ? text('working') : kindText(job.data.kind)}{' '}
        {job.data !== undefined && <StateTag state={job.data.state} />}
      </h2>
      {error !== null && <ProblemView error={error} />}
      {error === null && (newest.isPending || (jobId !== undefined && job.isPending)) && (
        <Skeleton active paragraph={{ rows: 2 }} />
      )}
      {job.data !== undefined && (
        <StepList job={job.data} waiting={text('steps.waiting')} testId="medium-steps" />
      )}
      {jobId !== undefined && (
        <p>
          <Link to="/jobs/$jobId" params={{ jobId }} data-testid="medium-job">
            {text('steps.job')}
          </Link>
        </p>
      )}
    </section>
  )
}
