/** Which alerts go where: severity, labels, hours, language, channels. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Checkbox from 'antd/es/checkbox'
import Input from 'antd/es/input'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ChoiceField, ChoicesField, TextField } from '../../ui/fields.tsx'
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

/** What is typed, and the rule that it makes. */
function useRuleForm(rule: Rule | undefined) {
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
  return {
    name,
    setName,
    severities,
    setSeverities,
    chosen,
    setChosen,
    labels,
    setLabels,
    from,
    setFrom,
    to,
    setTo,
    digest,
    setDigest,
    language,
    setLanguage,
    timezone,
    body,
  }
}

export function RuleDialog({ rule, onClose }: Props) {
  const text = useText(notificationsMessages)
  const words = useText(uiMessages)
  const queryClient = useQueryClient()
  const { data: channels } = useQuery(channelsQuery)
  const form = useRuleForm(rule)
  const save = useMutation({
    mutationFn: async () => {
      if (rule === undefined) await apiCall('createNotificationRule', { body: form.body })
      else {
        const params = { ruleId: rule.id }
        await apiCall('changeNotificationRule', {
          params,
          body: form.body,
          ifMatch: `"${rule.version}"`,
        })
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
      isReady={form.name.trim() !== '' && form.chosen.length > 0}
      isPending={save.isPending}
      error={save.error}
      onOk={() => save.mutate()}
      onClose={onClose}
    >
      <TextField
        label={text('name')}
        value={form.name}
        autoFocus
        onChange={form.setName}
        testId="rule-name"
      />
      <ChoicesField
        label={text('severities')}
        placeholder={text('severities.all')}
        value={form.severities}

        options={SEVERITIES.map((value) => ({ value, label: words(`state.${value}`) }))}
        onChange={form.setSeverities}
        testId="rule-severities"
      />
      <ChoicesField
        label={text('channels')}
        value={form.chosen}

        options={channels?.items.map(({ id, name: label }) => ({ value: id, label })) ?? []}
        onChange={form.setChosen}
        testId="rule-channels"
      />
      <div>
        {text('labels')}
        <LabelsInput
          value={form.labels}
          onChange={form.setLabels}
          label={text('labels')}
          testId="rule-labels"
        />
      </div>
      <Hours form={form} />
    </FormDialog>
  )
}

function Hours({ form }: { readonly form: ReturnType<typeof useRuleForm> }) {
  const text = useText(notificationsMessages)
  return (
    <>
      <div>
        {text('window')} ({form.timezone})
        <span style={{ display: 'flex', gap: 8 }}>
          <Input
            type="time"
            value={form.from}
            aria-label={text('window.from')}
            onChange={(event) => form.setFrom(event.target.value)}
          />
          <Input
            type="time"
            value={form.to}
            aria-label={text('window.to')}
            onChange={(event) => form.setTo(event.target.value)}
          />
        </span>
      </div>
      <Checkbox checked={form.digest} onChange={(event) => form.setDigest(event.target.checked)}>
        {text('digest')}
      </Checkbox>
      <ChoiceField
        label={text('language')}
        value={form.language}

        options={LANGUAGES}
        onChange={form.setLanguage}
        testId="rule-language"
      />
    </>
  )
}
