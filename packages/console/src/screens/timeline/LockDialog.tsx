/** Nobody deletes the point before then; a lock can be made longer, never shorter. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Input from 'antd/es/input'
import Modal from 'antd/es/modal'
import Segmented from 'antd/es/segmented'
import type { Point } from '@openmaas/api/resources/point'
import { apiCall } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { timelineMessages } from './messages/text.ts'

interface Props {
  readonly point: Point
  readonly onClose: () => void
}

const DAY_MS = 86_400_000
const DAYS = [7, 30, 90, 365] as const

export function LockDialog({ point, onClose }: Props) {
  const text = useText(timelineMessages)
  const format = useFormat()
  const queryClient = useQueryClient()
  const [days, setDays] = useState<(typeof DAYS)[number]>(30)
  const [reason, setReason] = useState('')
  const [openedAt] = useState(() => Date.now())
  const until = new Date(openedAt + days * DAY_MS).toISOString()
  const lock = useMutation({
    mutationFn: () =>
      apiCall('lockPoint', {
        params: { pointId: point.id },
        body: { until, ...(reason.trim() !== '' && { reason: reason.trim() }) },
      }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['points'] })
      onClose()
    },
  })
  return (
    <Modal
      open
      title={text('action.lock')}
      okText={text('action.lock')}
      cancelText={text('lock.cancel')}
      okButtonProps={{ loading: lock.isPending, 'data-testid': 'lock-ok' }}
      onOk={() => lock.mutate()}
      onCancel={onClose}
    >
      <div className="om-form">
        <Segmented<(typeof DAYS)[number]>
          block
          value={days}
          onChange={setDays}
          options={DAYS.map((count) => ({ value: count, label: text('lock.days', { count }) }))}
          data-testid="lock-days"
        />
        <p>{text('lock.until', { at: format.exact(until) })}</p>
        <label>
          {text('lock.reason')}
          <Input
            value={reason}
            onChange={(event) => setReason(event.target.value)}
            data-testid="lock-reason"
          />
        </label>
        {lock.isError && <ProblemView error={lock.error} />}
      </div>
    </Modal>
  )
}
