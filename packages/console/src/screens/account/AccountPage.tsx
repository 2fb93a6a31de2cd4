/** What people do about themselves. */
import { useState, type SyntheticEvent } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import Select from 'antd/es/select'
import type { User } from '@openmaas/api/resources/user'
import { apiCall } from '../../api/queries.ts'
import { meQuery, useMay, useMe } from '../../api/session.ts'
import { ThemeButton } from '../../app/ThemeButton.tsx'
import { setLanguage, type Language } from '../../i18n/i18n.ts'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { usersMessages } from '../users/messages/text.ts'
import { accountMessages } from './messages/text.ts'
import { MyTokens } from './MyTokens.tsx'
import { Password } from './Password.tsx'
import { SecondFactor } from './SecondFactor.tsx'
import { Sessions } from './Sessions.tsx'

export function AccountPage() {
  const text = useText(accountMessages)
  const may = useMay()
  const user = useMe()?.user ?? null
  return (
    <Page title={text('title')} cli="openmaas whoami" api="GET /api/v1/me">
      <div className="om-columns">
        {user !== null && <Profile user={user} />}
        {user?.external === true && <p>{text('external')}</p>}
        {user !== null && !user.external && <Password user={user} />}
        {user !== null && !user.external && <SecondFactor user={user} />}
        <Sessions />
      </div>
      {may('token.self') && <MyTokens />}
    </Page>
  )
}

function Profile({ user }: { readonly user: User }) {
  const text = useText(accountMessages)
  const roleText = useText(usersMessages)
  const queryClient = useQueryClient()
  const [displayName, setDisplayName] = useState(user.displayName)
  const [email, setEmail] = useState(user.email ?? '')
  const save = useMutation({
    mutationFn: () =>
      apiCall('changeMe', {
        body: {
          ...(displayName.trim() !== '' && { displayName: displayName.trim() }),
          email: email.trim() === '' ? null : email.trim(),
        },
      }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: meQuery.queryKey }),
  })
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <section className="om-panel">
      <h2>{text('profile')}</h2>
      <p>
        <strong>{user.name}</strong>{' '}
        <span className="om-quiet">
          {user.roles.map((role) => roleText(`role.${role}`)).join(', ')}
        </span>
      </p>
      <form className="om-form" onSubmit={submit}>
        <label>
          {text('display')}
          <Input
            value={displayName}
            onChange={(event) => setDisplayName(event.target.value)}
            data-testid="display"
          />
        </label>
        <label>
          {text('email')}
          <Input
            type="email"
            value={email}
            onChange={(event) => setEmail(event.target.value)}
            data-testid="email"
          />
        </label>
        {save.isError && <ProblemView error={save.error} />}
        {save.isSuccess && <p role="status">{text('saved')}</p>}
        <Button htmlType="submit" loading={save.isPending} data-testid="save-profile">
          {text('save')}
        </Button>
      </form>
      <LanguageAndTheme />
    </section>
  )
}

function LanguageAndTheme() {
  const text = useText(accountMessages)
  const language = useLanguage()
  return (
    <div
      style={{ display: 'flex', flexWrap: 'wrap', gap: 12, alignItems: 'center', marginTop: 16 }}
    >
      {text('language')}
      <Select<Language>
        aria-label={text('language')}
        value={language}
        style={{ width: 130 }}
        options={[
          { value: 'en', label: 'English' },
          { value: 'zh-CN', label: '中文' },
        ]}
        onChange={setLanguage}
        data-testid="account-language"
      />
      {text('theme')} <ThemeButton />
    </div>
  )
}
