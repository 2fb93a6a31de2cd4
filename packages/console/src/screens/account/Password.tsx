import { useState, type SyntheticEvent } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import type { User } from '@openmaas/api/resources/user'
import { client, keepCsrfToken } from '../../api/client.ts'
import { apiCall } from '../../api/queries.ts'
import { meQuery } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { accountMessages } from './messages/text.ts'

/** A change ends every session, this one too: we log in again, or the login page asks. */
export function Password({ user }: { readonly user: User }) {
  const text = useText(accountMessages)
  const queryClient = useQueryClient()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [again, setAgain] = useState('')
  const change = useMutation({
    mutationFn: async () => {
      await apiCall('changePassword', { body: { current, next } })
      // A second factor wants its code: that is the login page's to ask.
      if (user.secondFactor) return null
      return (await client.call('login', { body: { name: user.name, password: next } })).body
    },
    onSuccess: (me) => {
      keepCsrfToken(me)
      queryClient.setQueryData(meQuery.queryKey, me)
      setCurrent('')
      setNext('')
      setAgain('')
      void queryClient.invalidateQueries({ queryKey: ['session', 'listMySessions'] })
    },
  })
  const differs = again !== '' && again !== next
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    if (again === next) change.mutate()
  }
  const fields = [
    { label: text('password.current'), value: current, set: setCurrent, id: 'current-password' },
    { label: text('password.next'), value: next, set: setNext, id: 'new-password' },
    { label: text('password.again'), value: again, set: setAgain, id: 'new-password-again' },
  ]
  return (
    <section className="om-panel">
      <h2>{text('password')}</h2>
      <form className="om-form" onSubmit={submit}>
        {fields.map(({ label, value, set, id }) => (
          <label key={id}>
            {label}
            <Input.Password
              required
              value={value}
              autoComplete={id === 'current-password' ? id : 'new-password'}
              onChange={(event) => set(event.target.value)}
              data-testid={id}
            />
          </label>
        ))}
        {differs && <p className="om-state-failed">{text('password.differs')}</p>}
        {change.isError && <ProblemView error={change.error} />}
        {change.isSuccess && (
          <p role="status" data-testid="password-changed">
            {text('password.changed')}
          </p>
        )}
        <small className="om-quiet">{text('password.why')}</small>
        <Button htmlType="submit" loading={change.isPending} data-testid="change-password">
          {text('password.change')}
        </Button>
      </form>
    </section>
  )
}
