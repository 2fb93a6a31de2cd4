/** The steps of a job, and how far each has come. */
import type { JobDetail } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { jobsMessages } from './messages/text.ts'
import { useStepName } from './step-name.ts'

interface StepListProps {
  readonly job: Pick<JobDetail, 'kind' | 'steps'>
  /** What is said before the first step. */
  readonly waiting: string
  readonly testId: string
}

export function StepList({ job: { kind, steps }, waiting, testId }: StepListProps) {
  const text = useText(jobsMessages)
  const format = useFormat()
  const nameOf = useStepName()
  if (steps.length === 0) return <p className="om-quiet">{waiting}</p>
  return (
    <ol className="om-steps" data-testid={testId}>
      {steps.map((step) => (
        <li key={step.position}>
          <StateTag state={step.state} />
          <strong>{nameOf(kind, step.name)}</strong>
          {step.attempt > 1 && <span>{text('step.attempt', { attempt: step.attempt })}</span>}
          {step.endedAt !== null && (
            <span className="om-quiet">
              {format.duration(Date.parse(step.endedAt) - Date.parse(step.startedAt))}
            </span>
          )}
          {step.problem !== null && <span className="om-state-failed">{step.problem.message}</span>}
        </li>
      ))}
    </ol>
  )
}
