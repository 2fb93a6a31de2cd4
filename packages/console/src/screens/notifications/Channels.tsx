import { useMutation, useQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { ShortList } from '../../ui/ShortList.tsx'
import { targetOf } from './channel-config.ts'
import { EnabledSwitch } from './EnabledSwitch.tsx'
import { notificationsMessages } from './messages/text.ts'
import { channelsQuery } from './queries.ts'
import { useRowVerbs } from './use-row-verbs.ts'

type Channel = AnswerOf<'getChannel'>

export function Channels() {
  const text = useText(notificationsMessages)
  const mayWrite = useMay()('notification.write')
  const { data, error } = useQuery(channelsQuery)
  const { toggle, remove, failure } = useRowVerbs<Channel>({
    toggle: ({ id, version, enabled }) =>
      apiCall('changeChannel', {
        params: { channelId: id },
        body: { enabled: !enabled },
        ifMatch: `"${version}"`,
      }),
    remove: ({ id }) => apiCall('deleteChannel', { params: { channelId: id } }),
  })
  return (
    <ShortList<Channel>
      name="channels"
      rows={data?.items}
      error={error ?? failure}
      empty={text('channels.empty')}
      columns={[
        { key: 'name', label: text('name'), cell: ({ name }) => name },
        { key: 'kind', label: text('kind'), cell: ({ kind }) => text(`kind.${kind}`) },
        {
          key: 'target',
          label: text('target'),
          cell: ({ config }) => <code className="om-code">{targetOf(config)}</code>,
        },
        {
          key: 'enabled',
          label: text('enabled'),
          cell: (channel) => <EnabledSwitch row={channel} onChange={toggle} />,
        },
        {
          key: 'verbs',
          label: '',
          cell: (channel) =>
            mayWrite && (
              <span className="om-verbs">
                <TestButton channel={channel} />
                <ConfirmButton
                  verb={text('remove')}
                  question={text('remove.channel')}
                  testId={`remove-${channel.name}`}
                  onConfirm={() => remove(channel)}
                />
              </span>
            ),
        },
      ]}
    />
  )
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
