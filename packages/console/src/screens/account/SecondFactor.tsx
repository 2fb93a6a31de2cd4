/** TOTP is set up by a QR code that is drawn here: the key goes nowhere else. */
import { useState, type SyntheticEvent } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import QRCode from 'antd/es/qr-code'
import type { User } from '@openmaas/api/resources/user'
import { apiCall } from '../../api/queries.ts'
import { meQuery } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { SecretOnce } from '../../ui/SecretOnce.tsx'
import { accountMessages } from './messages/text.ts'

export function SecondFactor({ user }: { readonly user: User }) {
  const text = useText(accountMessages)
  const queryClient = useQueryClient()
  const begin = useMutation({ mutationFn: () => apiCall('beginSecondFactor') })
  const [codes, setCodes] = useState<readonly string[]>()
  const renew = () => queryClient.invalidateQueries({ queryKey: meQuery.queryKey })
  return (
    <section className="om-panel" data-testid="second-factor">
      <h2>{text('totp')}</h2>
      <p>{text(user.secondFactor ? 'totp.on' : 'totp.off')}</p>
      {user.secondFactor && <Removal onDone={renew} />}
      {!user.secondFactor && begin.data === undefined && (
        <Button
          type="primary"
          loading={begin.isPending}
          onClick={() => begin.mutate()}
          data-testid="totp-begin"
        >
          {text('totp.begin')}
        </Button>
      )}
      {begin.isError && <ProblemView error={begin.error} />}
      {!user.secondFactor && begin.data !== undefined && (
        <Confirmation {...begin.data} onDone={setCodes} />
      )}
      {codes !== undefined && (
        <SecretOnce
          title={text('totp.recovery')}
          why={text('totp.recovery.why')}
          secret={codes.join('\n')}
          kept={text('totp.recovery.kept')}
          done={text('done')}
          onClose={() => {
            setCodes(undefined)
            begin.reset()
            void renew()
          }}
        />
      )}
    </section>
  )
}

interface ConfirmationProps {
  readonly secret: string
  readonly uri: string
  readonly onDone: (recoveryCodes: readonly string[]) => void
}

function Confirmation({ secret, uri, onDone }: ConfirmationProps) {
  const text = useText(accountMessages)
  const [code, setCode] = useState('')
  const confirm = useMutation({
    mutationFn: () => apiCall('confirmSecondFactor', { body: { code: code.trim() } }),
    onSuccess: ({ recoveryCodes }) => onDone(recoveryCodes),
  })
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    confirm.mutate()
  }
  return (
    <form className="om-form" onSubmit={submit}>
      <p>{text('totp.scan')}</p>
      {/* Scanners want dark on light, whatever the theme. */}
      <div role="img" aria-label={text('totp.qr')} data-testid="totp-qr">
        <QRCode type="svg" value={uri} size={200} color="#000" bgColor="#fff" />
      </div>
      <div>
        {text('totp.key')}
        <div className="om-line">
          <code className="om-code" data-testid="totp-key">
            {secret}
          </code>
          <CopyButton value={secret} />
        </div>
      </div>
      <label>
        {text('totp.code')}
        <Input
          required
          value={code}
          inputMode="numeric"
          autoComplete="one-time-code"
          onChange={(event) => setCode(event.target.value)}
          data-testid="totp-code"
        />
      </label>
      {confirm.isError && <ProblemView error={confirm.error} />}
      <Button
        type="primary"
        htmlType="submit"
        loading={confirm.isPending}
        data-testid="totp-confirm"
      >
        {text('totp.confirm')}
      </Button>
    </form>
  )
}

function Removal({ onDone }: { readonly onDone: () => Promise<void> }) {
  const text = useText(accountMessages)
  const [password, setPassword] = useState('')
  const remove = useMutation({
    mutationFn: () => apiCall('removeSecondFactor', { body: { password } }),
    onSuccess: onDone,
  })
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    remove.mutate()
  }
  return (
    <form className="om-form" onSubmit={submit}>
      <label>
        {text('totp.remove.password')}
        <Input.Password
          required
          value={password}
          autoComplete="current-password"
          onChange={(event) => setPassword(event.target.value)}
          data-testid="totp-remove-password"
        />
      </label>
      {remove.isError && <ProblemView error={remove.error} />}
      <Button danger htmlType="submit" loading={remove.isPending} data-testid="totp-remove">
        {text('totp.remove')}
      </Button>
    </form>
  )
}
