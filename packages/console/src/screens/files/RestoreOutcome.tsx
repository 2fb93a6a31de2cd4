/** A restore that was begun, live, and what came of it. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Skeleton from 'antd/es/skeleton'
import { ApiError } from '@openmaas/api/client'
import type { JobDetail } from '@openmaas/api/resources/job'
import { apiQuery } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { JobProgressBar } from '../jobs/JobProgressBar.tsx'
import { filesMessages } from './messages/text.ts'
import type { WantedRestore } from './restore-form.ts'

export interface StartedRestore {
  readonly jobId: string
  readonly takenAt: string
  readonly place: WantedRestore['place']
}

export function RestoreOutcome({ started }: { readonly started: StartedRestore }) {
  const text = useText(filesMessages)
  const format = useFormat()
  const { jobId, takenAt } = started
  const { data: job, error } = useQuery(apiQuery('getJob', { params: { jobId } }))
  if (error !== null) return <ProblemView error={error} />
  if (job === undefined) return <Skeleton active paragraph={{ rows: 2 }} />
  return (
    <section className="om-panel" aria-live="polite" data-testid="restore-outcome">
      <h2>
        {text('restore.title')} <StateTag state={job.state} />
      </h2>
      <p className="om-quiet">{text('restore.at', { at: format.exact(takenAt) })}</p>
      <JobProgressBar job={job} />
      {job.problem !== null && <JobProblem problem={job.problem} />}
      <Done job={job} to={started.place.to} />
      <p>
        <Link to="/jobs/$jobId" params={{ jobId }} data-testid="restore-job">
          {text('restore.job')}
        </Link>
      </p>
    </section>
  )
}

function JobProblem({ problem }: { readonly problem: NonNullable<JobDetail['problem']> }) {
  const text = useText(filesMessages)
  const { code, message, hint = '' } = problem
  const title = text('restore.title')
  const shown = { type: '', docs: '', status: 0, title, detail: message, hint, code }
  return <ProblemView error={new ApiError(shown)} />
}

function Done({ job, to }: { readonly job: JobDetail; readonly to: string }) {
  const text = useText(filesMessages)
  const format = useFormat()
  if (job.state !== 'succeeded' && job.state !== 'warning') return null
  const { files, bytes, warningCount } = job.result ?? {}
  const numbers = { count: Number(files ?? 0), size: format.bytes(Number(bytes ?? 0)) }
  const skipped = Number(warningCount ?? 0)
  return (
    <>
      <p data-testid="restore-done">{text('restore.done', { ...numbers, place: to })}</p>
      {skipped > 0 && (
        <p className="om-state-warning">{text('restore.warnings', { count: skipped })}</p>
      )}
    </>
  )
}
