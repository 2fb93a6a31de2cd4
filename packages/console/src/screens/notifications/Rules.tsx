import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Switch from 'antd/es/switch'
import Table from 'antd/es/table'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { uiMessages } from '../../ui/messages/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { notificationsMessages } from './messages/text.ts'
import { channelsQuery, rulesQuery } from './queries.ts'
import { RemoveButton } from './RemoveButton.tsx'
import { RuleDialog } from './RuleDialog.tsx'

export type Rule = AnswerOf<'getNotificationRule'>

export function Rules() {
  const text = useText(notificationsMessages)
  const words = useText(uiMessages)
  const mayWrite = useMay()('notification.write')
  const { data, failure, isPending, nameOf, toggle, remove } = useRules()
  const [changing, setChanging] = useState<Rule>()
  return (
    <div data-testid="list-rules">
      {failure !== null && <ProblemView error={failure} />}
      <Table<Rule>
        size="small"
        rowKey="id"
        loading={isPending}
        dataSource={data?.items ?? []}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty message={text('rules.empty')} /> }}
        columns={[
          { key: 'name', title: text('name'), dataIndex: 'name' },
          {
            key: 'severities',
            title: text('severities'),
            render: (_, { match }) =>
              match.severities?.map((one) => words(`state.${one}`)).join(', ') ??
              text('severities.all'),
          },
          {
            key: 'window',
            title: text('window'),
            render: (_, { match }) => hoursOf(match),
          },
          {
            key: 'channels',
            title: text('channels'),
            render: (_, rule) => rule.channels.map(nameOf).join(', '),
          },
          {
            key: 'enabled',
            title: text('enabled'),
            render: (_, rule) => (
              <Switch
                size="small"
                checked={rule.enabled}
                disabled={!mayWrite}
                aria-label={`${text('enabled')}: ${rule.name}`}
                onChange={() => toggle.mutate(rule)}
                data-testid={`enabled-${rule.name}`}
              />
            ),
          },
          {
            key: 'verbs',
            title: '',
            render: (_, rule) =>
              mayWrite && (
                <RuleVerbs
                  name={rule.name}
                  onChange={() => setChanging(rule)}
                  onRemove={() => remove.mutate(rule.id)}
                />
              ),
          },
        ]}
      />
      {changing !== undefined && (
        <RuleDialog rule={changing} onClose={() => setChanging(undefined)} />
      )}
    </div>
  )
}

function useRules() {
  const queryClient = useQueryClient()
  const { data, error, isPending } = useQuery(rulesQuery)
  const { data: channels } = useQuery(channelsQuery)
  const renew = () => queryClient.invalidateQueries({ queryKey: ['alerts'] })
  const toggle = useMutation({
    mutationFn: ({ id, version, enabled }: Rule) =>
      apiCall('changeNotificationRule', {
        params: { ruleId: id },
        body: { enabled: !enabled },
        ifMatch: `"${version}"`,
      }),
    onSettled: renew,
  })
  const remove = useMutation({
    mutationFn: (ruleId: string) => apiCall('deleteNotificationRule', { params: { ruleId } }),
    onSettled: renew,
  })
  const failure = error ?? toggle.error ?? remove.error
  const nameOf = (channelId: string): string =>
    channels?.items.find(({ id }) => id === channelId)?.name ?? channelId
  return { data, failure, isPending, nameOf, toggle, remove }
}

interface VerbsProps {
  readonly name: string
  readonly onChange: () => void
  readonly onRemove: () => void
}

function RuleVerbs({ name, onChange, onRemove }: VerbsProps) {
  const text = useText(notificationsMessages)
  return (
    <span style={{ display: 'flex', gap: 8 }}>
      <Button size="small" onClick={onChange} data-testid={`change-${name}`}>
        {text('change')}
      </Button>
      <RemoveButton noun="rule" testId={`remove-${name}`} onConfirm={onRemove} />
    </span>
  )
}

function hoursOf({ window }: Rule['match']): string {
  return window === undefined ? '–' : `${window.from} – ${window.to} ${window.timezone}`
}
