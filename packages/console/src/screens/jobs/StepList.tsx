/** The steps of a job, named as the page that shows them names them. */
import type { JobDetail } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { jobsMessages } from './messages/text.ts'

interface StepListProps {
  readonly steps: JobDetail['steps']
  readonly nameOf: (step: string) => string
  /** What is said before the first step. */
  readonly waiting: string
  readonly testId: string
}

export function StepList({ steps, nameOf, waiting, testId }: StepListProps) {
  const text = useText(jobsMessages)
  const format = useFormat()
  if (steps.length === 0) return <p className="om-quiet">{waiting}</p>
  return (
    <ol className="om-steps" data-testid={testId}>
      {steps.map((step) => (
        <li key={step.position}>
          <StateTag state={step.state} />
          <strong>{nameOf(step.name)}</strong>
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
