/** A person is added or changed. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Input from 'antd/es/input'
import Select from 'antd/es/select'
import { ROLES, type Role } from '@openmaas/api/permissions'
import type { User } from '@openmaas/api/resources/user'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { FormDialog } from '../../ui/FormDialog.tsx'
import type { Labels } from '../../ui/label-text.ts'
import { LabelsInput } from '../../ui/LabelsInput.tsx'
import { SecretOnce } from '../../ui/SecretOnce.tsx'
import { usersMessages } from './messages/text.ts'
import { scopeLabels, toScope } from './scope.ts'

interface Props {
  /** Absent: a new one. */
  readonly user?: User
  readonly onClose: () => void
}

export function UserDialog({ user, onClose }: Props) {
  const text = useText(usersMessages)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [name, setName] = useState(user?.name ?? '')
  const [displayName, setDisplayName] = useState(user?.displayName ?? '')
  const [email, setEmail] = useState(user?.email ?? '')
  const [roles, setRoles] = useState<readonly Role[]>(user?.roles ?? ['operator'])
  const [scope, setScope] = useState<Labels>(scopeLabels(user?.scope ?? null))
  const fields = {
    ...(displayName.trim() !== '' && { displayName: displayName.trim() }),
    email: email.trim() === '' ? null : email.trim(),
    roles: [...roles],
    scope: toScope(scope),
  }
  const save = useMutation({
    mutationFn: async () => {
      if (user === undefined) {
        return apiCall('createUser', { body: { name: name.trim(), ...fields } })
      }
      const params = { userId: user.id }
      const changed = await apiCall('changeUser', {
        params,
        body: fields,
        ifMatch: `"${user.version}"`,
      })
      return { user: changed }
    },
    onSuccess: async (saved) => {
      await queryClient.invalidateQueries({ queryKey: ['users'] })
      if (!('password' in saved)) onClose()
    },
  })
  const made = save.data
  if (made !== undefined && 'password' in made && made.password !== undefined) {
    return (
      <SecretOnce
        title={text('secret.title', { name: made.user.name })}
        why={text('secret.why')}
        secret={made.password}
        kept={text('secret.kept')}
        done={text('secret.done')}
        onClose={() => void navigate({ to: '/users/$userId', params: { userId: made.user.id } })}
      />
    )
  }
  return (
    <FormDialog
      title={user === undefined ? text('add') : text('change')}
      ok={user === undefined ? text('add') : text('save')}
      isReady={name.trim() !== '' && roles.length > 0}
      isPending={save.isPending}
      error={save.error}
      onOk={() => save.mutate()}
      onClose={onClose}
    >
      {user === undefined && <p className="om-quiet">{text('add.why')}</p>}
      <label>
        {text('name')}
        <Input
          value={name}
          autoFocus={user === undefined}
          disabled={user !== undefined}
          autoComplete="off"
          onChange={(event) => setName(event.target.value)}
          data-testid="user-name"
        />
      </label>
      <label>
        {text('display')}
        <Input
          value={displayName}
          onChange={(event) => setDisplayName(event.target.value)}
          data-testid="user-display"
        />
      </label>
      <label>
        {text('email')}
        <Input
          value={email}
          type="email"
          onChange={(event) => setEmail(event.target.value)}
          data-testid="user-email"
        />
      </label>
      <div>
        {text('roles')}
        <Select<readonly Role[]>
          mode="multiple"
          aria-label={text('roles')}
          value={roles}
          style={{ width: '100%' }}
          options={ROLES.map((value) => ({ value, label: text(`role.${value}`) }))}
          onChange={setRoles}
          data-testid="user-roles"
        />
      </div>
      <div>
        {text('scope')}
        <LabelsInput value={scope} onChange={setScope} label={text('scope')} testId="user-scope" />
        <small className="om-quiet">{text('scope.hint')}</small>
      </div>
    </FormDialog>
  )
}
