/** Somebody looks after it: one note for all alerts of a cause. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { Alert } from '@openmaas/api/resources/alert'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { alertsMessages } from './messages/text.ts'

interface Props {
  readonly alerts: readonly Alert[]
  readonly onClose: () => void
}

export function Acknowledge({ alerts, onClose }: Props) {
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
