/** In plain words what will happen, whether it can, and the button that begins it. */
import { CheckCircleFilled, CloseCircleFilled, LoadingOutlined } from '@ant-design/icons'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Checkbox from 'antd/es/checkbox'
import Tabs from 'antd/es/tabs'
import { useState } from 'react'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { type Database, placeOf } from './database.ts'
import { toBody, toCommand, toYaml } from './draft.ts'
import { protectMessages } from './messages/text.ts'
import type { Draft } from './search.ts'
import { useChecks } from './use-checks.ts'
import { useWizardNames } from './use-wizard-names.ts'

interface Props {
  readonly draft: Draft
  readonly database: Database | undefined
}

export function ReviewStep({ draft, database }: Props) {
  const text = useText(protectMessages)
  const names = useWizardNames(draft)
  const checks = useChecks(draft, database)
  const path = database === undefined ? (draft.path ?? '') : placeOf(database)
  return (
    <>
      <h2>{text('review.plan')}</h2>
      <ul className="om-plan" data-testid="plan">
        <li>{text('review.what', { path, host: names.host, name: names.name })}</li>
        <li>
          {names.policy === null
            ? text('review.noPromise')
            : text('review.promise', { policy: names.policy })}
        </li>
        <li>
          {names.pool === null ? text('review.anyPool') : text('review.pool', { pool: names.pool })}
        </li>
        {draft.exclude !== undefined && <li>{text('review.exclude', { rules: draft.exclude })}</li>}
        {draft.rate !== undefined && <li>{text('review.rate', { rate: draft.rate })}</li>}
      </ul>
      <h2>{text('review.checks')}</h2>
      <ul className="om-steps" data-testid="checks">
        {checks.map(({ name, state, detail }) => (
          <li key={name} data-testid={`check-${name}`} data-state={state}>
            <CheckMark state={state} />
            <span>{text(`check.${name}`)}</span>
            <span className={state === 'bad' ? 'om-state-failed' : 'om-quiet'}>{detail}</span>
          </li>
        ))}
      </ul>
      <Tabs
        size="small"
        items={[
          {
            key: 'cli',
            label: text('review.cli'),
            children: <Code text={toCommand(draft, names, database)} />,
          },
          ...(database === undefined
            ? [{ key: 'yaml', label: 'YAML', children: <Code text={toYaml(draft, names)} /> }]
            : []),
        ]}
      />
      <Begin draft={draft} database={database} name={names.name} />
    </>
  )
}

function CheckMark({ state }: { readonly state: 'ok' | 'bad' | 'waiting' }) {
  if (state === 'ok') return <CheckCircleFilled className="om-state-ok" aria-label="OK" />
  if (state === 'waiting') return <LoadingOutlined aria-label="…" />
  return <CloseCircleFilled className="om-state-failed" aria-label="✗" />
}

function Code({ text: shown }: { readonly text: string }) {
  return (
    <div className="om-line">
      <pre className="om-code" tabIndex={0}>
        {shown}
      </pre>
      <CopyButton value={shown} />
    </div>
  )
}

function Begin({ draft, database, name }: Props & { readonly name: string }) {
  const text = useText(protectMessages)
  const may = useMay()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [runsNow, setRunsNow] = useState(may('source.protect'))
  const begin = useMutation({
    mutationFn: async () => {
      const source = await apiCall('createSource', { body: toBody(draft, name, database) })
      void queryClient.invalidateQueries({ queryKey: ['sources'] })
      void queryClient.invalidateQueries({ queryKey: ['discover'] })
      const params = { sourceId: source.id }
      if (!runsNow) return navigate({ to: '/sources/$sourceId', params })
      const { jobId } = await apiCall('protectSource', { params, body: {} })
      return navigate({ to: '/jobs/$jobId', params: { jobId } })
    },
  })
  return (
    <div className="om-form">
      {may('source.protect') && (
        <Checkbox
          checked={runsNow}
          onChange={(event) => setRunsNow(event.target.checked)}
          data-testid="run-now"
        >
          {text('review.runNow')}
        </Checkbox>
      )}
      {begin.isError && <ProblemView error={begin.error} />}
      <Button
        type="primary"
        size="large"
        loading={begin.isPending}
        onClick={() => begin.mutate()}
        style={{ justifySelf: 'start' }}
        data-testid="begin"
      >
        {text(runsNow ? 'review.begin' : 'review.save')}
      </Button>
    </div>
  )
}
