/** Login by password and second factor, or at an identity provider; then, once, a new password. */
import { useState, type SyntheticEvent } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import { ApiError } from '@openmaas/api/client'
import { client, keepCsrfToken } from '../../api/client.ts'
import { apiQuery } from '../../api/queries.ts'
import { meQuery, useMe, type Me } from '../../api/session.ts'
import { ThemeButton } from '../../app/ThemeButton.tsx'
import { setLanguage } from '../../i18n/i18n.ts'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { loginMessages } from './messages/text.ts'
import { NewPassword } from './NewPassword.tsx'
import { loginRoute } from './routes.ts'

export function LoginPage() {
  const text = useText(loginMessages)
  const { to = '/' } = loginRoute.useSearch()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const me = useMe()
  // What was typed is needed once more where the password has to be changed.
  const [given, setGiven] = useState<{ readonly name: string; readonly password: string }>()
  const enter = (entered: Me): void => {
    keepCsrfToken(entered)
    queryClient.setQueryData(meQuery.queryKey, entered)
    if (!entered.mustChangePassword) void navigate({ to, replace: true })
  }
  const isChanging = me?.mustChangePassword === true
  return (
    <main className="om-login">
      <div className="om-panel">
        <h1 data-testid="title">{isChanging ? text('change.title') : text('title')}</h1>
        <p className="om-quiet">{text('server', { host: location.host })}</p>
        {isChanging ? (
          <NewPassword given={given} onDone={enter} />
        ) : (
          <PasswordForm onEntered={enter} onGiven={setGiven} to={to} />
        )}
      </div>
      <LoginFoot />
    </main>
  )
}

interface FormProps {
  readonly onEntered: (me: Me) => void
  readonly onGiven: (given: { readonly name: string; readonly password: string }) => void
  readonly to: string
}

function PasswordForm({ onEntered, onGiven, to }: FormProps) {
  const text = useText(loginMessages)
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const login = useMutation({
    mutationFn: async () => {
      const body = { name, password, ...(code !== '' && { code: code.trim() }) }
      return (await client.call('login', { body })).body
    },
    onSuccess: (entered) => {
      onGiven({ name, password })
      onEntered(entered)
    },
  })
  const needsCode = login.error instanceof ApiError && login.error.code === 'SECOND_FACTOR_REQUIRED'
  const [askedForCode, setAskedForCode] = useState(false)
  if (needsCode && !askedForCode) setAskedForCode(true)
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    login.mutate()
  }
  return (
    <form onSubmit={submit} className="om-form">
      <label>
        {text('name')}
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoComplete="username"
          autoFocus
          required
          data-testid="name"
        />
      </label>
      <label>
        {text('password')}
        <Input.Password
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          autoComplete="current-password"
          required
          data-testid="password"
        />
      </label>
      {askedForCode && (
        <label>
          {text('code')}
          <Input
            value={code}
            onChange={(event) => setCode(event.target.value)}
            autoComplete="one-time-code"
            autoFocus
            data-testid="code"
          />
          <span className="om-quiet">{text('code.hint')}</span>
        </label>
      )}
      {login.isError && !needsCode && <ProblemView error={login.error} />}
      <Button type="primary" htmlType="submit" block loading={login.isPending} data-testid="submit">
        {text('submit')}
      </Button>
      <Providers to={to} />
    </form>
  )
}

function Providers({ to }: { readonly to: string }) {
  const text = useText(loginMessages)
  const { data: methods } = useQuery(apiQuery('getLoginMethods'))
  return methods?.oidc.map(({ name, startUrl }) => (
    <Button
      key={name}
      block
      href={`${startUrl}?to=${encodeURIComponent(to)}`}
      data-testid={`oidc-${name}`}
    >
      {text('oidc', { provider: name })}
    </Button>
  ))
}

function LoginFoot() {
  const language = useLanguage()
  return (
    <div className="om-login-foot">
      <Button
        type="text"
        onClick={() => setLanguage(language === 'en' ? 'zh-CN' : 'en')}
        data-testid="language"
      >
        {language === 'en' ? '中文' : 'English'}
      </Button>
      <ThemeButton />
    </div>
  )
}
