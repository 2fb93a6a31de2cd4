/** One cause: what, why, what to do, since when, who looks after it. */
import { useState } from 'react'
import { BellOutlined } from '@ant-design/icons'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Alert } from '@openmaas/api/resources/alert'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { Acknowledge } from './Acknowledge.tsx'
import { screenOf, type AlertGroup } from './alert-groups.ts'
import { alertsMessages } from './messages/text.ts'
import { SilenceDialog } from './SilenceDialog.tsx'
import { useUnsilence } from './use-unsilence.ts'

export function AlertCard({ group }: { readonly group: AlertGroup }) {
  const text = useText(alertsMessages)
  const may = useMay()
  const [asking, setAsking] = useState<'acknowledge' | 'silence'>()
  const close = (): void => setAsking(undefined)
  const { lead, others } = group
  const firing = [lead, ...others].filter(({ state }) => state === 'firing')
  const open = firing.filter(({ acknowledgedBy }) => acknowledgedBy === null)
  const loud = firing.filter(({ silence }) => silence === null)
  return (
    <article className="om-panel" data-testid={`alert-${lead.id}`}>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: '4px 16px', alignItems: 'baseline' }}>
        <StateTag state={lead.state === 'resolved' ? 'resolved' : lead.severity} />
        <h2 style={{ margin: 0, fontSize: 15, overflowWrap: 'anywhere' }}>{lead.title}</h2>
        <span className="om-space" />
        <SubjectLink alert={lead} />
        {open.length > 0 && may('alert.acknowledge') && (
          <Button size="small" onClick={() => setAsking('acknowledge')} data-testid="acknowledge">
            {text('acknowledge.all', { count: open.length })}
          </Button>
        )}
        {loud.length > 0 && may('alert.acknowledge') && (
          <Button size="small" onClick={() => setAsking('silence')} data-testid="silence">
            {text('silence.all', { count: loud.length })}
          </Button>
        )}
      </div>
      <p style={{ margin: '8px 0' }}>
        <span className="om-quiet">{text('cause')}: </span>
        {lead.cause}
      </p>
      <p style={{ margin: '8px 0' }}>
        <span className="om-quiet">{text('next')}: </span>
        <strong>{lead.nextStep}</strong>
      </p>
      <Facts alert={lead} />
      {others.length > 0 && <Others alerts={others} />}
      <Silent alerts={firing} />
      {asking === 'acknowledge' && <Acknowledge alerts={open} onClose={close} />}
      {asking === 'silence' && <SilenceDialog alerts={loud} onClose={close} />}
    </article>
  )
}

function Facts({ alert }: { readonly alert: Alert }) {
  const text = useText(alertsMessages)
  const { openedAt, seenAt, resolvedAt, acknowledgedBy, acknowledgedAt } = alert
  return (
    <div className="om-quiet" style={{ display: 'flex', flexWrap: 'wrap', gap: '4px 16px' }}>
      <span>
        {text('opened')} <Time at={openedAt} />
      </span>
      <span>
        {resolvedAt === null ? text('seen') : text('resolved')} <Time at={resolvedAt ?? seenAt} />
      </span>
      {acknowledgedBy !== null && (
        <span data-testid="acknowledged">
          {text('acknowledged', { name: acknowledgedBy })} <Time at={acknowledgedAt} />
        </span>
      )}
    </div>
  )
}

/** Until when nothing is sent, who wanted that, and why; the verb that ends it. */
function Silent({ alerts }: { readonly alerts: readonly Alert[] }) {
  const text = useText(alertsMessages)
  const format = useFormat()
  const may = useMay()
  const unsilence = useUnsilence()
  const silent = alerts.filter(({ silence }) => silence !== null)
  const silence = silent[0]?.silence
  if (silence === undefined || silence === null) return null
  const until = format.exact(silence.until)
  return (
    <div className="om-verbs" style={{ flexWrap: 'wrap', marginTop: 8 }} data-testid="silent">
      <BellOutlined aria-hidden />
      <span>
        {text('silent', { count: silent.length, until, name: silence.by })}: {silence.reason}
      </span>
      {may('alert.acknowledge') && (
        <Button
          size="small"
          loading={unsilence.isPending}
          onClick={() => unsilence.mutate(silent)}
          data-testid="unsilence"
        >
          {text('unsilence')}
        </Button>
      )}
      {unsilence.error !== null && <ProblemView error={unsilence.error} />}
    </div>
  )
}

function Others({ alerts }: { readonly alerts: readonly Alert[] }) {
  const text = useText(alertsMessages)
  return (
    <details style={{ marginTop: 8 }}>
      <summary data-testid="same-cause">{text('more', { count: alerts.length })}</summary>
      <ul className="om-steps">
        {alerts.map((alert) => (
          <li key={alert.id}>
            <span>{alert.title}</span>
            <Time at={alert.openedAt} />
            <SubjectLink alert={alert} />
          </li>
        ))}
      </ul>
    </details>
  )
}

function SubjectLink({ alert }: { readonly alert: Alert }) {
  const text = useText(alertsMessages)
  const screen = screenOf(alert.subject)
  if (screen === null || !hasScreen(screen.route)) return null
  return (
    <Link to={screen.path as string} data-testid="to-object">
      {text('object')}
    </Link>
  )
}
