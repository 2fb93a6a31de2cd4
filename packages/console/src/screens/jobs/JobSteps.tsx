import type { JobDetail } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { jobsMessages } from './messages/text.ts'

type Step = JobDetail['steps'][number]

export function JobSteps({ steps }: { readonly steps: readonly Step[] }) {
  const text = useText(jobsMessages)
  const format = useFormat()
  if (steps.length === 0) return <p className="om-quiet">{text('steps.empty')}</p>
  return (
    <ol className="om-steps" data-testid="steps">
      {steps.map((step) => (
        <li key={step.position}>
          <StateTag state={step.state} />
          <strong>{step.name}</strong>
          {step.attempt > 1 && <span>{text('step.attempt', { attempt: step.attempt })}</span>}
          {step.endedAt !== null && (
            <span className="om-quiet">{format.duration(elapsedMs(step, step.endedAt))}</span>
          )}
          {step.problem !== null && <span className="om-state-failed">{step.problem.message}</span>}
        </li>
      ))}
    </ol>
  )
}

function elapsedMs({ startedAt }: Step, endedAt: string): number {
  return new Date(endedAt).getTime() - new Date(startedAt).getTime()
}
