import { useState, type SyntheticEvent } from 'react'
import { useMutation } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import { client } from '../../api/client.ts'
import type { Me } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { loginMessages } from './messages/text.ts'

interface Props {
  /** What was logged in with just now; absent after a reload: then it is asked for. */
  readonly given: { readonly name: string; readonly password: string } | undefined
  readonly onDone: (me: Me) => void
}

/** Changing the password ends every session, so we log in with the new one. */
export function NewPassword({ given, onDone }: Props) {
  const text = useText(loginMessages)
  const [current, setCurrent] = useState(given?.password ?? '')
  const [next, setNext] = useState('')
  const [again, setAgain] = useState('')
  const change = useMutation({
    mutationFn: async () => {
      const { body: before } = await client.call('getMe')
      await client.call('changePassword', { body: { current, next } })
      const name = given?.name ?? before.user?.name ?? ''
      return (await client.call('login', { body: { name, password: next } })).body
    },
    onSuccess: onDone,
  })
  const differs = again !== '' && again !== next
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    if (again === next) change.mutate()
  }
  const field = (
    label: string,
    value: string,
    more: { readonly set: (value: string) => void; readonly testid: string; readonly auto: string },
  ) => (
    <label>
      {label}
      <Input.Password
        value={value}
        onChange={(event) => more.set(event.target.value)}
        autoComplete={more.auto}
        required
        data-testid={more.testid}
      />
    </label>
  )
  const fresh = { auto: 'new-password' }
  return (
    <form onSubmit={submit} className="om-form">
      <p>{text('change.why')}</p>
      {given === undefined &&
        field(text('password'), current, {
          set: setCurrent,
          testid: 'password',
          auto: 'current-password',
        })}
      {field(text('change.next'), next, { ...fresh, set: setNext, testid: 'new-password' })}
      {field(text('change.again'), again, {
        ...fresh,
        set: setAgain,
        testid: 'new-password-again',
      })}
      {differs && <p className="om-state-failed">{text('change.differs')}</p>}
      {change.isError && <ProblemView error={change.error} />}
      <Button
        type="primary"
        htmlType="submit"
        block
        loading={change.isPending}
        data-testid="submit"
      >
        {text('change.submit')}
      </Button>
    </form>
  )
}
