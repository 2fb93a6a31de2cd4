/** Which alerts go where: severity, labels, hours, language, channels. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Checkbox from 'antd/es/checkbox'
import Input from 'antd/es/input'
import Select from 'antd/es/select'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { LabelsInput } from '../../ui/LabelsInput.tsx'
import { uiMessages } from '../../ui/messages/text.ts'
import { scopeLabels, toScope } from '../users/scope.ts'
import { notificationsMessages } from './messages/text.ts'
import { channelsQuery } from './queries.ts'
import type { Rule } from './Rules.tsx'

const SEVERITIES = ['critical', 'warning', 'info'] as const
type Severity = (typeof SEVERITIES)[number]
const LANGUAGES = [
  { value: 'en' as const, label: 'English' },
  { value: 'zh' as const, label: '中文' },
]

interface Props {
  /** Absent: a new one. */
  readonly rule?: Rule
  readonly onClose: () => void
}

export function RuleDialog({ rule, onClose }: Props) {
  const text = useText(notificationsMessages)
  const words = useText(uiMessages)
  const queryClient = useQueryClient()
  const { data: channels } = useQuery(channelsQuery)
  const [name, setName] = useState(rule?.name ?? '')
  const [severities, setSeverities] = useState<readonly Severity[]>(rule?.match.severities ?? [])
  const [chosen, setChosen] = useState<readonly string[]>(rule?.channels ?? [])
  const [labels, setLabels] = useState(scopeLabels(rule?.match.labels ?? null))
  const [from, setFrom] = useState(rule?.match.window?.from ?? '')
  const [to, setTo] = useState(rule?.match.window?.to ?? '')
  const [digest, setDigest] = useState(rule?.match.digest ?? false)
  const [language, setLanguage] = useState(rule?.match.language ?? 'en')
  const selector = toScope(labels)
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  const timezone = rule?.match.window?.timezone ?? timeZone
  const match = {
    digest,
    language,
    ...(severities.length > 0 && { severities: [...severities] }),
    ...(selector !== null && { labels: selector }),
    // What an older rule named stays, although this form does not ask for it.
    ...(rule?.match.rules !== undefined && { rules: rule.match.rules }),
    ...(from !== '' && to !== '' && { window: { from, to, timezone } }),
  }
  const body = { name: name.trim(), match, channels: [...chosen] }
  const save = useMutation({
    mutationFn: async () => {
      if (rule === undefined) await apiCall('createNotificationRule', { body })
      else {
        const params = { ruleId: rule.id }
        await apiCall('changeNotificationRule', { params, body, ifMatch: `"${rule.version}"` })
      }
    },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['alerts'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={rule === undefined ? text('rules.add') : text('rules.change')}
      ok={rule === undefined ? text('rules.add') : text('save')}
      isReady={name.trim() !== '' && chosen.length > 0}
      isPending={save.isPending}
      error={save.error}
      onOk={() => save.mutate()}
      onClose={onClose}
    >
      <label>
        {text('name')}
        <Input
          value={name}
          autoFocus
          onChange={(event) => setName(event.target.value)}
          data-testid="rule-name"
        />
      </label>
      <div>
        {text('severities')}
        <Select<readonly Severity[]>
          mode="multiple"
          aria-label={text('severities')}
          placeholder={text('severities.all')}
          value={severities}
          style={{ width: '100%' }}
          options={SEVERITIES.map((value) => ({ value, label: words(`state.${value}`) }))}
          onChange={setSeverities}
          data-testid="rule-severities"
        />
      </div>
      <div>
        {text('channels')}
        <Select<readonly string[]>
          mode="multiple"
          aria-label={text('channels')}
          value={chosen}
          style={{ width: '100%' }}
          options={channels?.items.map(({ id, name: label }) => ({ value: id, label })) ?? []}
          onChange={setChosen}
          data-testid="rule-channels"
        />
      </div>
      <div>
        {text('labels')}
        <LabelsInput
          value={labels}
          onChange={setLabels}
          label={text('labels')}
          testId="rule-labels"
        />
      </div>
      <div>
        {text('window')} ({timezone})
        <span style={{ display: 'flex', gap: 8 }}>
          <Input
            type="time"
            value={from}
            aria-label={text('window.from')}
            onChange={(event) => setFrom(event.target.value)}
          />
          <Input
            type="time"
            value={to}
            aria-label={text('window.to')}
            onChange={(event) => setTo(event.target.value)}
          />
        </span>
      </div>
      <Checkbox checked={digest} onChange={(event) => setDigest(event.target.checked)}>
        {text('digest')}
      </Checkbox>
      <div>
        {text('language')}
        <Select
          aria-label={text('language')}
          value={language}
          style={{ width: '100%' }}
          options={LANGUAGES}
          onChange={setLanguage}
          data-testid="rule-language"
        />
      </div>
    </FormDialog>
  )
}
