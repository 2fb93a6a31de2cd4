/** From an empty product to a mounted point in four steps, ticked as they happen. */
import { useState } from 'react'
import { CheckCircleFilled } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Status } from '@openmaas/api/resources/status'
import { apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { firstSteps, isOver, type FirstStep } from './first-steps.ts'
import { dashboardMessages } from './messages/text.ts'
import './first-run.css'

const HIDDEN_AS = 'openmaas.firstRun.hidden'

export function FirstRun({ status }: { readonly status: Status }) {
  const text = useText(dashboardMessages)
  const may = useMay()
  const [isHidden, setHidden] = useState(() => localStorage.getItem(HIDDEN_AS) === 'true')
  const isAsked = !isHidden && may('source.write')
  const agents = useQuery({
    ...apiQuery('listHosts', { query: { 'filter[kind]': 'agent', limit: 1 } }),
    enabled: isAsked && may('host.read'),
  })
  const media = useQuery({
    ...apiQuery('listMedia', { query: { limit: 1 } }),
    enabled: isAsked && may('medium.read'),
  })
  if (!isAsked || agents.data === undefined || media.data === undefined) return null
  const steps = firstSteps({
    status,
    hasAgent: agents.data.items.length > 0,
    hasMounted: media.data.items.length > 0,
  })
  if (isOver(steps)) return null
  const hide = (): void => {
    localStorage.setItem(HIDDEN_AS, 'true')
    setHidden(true)
  }
  return (
    <section className="om-panel" data-testid="first-run" aria-live="polite">
      <h2 className="om-first-head">
        {text('first.title')}
        <Button type="text" size="small" onClick={hide} data-testid="first-run-hide">
          {text('first.hide')}
        </Button>
      </h2>
      <ol className="om-first">
        {steps.map((step, index) => (
          <Step key={step.name} step={step} number={index + 1} />
        ))}
      </ol>
    </section>
  )
}

interface StepProps {
  readonly step: FirstStep
  readonly number: number
}

function Step({ step: { name, isDone, isNext, to }, number }: StepProps) {
  const text = useText(dashboardMessages)
  return (
    <li className={isNext ? 'om-first-next' : ''} data-testid={`first-${name}`} data-done={isDone}>
      <strong>
        {isDone ? (
          <CheckCircleFilled className="om-state-ok" aria-label={text('first.done')} />
        ) : (
          <span className="om-first-number">{number}</span>
        )}{' '}
        {text(`first.${name}`)}
      </strong>
      <small className="om-quiet">{text(`first.${name}.detail`)}</small>
      {!isDone && hasScreen(to) && (
        <Link to={to as LinkProps['to'] & string} data-testid={`first-${name}-go`}>
          <Button type={isNext ? 'primary' : 'default'} tabIndex={-1}>
            {text(`first.${name}.go`)}
          </Button>
        </Link>
      )}
    </li>
  )
}
