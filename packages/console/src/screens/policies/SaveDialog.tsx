/** Before a promise is made or changed: whom it concerns, what goes at once, and why. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Input from 'antd/es/input'
import Modal from 'antd/es/modal'
import Skeleton from 'antd/es/skeleton'
import type { Policy } from '@openmaas/api/resources/policy'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { policiesMessages } from './messages/text.ts'
import { Impact, type Wished } from './Outlook.tsx'
import { isWeaker, type PolicyForm, toPolicyBody } from './policy-form.ts'
import { previewQuery, savePolicy } from './queries.ts'

interface Props {
  readonly policy: Policy | null
  readonly form: PolicyForm
  readonly wished: Wished
  readonly onClose: () => void
}

/** As the API wants it. */
const REASON_LENGTH_MIN = 3

export function SaveDialog({ policy, form, wished, onClose }: Props) {
  const text = useText(policiesMessages)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [reason, setReason] = useState('')
  const preview = useQuery({ ...previewQuery(wished), staleTime: 0 })
  const needsReason = policy !== null && isWeaker(policy, form)
  const save = useMutation({
    mutationFn: () => savePolicy(policy, toPolicyBody(form), reason.trim()),
    onSuccess: async ({ id }) => {
      onClose()
      await queryClient.invalidateQueries({ queryKey: ['policies'] })
      void queryClient.invalidateQueries({ queryKey: ['sources'] })
      void navigate({ to: '/policies/$policyId', params: { policyId: id } })
    },
  })
  const isReady = !needsReason || reason.trim().length >= REASON_LENGTH_MIN
  const title = text(policy === null ? 'create' : 'save')
  return (
    <Modal
      open
      title={title}
      okText={title}
      cancelText={text('cancel')}
      okButtonProps={{
        disabled: !isReady,
        loading: save.isPending,
        danger: needsReason,
        'data-testid': 'save-ok',
      }}
      onOk={() => save.mutate()}
      onCancel={onClose}
    >
      <div className="om-form" data-testid="save-dialog">
        {preview.isPending && <Skeleton active />}
        {preview.error !== null && <ProblemView error={preview.error} />}
        {preview.data !== undefined && <Impact preview={preview.data} />}
        {needsReason && (
          <label>
            {text('reason')}
            <Input
              value={reason}
              onChange={(event) => setReason(event.target.value)}
              data-testid="save-reason"
            />
          </label>
        )}
        {save.isError && <ProblemView error={save.error} />}
      </div>
    </Modal>
  )
}
