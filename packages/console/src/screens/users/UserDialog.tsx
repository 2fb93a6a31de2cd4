/** A person is added or changed. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { ROLES, type Role } from '@openmaas/api/permissions'
import type { User } from '@openmaas/api/resources/user'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ChoicesField, TextField } from '../../ui/fields.tsx'
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

/** What is typed, and saving it. */
function useUserForm({ user, onClose }: Props) {
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
  return {
    name,
    setName,
    displayName,
    setDisplayName,
    email,
    setEmail,
    roles,
    setRoles,
    scope,
    setScope,
    save,
  }
}

export function UserDialog({ user, onClose }: Props) {
  const text = useText(usersMessages)
  const navigate = useNavigate()
  const form = useUserForm({ ...(user !== undefined && { user }), onClose })
  const made = form.save.data
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
      isReady={form.name.trim() !== '' && form.roles.length > 0}
      isPending={form.save.isPending}
      error={form.save.error}
      onOk={() => form.save.mutate()}
      onClose={onClose}
    >
      {user === undefined && <p className="om-quiet">{text('add.why')}</p>}
      <TextField
        label={text('name')}
        value={form.name}
        autoFocus={user === undefined}
        disabled={user !== undefined}
        autoComplete="off"
        onChange={form.setName}
        testId="user-name"
      />
      <TextField
        label={text('display')}
        value={form.displayName}
        onChange={form.setDisplayName}
        testId="user-display"
      />
      <TextField
        label={text('email')}
        value={form.email}
        type="email"
        onChange={form.setEmail}
        testId="user-email"
      />
      <ChoicesField
        label={text('roles')}
        value={form.roles}

        options={ROLES.map((value) => ({ value, label: text(`role.${value}`) }))}
        onChange={form.setRoles}
        testId="user-roles"
      />
      <div>
        {text('scope')}
        <LabelsInput
          value={form.scope}
          onChange={form.setScope}
          label={text('scope')}
          testId="user-scope"
        />
        <small className="om-quiet">{text('scope.hint')}</small>
      </div>
    </FormDialog>
  )
}
