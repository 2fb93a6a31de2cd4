import type { JobDetail } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Time } from '../../ui/Time.tsx'
import { JobProgressBar } from './JobProgressBar.tsx'
import { jobsMessages } from './messages/text.ts'

/** How far it is, and what holds it up. */
export function JobProgressFacts({ job }: { readonly job: JobDetail }) {
  const text = useText(jobsMessages)
  const format = useFormat()
  const { itemsDone, bytesDone, stalledSince, bottleneck } = job.progress
  if (bytesDone === undefined && (bottleneck ?? null) === null) return null
  return (
    <>
      <JobProgressBar job={job} />
      <dl className="om-facts" data-testid="progress-facts">
        <dt>{text('done')}</dt>
        <dd>
          {format.bytes(bytesDone ?? 0)} · {text('items', { count: itemsDone ?? 0 })}
        </dd>
        {bottleneck !== undefined && bottleneck !== null && (
          <>
            <dt>{text('bottleneck')}</dt>
            <dd>{text(`bottleneck.${bottleneck}`)}</dd>
          </>
        )}
        {stalledSince !== undefined && stalledSince !== null && job.state === 'running' && (
          <>
            <dt>{text('stalled')}</dt>
            <dd className="om-state-warning">
              <Time at={stalledSince} />
            </dd>
          </>
        )}
      </dl>
    </>
  )
}
