/** Everybody's tokens, for those who may revoke them. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Table from 'antd/es/table'
import type { Token } from '@openmaas/api/resources/token'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { ConfirmButton } from './ConfirmButton.tsx'
import { usersMessages } from './messages/text.ts'
import { tokensQuery } from './queries.ts'

export function Tokens() {
  const text = useText(usersMessages)
  const queryClient = useQueryClient()
  const { data, error, isPending } = useQuery(tokensQuery)
  const { data: users } = useQuery(apiQuery('listUsers', { query: { limit: 1000 } }))
  const revoke = useMutation({
    mutationFn: (tokenId: string) => apiCall('revokeToken', { params: { tokenId } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['users'] }),
  })
  return (
    <>
      {error !== null && <ProblemView error={error} />}
      {revoke.error !== null && <ProblemView error={revoke.error} />}
      <div data-testid="list-tokens">
        <Table<Token>
          size="small"
          rowKey="id"
          loading={isPending}
          dataSource={data?.items ?? []}
          pagination={false}
          scroll={{ x: 'max-content' }}
          locale={{ emptyText: <Empty message={text('tokens.empty')} /> }}
          columns={[
            { key: 'name', title: text('token.name'), dataIndex: 'name' },
            {
              key: 'user',
              title: text('token.user'),
              render: (_, { userId }) =>
                users?.items.find(({ id }) => id === userId)?.name ?? userId,
            },
            {
              key: 'roles',
              title: text('roles'),
              render: (_, { roles }) => roles.map((role) => text(`role.${role}`)).join(', '),
            },
            {
              key: 'expires',
              title: text('token.expires'),
              render: (_, { expiresAt }) => <Time at={expiresAt} />,
            },
            {
              key: 'used',
              title: text('token.used'),
              render: (_, { lastUsedAt }) => <Time at={lastUsedAt} />,
            },
            {
              key: 'revoke',
              title: '',
              render: (_, { id, revokedAt }) =>
                revokedAt === null ? (
                  <ConfirmButton
                    name="token.revoke"
                    confirm="token.revoke.confirm"
                    testId={`revoke-${id}`}
                    onConfirm={() => revoke.mutate(id)}
                  />
                ) : (
                  <span className="om-quiet">{text('token.revoked')}</span>
                ),
            },
          ]}
        />
      </div>
    </>
  )
}
