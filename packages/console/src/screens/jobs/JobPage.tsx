/** One job, live: steps, progress, what holds it up, its log; cancel and retry. */
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Popconfirm from 'antd/es/popconfirm'
import { ApiError } from '@openmaas/api/client'
import { JOB_STATES_ENDED, type JobDetail } from '@openmaas/api/resources/job'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { useJobKind } from './job-kind.ts'
import { JobLog } from './JobLog.tsx'
import { JobProgressFacts } from './JobProgressFacts.tsx'
import { JobRates } from './JobRates.tsx'
import { StepList } from './StepList.tsx'
import { jobsMessages } from './messages/text.ts'
import { jobQuery } from './queries.ts'
import { jobRoute } from './routes.ts'
import { Waiting } from './Waiting.tsx'

export function JobPage() {
  const text = useText(jobsMessages)
  const kindText = useJobKind()
  const { jobId } = jobRoute.useParams()
  const { data: job } = useSuspenseQuery(jobQuery(jobId))
  return (
    <Page
      title={kindText(job.kind)}
      mark={<StateTag state={job.state} />}
      crumbs={[{ label: text('title'), to: '/jobs' }]}
      actions={<Actions job={job} />}
      cli={`openmaas job show ${jobId}`}
      api={`GET /api/v1/jobs/${jobId}`}
    >
      {job.problem !== null && <JobProblem problem={job.problem} />}
      <div className="om-columns">
        <section className="om-panel">
          <h2>{text('facts')}</h2>
          <Facts job={job} />
        </section>
        <section className="om-panel" aria-live="polite">
          <h2>{text('steps')}</h2>
          <JobProgressFacts job={job} />
          <Waiting job={job} />
          <StepList job={job} waiting={text('steps.empty')} testId="steps" />
        </section>
      </div>
      <JobRates key={jobId} job={job} />
      <JobLog jobId={jobId} />
    </Page>
  )
}

function Actions({ job }: { readonly job: JobDetail }) {
  const text = useText(jobsMessages)
  const may = useMay()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const params = { jobId: job.id }
  const cancel = useMutation({
    mutationFn: () => apiCall('cancelJob', { params }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['jobs'] }),
  })
  const retry = useMutation({
    mutationFn: () => apiCall('retryJob', { params }),
    onSuccess: ({ jobId }) => navigate({ to: '/jobs/$jobId', params: { jobId } }),
  })
  const isEnded = (JOB_STATES_ENDED as readonly string[]).includes(job.state)
  const canRetry = job.state === 'failed' || job.state === 'cancelled'
  const error = cancel.error ?? retry.error
  return (
    <>
      {job.cancelRequestedAt !== null && !isEnded && <span>{text('cancel.asked')}</span>}
      {!isEnded && job.cancelRequestedAt === null && may('job.cancel') && (
        <Popconfirm
          title={text('cancel.confirm')}
          okText={text('cancel')}
          cancelText={text('cancel.no')}
          okButtonProps={{ 'data-testid': 'cancel-confirm' }}
          onConfirm={() => cancel.mutate()}
        >
          <Button danger loading={cancel.isPending} data-testid="cancel">
            {text('cancel')}
          </Button>
        </Popconfirm>
      )}
      {canRetry && may('source.protect') && (
        <Button
          type="primary"
          loading={retry.isPending}
          onClick={() => retry.mutate()}
          data-testid="retry-job"
        >
          {text('retry')}
        </Button>
      )}
      {error !== null && <ProblemView error={error} />}
    </>
  )
}

/** What a job failed of, in the form of an answer of the server. */
function JobProblem({ problem }: { readonly problem: NonNullable<JobDetail['problem']> }) {
  const text = useText(jobsMessages)
  const { code, message, hint = '' } = problem
  const title = text('tab.failed')
  const shown = { type: '', docs: '', status: 0, title, detail: message, hint, code }
  return <ProblemView error={new ApiError(shown)} />
}

function Facts({ job }: { readonly job: JobDetail }) {
  const text = useText(jobsMessages)
  return (
    <dl className="om-facts">
      <dt>{text('id')}</dt>
      <dd>
        <code className="om-code">{job.id}</code>
        <CopyButton value={job.id} />
      </dd>
      <dt>{text('actor')}</dt>
      <dd>{job.actor}</dd>
      <dt>{text('queuedAt')}</dt>
      <dd>
        <Time at={job.queuedAt} />
      </dd>
      <dt>{text('startedAt')}</dt>
      <dd>
        <Time at={job.startedAt} />
      </dd>
      <dt>{text('endedAt')}</dt>
      <dd>
        <Time at={job.endedAt} />
      </dd>
      <dt>{text('attempts')}</dt>
      <dd>
        {job.attempt} / {job.attemptMax}
      </dd>
      {job.retryOf !== null && (
        <>
          <dt>{text('retryOf')}</dt>
          <dd>
            <Link to="/jobs/$jobId" params={{ jobId: job.retryOf }}>
              {job.retryOf}
            </Link>
          </dd>
        </>
      )}
    </dl>
  )
}
