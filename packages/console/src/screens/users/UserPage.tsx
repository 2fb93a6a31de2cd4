/** One person: what they may, and how they are kept out or let in again. */
import { useState } from 'react'
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Descriptions from 'antd/es/descriptions'
import type { User } from '@openmaas/api/resources/user'
import { apiCall } from '../../api/queries.ts'
import { useMay, useMe } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Labels } from '../../ui/Labels.tsx'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { SecretOnce } from '../../ui/SecretOnce.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { usersMessages } from './messages/text.ts'
import { userQuery } from './queries.ts'
import { userRoute } from './routes.ts'
import { scopeLabels } from './scope.ts'
import { UserDialog } from './UserDialog.tsx'

export function UserPage() {
  const text = useText(usersMessages)
  const { userId } = userRoute.useParams()
  const { data: user } = useSuspenseQuery(userQuery(userId))
  return (
    <Page
      title={user.name}
      mark={<StateTag state={user.state} />}
      crumbs={[{ label: text('title'), to: '/users' }]}
      cli={`openmaas user show ${user.name}`}
      api={`GET /api/v1/users/${userId}`}
    >
      <section className="om-panel">
        <h2>{text('facts')}</h2>
        <Facts user={user} />
        <Verbs user={user} />
      </section>
    </Page>
  )
}

function Facts({ user }: { readonly user: User }) {
  const text = useText(usersMessages)
  const items = [
    { label: text('display'), children: user.displayName },
    { label: text('email'), children: user.email ?? '–' },
    {
      label: text('roles'),
      children: user.roles.map((role) => text(`role.${role}`)).join(', '),
    },
    {
      label: text('scope'),
      children:
        user.scope === null ? text('scope.all') : <Labels labels={scopeLabels(user.scope)} />,
    },
    { label: text('second'), children: text(user.secondFactor ? 'second.on' : 'second.off') },
    { label: text('lastLogin'), children: <Time at={user.lastLoginAt} /> },
    { label: text('created'), children: <Time at={user.createdAt} /> },
    ...(user.lockedUntil === null
      ? []
      : [{ label: text('locked'), children: <Time at={user.lockedUntil} /> }]),
  ]
  return (
    <>
      <Descriptions
        size="small"
        styles={{ label: { color: 'var(--om-quiet)' } }}
        column={{ xs: 1, md: 2 }}
        items={items.map((item) => ({ ...item, key: item.label }))}
      />
      {user.external && <p>{text('external')}</p>}
      {user.mustChangePassword && <p className="om-state-warning">{text('mustChange')}</p>}
    </>
  )
}

function useUserVerbs(user: User) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const params = { userId: user.id }
  const renew = () => queryClient.invalidateQueries({ queryKey: ['users'] })
  const change = useMutation({
    mutationFn: (verb: 'lock' | 'unlock' | 'active' | 'disabled') => {
      if (verb === 'lock') return apiCall('lockUser', { params })
      if (verb === 'unlock') return apiCall('unlockUser', { params })
      return apiCall('changeUser', { params, body: { state: verb }, ifMatch: `"${user.version}"` })
    },
    onSettled: renew,
  })
  const reset = useMutation({
    mutationFn: () => apiCall('resetPassword', { params }),
    onSettled: renew,
  })
  const remove = useMutation({
    mutationFn: () => apiCall('deleteUser', { params }),
    onSuccess: async () => {
      await navigate({ to: '/users' })
      await renew()
    },
  })
  return { change, reset, remove }
}

function Verbs({ user }: { readonly user: User }) {
  const text = useText(usersMessages)
  const may = useMay()
  const me = useMe()
  const [isChanging, setChanging] = useState(false)
  const { change, reset, remove } = useUserVerbs(user)
  const isLocked = user.lockedUntil !== null
  // Nobody locks themselves out by a slip.
  const isOther = me?.user?.id !== user.id
  const error = change.error ?? reset.error ?? remove.error
  const next = user.state === 'active' ? 'disabled' : 'active'
  return (
    <div className="om-filters" style={{ marginTop: 12 }}>
      {may('user.write') && (
        <Button size="small" onClick={() => setChanging(true)} data-testid="change-user">
          {text('change')}
        </Button>
      )}
      {may('user.write') && isOther && (
        <Button size="small" onClick={() => change.mutate(next)} data-testid="toggle-user">
          {text(next === 'active' ? 'enable' : 'disable')}
        </Button>
      )}
      {may('user.lock') && isOther && !isLocked && (
        <ConfirmButton
          verb={text('lock')}
          question={text('lock.confirm')}
          testId="lock-user"
          onConfirm={() => change.mutate('lock')}
        />
      )}
      {may('user.lock') && isLocked && (
        <Button size="small" onClick={() => change.mutate('unlock')} data-testid="unlock-user">
          {text('unlock')}
        </Button>
      )}
      {may('user.write') && isOther && !user.external && (
        <ConfirmButton
          verb={text('reset')}
          question={text('reset.confirm')}
          testId="reset-password"
          isLoading={reset.isPending}
          onConfirm={() => reset.mutate()}
        />
      )}
      {may('user.write') && isOther && (
        <ConfirmButton
          verb={text('remove')}
          question={text('remove.confirm')}
          testId="remove-user"
          onConfirm={() => remove.mutate()}
        />
      )}
      {error !== null && <ProblemView error={error} />}
      {isChanging && <UserDialog user={user} onClose={() => setChanging(false)} />}
      {reset.data !== undefined && (
        <SecretOnce
          title={text('secret.title', { name: user.name })}
          why={text('secret.why')}
          secret={reset.data.password}
          kept={text('secret.kept')}
          done={text('secret.done')}
          onClose={() => reset.reset()}
        />
      )}
    </div>
  )
}
