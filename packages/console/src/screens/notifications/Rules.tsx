import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { uiMessages } from '../../ui/messages/text.ts'
import { ShortList } from '../../ui/ShortList.tsx'
import { EnabledSwitch } from './EnabledSwitch.tsx'
import { notificationsMessages } from './messages/text.ts'
import { rulesQuery } from './queries.ts'
import { RuleDialog } from './RuleDialog.tsx'
import { useChannelName } from './use-channel-name.ts'
import { useRowVerbs } from './use-row-verbs.ts'

export type Rule = AnswerOf<'getNotificationRule'>

export function Rules() {
  const text = useText(notificationsMessages)
  const words = useText(uiMessages)
  const mayWrite = useMay()('notification.write')
  const { data, error } = useQuery(rulesQuery)
  const channelName = useChannelName()
  const [changing, setChanging] = useState<Rule>()
  const { toggle, remove, failure } = useRowVerbs<Rule>({
    toggle: ({ id, version, enabled }) =>
      apiCall('changeNotificationRule', {
        params: { ruleId: id },
        body: { enabled: !enabled },
        ifMatch: `"${version}"`,
      }),
    remove: ({ id }) => apiCall('deleteNotificationRule', { params: { ruleId: id } }),
  })
  const severitiesOf = ({ match }: Rule): string =>
    match.severities?.map((one) => words(`state.${one}`)).join(', ') ?? text('severities.all')
  return (
    <>
      <ShortList<Rule>
        name="rules"
        rows={data?.items}
        error={error ?? failure}
        empty={text('rules.empty')}
        columns={[
          { key: 'name', label: text('name'), cell: ({ name }) => name },
          { key: 'severities', label: text('severities'), cell: severitiesOf },
          { key: 'window', label: text('window'), cell: ({ match }) => hoursOf(match) },
          {
            key: 'channels',
            label: text('channels'),
            cell: ({ channels }) => channels.map(channelName).join(', '),
          },
          {
            key: 'enabled',
            label: text('enabled'),
            cell: (rule) => <EnabledSwitch row={rule} onChange={toggle} />,
          },
          {
            key: 'verbs',
            label: '',
            cell: (rule) =>
              mayWrite && (
                <Verbs rule={rule} onChange={setChanging} onRemove={() => remove(rule)} />
              ),
          },
        ]}
      />
      {changing !== undefined && (
        <RuleDialog rule={changing} onClose={() => setChanging(undefined)} />
      )}
    </>
  )
}

interface VerbsProps {
  readonly rule: Rule
  readonly onChange: (rule: Rule) => void
  readonly onRemove: () => void
}

function Verbs({ rule, onChange, onRemove }: VerbsProps) {
  const text = useText(notificationsMessages)
  return (
    <span className="om-verbs">
      <Button size="small" onClick={() => onChange(rule)} data-testid={`change-${rule.name}`}>
        {text('change')}
      </Button>
      <ConfirmButton
        verb={text('remove')}
        question={text('remove.rule')}
        testId={`remove-${rule.name}`}
        onConfirm={onRemove}
      />
    </span>
  )
}

function hoursOf({ window }: Rule['match']): string {
  return window === undefined ? '–' : `${window.from} – ${window.to} ${window.timezone}`
}
