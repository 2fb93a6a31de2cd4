/** Nothing is sent about these alerts for a while; why, and for how long. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { Alert } from '@openmaas/api/resources/alert'
import { apiCall } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ChoiceField, TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { alertsMessages } from './messages/text.ts'

const HOUR_MS = 3_600_000
/** In hours: a repair, a shift, a weekend, a week, a month. */
const SPANS = ['1', '4', '24', '72', '168', '720'] as const
type Span = (typeof SPANS)[number]

interface Props {
  readonly alerts: readonly Alert[]
  readonly onClose: () => void
}

export function SilenceDialog({ alerts, onClose }: Props) {
  const text = useText(alertsMessages)
  const format = useFormat()
  const queryClient = useQueryClient()
  const [hours, setHours] = useState<Span>('4')
  const [reason, setReason] = useState('')
  const silence = useMutation({
    mutationFn: async () => {
      const until = new Date(Date.now() + Number(hours) * HOUR_MS).toISOString()
      const body = { until, reason: reason.trim() }
      for (const { id } of alerts) {
        await apiCall('silenceAlert', { params: { alertId: id }, body })
      }
    },
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }),
  })
  return (
    <FormDialog
      title={text('silence')}
      ok={text('silence.all', { count: alerts.length })}
      isReady={reason.trim() !== ''}
      isPending={silence.isPending}
      error={silence.error}
      onOk={() => silence.mutate()}
      onClose={onClose}
    >
      <p>{text('silence.why')}</p>
      <ChoiceField
        label={text('silence.for')}
        value={hours}
        options={SPANS.map((value) => ({
          value,
          label: format.duration(Number(value) * HOUR_MS),
        }))}
        onChange={setHours}
        testId="silence-for"
      />
      <TextField
        label={text('silence.reason')}
        value={reason}
        autoFocus
        onChange={setReason}
        testId="silence-reason"
      />
    </FormDialog>
  )
}
