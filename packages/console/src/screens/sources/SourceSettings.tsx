/** How it is captured, and under which promise. Saved with the version that was read. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Checkbox from 'antd/es/checkbox'
import Input from 'antd/es/input'
import Select from 'antd/es/select'
import type { Source } from '@openmaas/api/resources/source'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { LabelsInput } from '../../ui/LabelsInput.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { sourcesMessages } from './messages/text.ts'
import { policyNamesQuery, poolNamesQuery } from './queries.ts'
import { isRate, rulesOf, toSettings, toSourceChange, type Settings } from './settings-form.ts'

export function SourceSettings({ source }: { readonly source: Source }) {
  const text = useText(sourcesMessages)
  const may = useMay()
  const queryClient = useQueryClient()
  const [form, setForm] = useState(() => toSettings(source))
  const save = useMutation({
    mutationFn: () =>
      apiCall('changeSource', {
        params: { sourceId: source.id },
        ifMatch: `"${source.version}"`,
        body: toSourceChange(form, source),
      }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['sources'] }),
  })
  const change = (changed: Partial<Settings>): void => setForm((old) => ({ ...old, ...changed }))
  const mayWrite = may('source.write')
  const isReady = form.name.trim() !== '' && isRate(form.rate)
  return (
    <section className="om-panel om-form om-form-narrow" data-testid="source-settings">
      <fieldset disabled={!mayWrite} className="om-form om-fieldset">
        <label>
          {text('name')}
          <Input
            value={form.name}
            onChange={(event) => change({ name: event.target.value })}
            data-testid="source-name"
          />
        </label>
        <div className="om-field">
          {text('labels')}
          <LabelsInput
            label={text('labels')}
            value={form.labels}
            onChange={(labels) => change({ labels })}
            testId="source-labels"
          />
        </div>
        <Promise form={form} onChange={change} />
        {source.kind === 'files' && <Rules form={form} onChange={change} />}
        <label>
          {text('settings.rate')}
          <Input
            value={form.rate}
            placeholder={text('settings.rate.none')}
            suffix="MiB/s"
            status={isRate(form.rate) ? '' : 'error'}
            onChange={(event) => change({ rate: event.target.value })}
            data-testid="source-rate"
          />
        </label>
      </fieldset>
      {save.isError && <ProblemView error={save.error} />}
      {save.isSuccess && <p role="status">{text('settings.saved')}</p>}
      {mayWrite && (
        <Button
          type="primary"
          disabled={!isReady}
          loading={save.isPending}
          onClick={() => save.mutate()}
          style={{ justifySelf: 'start' }}
          data-testid="save-source"
        >
          {text('save')}
        </Button>
      )}
    </section>
  )
}

interface PartProps {
  readonly form: Settings
  readonly onChange: (changed: Partial<Settings>) => void
}

function Promise({ form, onChange }: PartProps) {
  const text = useText(sourcesMessages)
  const may = useMay()
  const policies = useQuery({ ...policyNamesQuery, enabled: may('policy.read') })
  const pools = useQuery({ ...poolNamesQuery, enabled: may('pool.read') })
  return (
    <>
      <div className="om-field">
        {text('policy')}
        <Select
          aria-label={text('policy')}
          value={form.policyId ?? ''}
          disabled={!may('source.write')}
          style={{ width: '100%' }}
          options={[
            { value: '', label: text('policy.auto') },
            ...(policies.data?.items.map(({ id, name }) => ({ value: id, label: name })) ?? []),
          ]}
          onChange={(id) => onChange({ policyId: id === '' ? null : id })}
          data-testid="source-policy"
        />
      </div>
      <div className="om-field">
        {text('pool')}
        <Select
          aria-label={text('pool')}
          value={form.poolId ?? ''}
          disabled={!may('source.write')}
          style={{ width: '100%' }}
          options={[
            { value: '', label: text('pool.chosen') },
            ...(pools.data?.items.map(({ id, name }) => ({ value: id, label: name })) ?? []),
          ]}
          onChange={(id) => onChange({ poolId: id === '' ? null : id })}
          data-testid="source-pool"
        />
      </div>
    </>
  )
}

const RULE_ROWS = { minRows: 2, maxRows: 8 }

function Rules({ form, onChange }: PartProps) {
  const text = useText(sourcesMessages)
  return (
    <>
      <label>
        {text('settings.exclude')}
        <Input.TextArea
          value={form.exclude.join('\n')}
          autoSize={RULE_ROWS}
          placeholder={'*.tmp\n/var/cache/'}
          onChange={(event) => onChange({ exclude: rulesOf(event.target.value) })}
          data-testid="source-exclude"
        />
        <small className="om-quiet">{text('settings.rules')}</small>
      </label>
      <label>
        {text('settings.include')}
        <Input.TextArea
          value={form.include.join('\n')}
          autoSize={RULE_ROWS}
          onChange={(event) => onChange({ include: rulesOf(event.target.value) })}
          data-testid="source-include"
        />
      </label>
      <Checkbox
        checked={form.oneFileSystem}
        onChange={(event) => onChange({ oneFileSystem: event.target.checked })}
        data-testid="source-one-file-system"
      >
        {text('settings.oneFileSystem')}
      </Checkbox>
    </>
  )
}
