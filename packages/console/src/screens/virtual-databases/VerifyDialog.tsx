/** Proves a recovery point of a database: it is started on a clone, and asked. */
import { useState } from 'react'
import { useNavigate } from '@tanstack/react-router'
import Input from 'antd/es/input'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { parseAssertions } from './assertions.ts'
import { databasesMessages } from './messages/text.ts'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly pointId: string
  readonly onClose: () => void
}

export function VerifyDialog({ pointId, onClose }: Props) {
  const text = useText(databasesMessages)
  const navigate = useNavigate()
  const [typed, setTyped] = useState('')
  const assertions = parseAssertions(typed)
  const verify = useVerb(
    () =>
      apiCall('verifyDatabasePoint', {
        params: { pointId },
        body: { assertions: assertions ?? [] },
      }),
    ({ jobId }) => void navigate({ to: '/jobs/$jobId', params: { jobId } }),
  )
  return (
    <FormDialog
      title={text('verify.title')}
      ok={text('verify.go')}
      isReady={assertions !== null}
      isPending={verify.isPending}
      error={verify.error}
      onOk={() => verify.mutate()}
      onClose={onClose}
    >
      <p>{text('verify.text')}</p>
      <label>
        {text('verify.assertions')}
        <Input.TextArea
          value={typed}
          rows={3}
          status={assertions === null ? 'error' : ''}
          placeholder={text('verify.assertions.example')}
          onChange={(event) => setTyped(event.target.value)}
          data-testid="verify-assertions"
        />
        {assertions === null && (
          <small className="om-state-warning">{text('verify.assertions.wrong')}</small>
        )}
      </label>
    </FormDialog>
  )
}
