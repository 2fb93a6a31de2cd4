/** Own tokens: made with a name and an end, their text shown once. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import InputNumber from 'antd/es/input-number'
import { rolesWithin, type Role } from '@openmaas/api/permissions'
import type { Token } from '@openmaas/api/resources/token'
import { apiCall } from '../../api/queries.ts'
import { useMe } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { timeColumn } from '../../ui/columns.tsx'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { ChoicesField, TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { SecretOnce } from '../../ui/SecretOnce.tsx'
import { ShortList } from '../../ui/ShortList.tsx'
import { usersMessages } from '../users/messages/text.ts'
import { accountMessages } from './messages/text.ts'
import { myTokensQuery } from './routes.ts'

export function MyTokens() {
  const text = useText(accountMessages)
  const queryClient = useQueryClient()
  const { data, error } = useQuery(myTokensQuery)
  const [isAdding, setAdding] = useState(false)
  const revoke = useMutation({
    mutationFn: (tokenId: string) => apiCall('revokeMyToken', { params: { tokenId } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: myTokensQuery.queryKey }),
  })
  return (
    <section className="om-panel" data-testid="my-tokens">
      <h2>{text('tokens')}</h2>
      <p className="om-quiet">{text('tokens.why')}</p>
      <ShortList<Token>
        name="my-tokens"
        rows={data?.items}
        error={error ?? revoke.error}
        empty={text('tokens.empty')}
        columns={[
          { key: 'name', label: text('tokens.name'), cell: ({ name }) => name },
          timeColumn('expires', text('tokens.expires'), ({ expiresAt }) => expiresAt),
          timeColumn('used', text('tokens.used'), ({ lastUsedAt }) => lastUsedAt),
          {
            key: 'revoke',
            label: '',
            cell: ({ id, name, revokedAt }) =>
              revokedAt !== null ? (
                <span className="om-quiet">{text('tokens.revoked')}</span>
              ) : (
                <ConfirmButton
                  verb={text('tokens.revoke')}
                  question={text('tokens.revoke.confirm')}
                  testId={`revoke-${name}`}
                  onConfirm={() => revoke.mutate(id)}
                />
              ),
          },
        ]}
      />
      <Button onClick={() => setAdding(true)} style={{ marginTop: 12 }} data-testid="add-token">
        {text('tokens.add')}
      </Button>
      {isAdding && <NewToken onClose={() => setAdding(false)} />}
    </section>
  )
}

const DAYS_DEFAULT = 90
const DAYS_MAX = 365
const DAY_MS = 86_400_000

function NewToken({ onClose }: { readonly onClose: () => void }) {
  const text = useText(accountMessages)
  const roleText = useText(usersMessages)
  const queryClient = useQueryClient()
  const mine = useMe()?.roles ?? []
  const [name, setName] = useState('')
  const [days, setDays] = useState(DAYS_DEFAULT)
  const [roles, setRoles] = useState<readonly Role[]>([])
  const make = useMutation({
    mutationFn: () =>
      apiCall('createMyToken', {
        body: {
          name: name.trim(),
          expiresAt: new Date(Date.now() + days * DAY_MS).toISOString(),
          ...(roles.length > 0 && { roles: [...roles] }),
        },
      }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: myTokensQuery.queryKey }),
  })
  if (make.data !== undefined) {
    return (
      <SecretOnce
        title={text('tokens.secret', { name: make.data.token.name })}
        why={text('tokens.secret.why')}
        secret={make.data.secret}
        kept={text('tokens.secret.kept')}
        done={text('done')}
        onClose={onClose}
      />
    )
  }
  return (
    <FormDialog
      title={text('tokens.add')}
      ok={text('tokens.add')}
      isReady={name.trim() !== ''}
      isPending={make.isPending}
      error={make.error}
      onOk={() => make.mutate()}
      onClose={onClose}
    >
      <TextField
        label={text('tokens.name')}
        value={name}
        autoFocus
        onChange={setName}
        testId="token-name"
      />
      <label>
        {text('tokens.days')}
        <InputNumber
          min={1}
          max={DAYS_MAX}
          value={days}
          onChange={(value) => setDays(value ?? DAYS_DEFAULT)}
          data-testid="token-days"
        />
      </label>
      <ChoicesField
        label={text('tokens.roles')}
        placeholder={text('tokens.roles.all')}
        value={roles}

        options={rolesWithin(mine).map((value) => ({ value, label: roleText(`role.${value}`) }))}
        onChange={setRoles}
        testId="token-roles"
      />
    </FormDialog>
  )
}
