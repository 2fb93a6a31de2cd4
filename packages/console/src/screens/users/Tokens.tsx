/** Everybody's tokens: whose, until when, and the verb that ends one at once. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Token } from '@openmaas/api/resources/token'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { timeColumn } from '../../ui/columns.tsx'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { ShortList } from '../../ui/ShortList.tsx'
import { usersMessages } from './messages/text.ts'
import { tokensQuery } from './queries.ts'

export function Tokens() {
  const text = useText(usersMessages)
  const queryClient = useQueryClient()
  const { data, error } = useQuery(tokensQuery)
  const { data: users } = useQuery(apiQuery('listUsers', { query: { limit: 1000 } }))
  const revoke = useMutation({
    mutationFn: (tokenId: string) => apiCall('revokeToken', { params: { tokenId } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['users'] }),
  })
  const ownerOf = ({ userId }: Token): string =>
    users?.items.find(({ id }) => id === userId)?.name ?? userId
  return (
    <ShortList<Token>
      name="tokens"
      rows={data?.items}
      error={error ?? revoke.error}
      empty={text('tokens.empty')}
      columns={[
        { key: 'name', label: text('token.name'), cell: ({ name }) => name },
        { key: 'user', label: text('token.user'), cell: ownerOf },
        {
          key: 'roles',
          label: text('roles'),
          cell: ({ roles }) => roles.map((role) => text(`role.${role}`)).join(', '),
        },
        timeColumn('expires', text('token.expires'), ({ expiresAt }) => expiresAt),
        timeColumn('used', text('token.used'), ({ lastUsedAt }) => lastUsedAt),
        {
          key: 'revoke',
          label: '',
          cell: ({ id, revokedAt }) =>
            revokedAt === null ? (
              <ConfirmButton
                verb={text('token.revoke')}
                question={text('token.revoke.confirm')}
                testId={`revoke-${id}`}
                onConfirm={() => revoke.mutate(id)}
              />
            ) : (
              <span className="om-quiet">{text('token.revoked')}</span>
            ),
        },
      ]}
    />
  )
}
