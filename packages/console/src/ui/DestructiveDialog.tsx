/**
 * Before anything is destroyed: the server's own plan (`?dryRun=true`), the name typed again and a
 * reason, which goes into the audit log.
 *
 *     <DestructiveDialog title={text('remove')} name={pool.name} onClose={close}
 *       plan={() => apiPlan('removePool', { params, body })}
 *       perform={(danger) => apiCall('removePool', { params, body: danger })} />
 */
import { useState } from 'react'
import { useMutation, useQuery } from '@tanstack/react-query'
import Input from 'antd/es/input'
import Modal from 'antd/es/modal'
import Skeleton from 'antd/es/skeleton'
import type { z } from 'zod'
import type { plan as planSchema } from '@openmaas/api/resources/common'
import { useFormat } from '../format/use-format.ts'
import { useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'
import { ProblemView } from './ProblemView.tsx'

export type Plan = z.infer<typeof planSchema>
export interface Danger {
  /** The name, as it was typed. */
  readonly confirm: string
  readonly reason: string
}

interface Props {
  readonly title: string
  readonly name: string
  /** Called with what the server wants to see even for a plan. */
  readonly plan: (danger: Danger) => Promise<Plan>
  readonly perform: (danger: Danger) => Promise<unknown>
  readonly onClose: () => void
}

/** As the API wants it. */
const REASON_LENGTH_MIN = 3

export const NO_DANGER: Danger = { confirm: '', reason: '' }

export const isTyped = ({ confirm, reason }: Danger, name: string): boolean =>
  confirm === name && reason.trim().length >= REASON_LENGTH_MIN

export function DestructiveDialog({ title, name, plan, perform, onClose }: Props) {
  const text = useText(uiMessages)
  const [danger, setDanger] = useState(NO_DANGER)
  const planned = useQuery({
    queryKey: ['plan', title, name],
    queryFn: () => plan({ confirm: name, reason: title }),
    staleTime: 0,
    gcTime: 0,
  })
  const performing = useMutation({
    mutationFn: () => perform({ ...danger, reason: danger.reason.trim() }),
    onSuccess: onClose,
  })
  return (
    <Modal
      open
      title={title}
      okText={title}
      cancelText={text('danger.cancel')}
      okButtonProps={{
        danger: true,
        disabled: !isTyped(danger, name),
        loading: performing.isPending,
      }}
      onOk={() => performing.mutate()}
      onCancel={onClose}
    >
      <section data-testid="plan">
        <h3>{text('danger.plan')}</h3>
        {planned.isPending && <Skeleton active />}
        {planned.isError && <ProblemView error={planned.error} />}
        {planned.data !== undefined && <PlanView plan={planned.data} />}
      </section>
      <DangerFields name={name} value={danger} onChange={setDanger} />
      {performing.isError && <ProblemView error={performing.error} />}
    </Modal>
  )
}

interface FieldsProps {
  readonly name: string
  readonly value: Danger
  readonly onChange: (value: Danger) => void
}

export function DangerFields({ name, value, onChange }: FieldsProps) {
  const text = useText(uiMessages)
  return (
    <>
      <label>
        {text('danger.confirm', { name })}
        <Input
          value={value.confirm}
          onChange={(event) => onChange({ ...value, confirm: event.target.value })}
          data-testid="confirm-name"
        />
      </label>
      <label>
        {text('danger.reason')}
        <Input
          value={value.reason}
          onChange={(event) => onChange({ ...value, reason: event.target.value })}
          data-testid="confirm-reason"
        />
      </label>
    </>
  )
}

export function PlanView({ plan }: { readonly plan: Plan }) {
  const text = useText(uiMessages)
  const format = useFormat()
  return (
    <>
      {plan.warnings.map((warning) => (
        <p key={warning} className="om-state-warning">
          {warning}
        </p>
      ))}
      <ul>
        {plan.plan.map(({ action, object, name, detail }) => (
          <li key={`${action} ${object}`}>
            {action} {name ?? object} {detail !== undefined && `– ${detail}`}
          </li>
        ))}
      </ul>
      {plan.plan.length === 0 && <p>{text('danger.nothing')}</p>}
      {plan.freesBytes !== undefined && (
        <p>{text('danger.frees', { size: format.bytes(plan.freesBytes) })}</p>
      )}
    </>
  )
}
