import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Switch from 'antd/es/switch'
import Table from 'antd/es/table'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { targetOf } from './channel-config.ts'
import { notificationsMessages } from './messages/text.ts'
import { channelsQuery } from './queries.ts'
import { RemoveButton } from './RemoveButton.tsx'

type Channel = AnswerOf<'getChannel'>

export function Channels() {
  const text = useText(notificationsMessages)
  const may = useMay()
  const { data, failure, isPending, toggle, remove } = useChannels()
  const mayWrite = may('notification.write')
  return (
    <div data-testid="list-channels">
      {failure !== null && <ProblemView error={failure} />}
      <Table<Channel>
        size="small"
        rowKey="id"
        loading={isPending}
        dataSource={data?.items ?? []}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty message={text('channels.empty')} /> }}
        columns={[
          { key: 'name', title: text('name'), dataIndex: 'name' },
          { key: 'kind', title: text('kind'), render: (_, { kind }) => text(`kind.${kind}`) },
          {
            key: 'target',
            title: text('target'),
            render: (_, { config }) => <code className="om-code">{targetOf(config)}</code>,
          },
          {
            key: 'enabled',
            title: text('enabled'),
            render: (_, channel) => (
              <Switch
                size="small"
                checked={channel.enabled}
                disabled={!mayWrite}
                aria-label={`${text('enabled')}: ${channel.name}`}
                onChange={() => toggle.mutate(channel)}
                data-testid={`enabled-${channel.name}`}
              />
            ),
          },
          {
            key: 'verbs',
            title: '',
            render: (_, channel) =>
              mayWrite && (
                <span style={{ display: 'flex', gap: 8, alignItems: 'center' }}>
                  <TestButton channel={channel} />
                  <RemoveButton
                    noun="channel"
                    testId={`remove-${channel.name}`}
                    onConfirm={() => remove.mutate(channel.id)}
                  />
                </span>
              ),
          },
        ]}
      />
    </div>
  )
}

function useChannels() {
  const queryClient = useQueryClient()
  const { data, error, isPending } = useQuery(channelsQuery)
  const renew = () => queryClient.invalidateQueries({ queryKey: ['alerts'] })
  const toggle = useMutation({
    mutationFn: ({ id, version, enabled }: Channel) =>
      apiCall('changeChannel', {
        params: { channelId: id },
        body: { enabled: !enabled },
        ifMatch: `"${version}"`,
      }),
    onSettled: renew,
  })
  const remove = useMutation({
    mutationFn: (channelId: string) => apiCall('deleteChannel', { params: { channelId } }),
    onSettled: renew,
  })
  const failure = error ?? toggle.error ?? remove.error
  return { data, failure, isPending, toggle, remove }
}

/** Sends one message now; the answer stands beside the button. */
function TestButton({ channel }: { readonly channel: Channel }) {
  const text = useText(notificationsMessages)
  const test = useMutation({
    mutationFn: () => apiCall('testChannel', { params: { channelId: channel.id } }),
  })
  const result = test.data
  const error = result?.error ?? (test.isError ? test.error.message : null)
  return (
    <>
      <Button
        size="small"
        loading={test.isPending}
        onClick={() => test.mutate()}
        data-testid={`test-${channel.name}`}
      >
        {text('test')}
      </Button>
      <span role="status" data-testid={`tested-${channel.name}`}>
        {result?.delivered === true && <span className="om-state-ok">{text('test.ok')}</span>}
        {error !== null && (
          <span className="om-state-failed">{text('test.failed', { error })}</span>
        )}
      </span>
    </>
  )
}
