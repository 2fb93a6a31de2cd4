/** One cause: what, why, what to do, since when, who looks after it. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Alert } from '@openmaas/api/resources/alert'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { screenOf, type AlertGroup } from './alert-groups.ts'
import { alertsMessages } from './messages/text.ts'

export function AlertCard({ group }: { readonly group: AlertGroup }) {
  const text = useText(alertsMessages)
  const may = useMay()
  const [isAsking, setAsking] = useState(false)
  const { lead, others } = group
  const open = [lead, ...others].filter(
    ({ state, acknowledgedBy }) => state === 'firing' && acknowledgedBy === null,
  )
  return (
    <article className="om-panel" data-testid={`alert-${lead.id}`}>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: '4px 16px', alignItems: 'baseline' }}>
        <StateTag state={lead.state === 'resolved' ? 'resolved' : lead.severity} />
        <h2 style={{ margin: 0, fontSize: 15, overflowWrap: 'anywhere' }}>{lead.title}</h2>
        <span className="om-space" />
        <SubjectLink alert={lead} />
        {open.length > 0 && may('alert.acknowledge') && (
          <Button size="small" onClick={() => setAsking(true)} data-testid="acknowledge">
            {text('acknowledge.all', { count: open.length })}
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
      {isAsking && <Acknowledge alerts={open} onClose={() => setAsking(false)} />}
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

interface AcknowledgeProps {
  readonly alerts: readonly Alert[]
  readonly onClose: () => void
}

function Acknowledge({ alerts, onClose }: AcknowledgeProps) {
  const text = useText(alertsMessages)
  const queryClient = useQueryClient()
  const [note, setNote] = useState('')
  const body = note.trim() === '' ? {} : { note: note.trim() }
  const acknowledge = useMutation({
    mutationFn: async () => {
      for (const { id } of alerts) {
        await apiCall('acknowledgeAlert', { params: { alertId: id }, body })
      }
    },
    onSuccess: onClose,
    // Also when one of several is refused: the others are done.
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }),
  })
  return (
    <FormDialog
      title={text('acknowledge')}
      ok={text('acknowledge.all', { count: alerts.length })}
      isPending={acknowledge.isPending}
      error={acknowledge.error}
      onOk={() => acknowledge.mutate()}
      onClose={onClose}
    >
      <p>{text('acknowledge.why')}</p>
      <TextField
        label={text('acknowledge.note')}
        value={note}
        autoFocus
        onChange={setNote}
        testId="note"
      />
    </FormDialog>
  )
}
