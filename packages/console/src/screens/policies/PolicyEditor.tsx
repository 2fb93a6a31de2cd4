/**
 * The promise on the left, what would come of it on the right: next runs, a year simulated, and
 * what exists now that would go. Saving shows the impact once more.
 */
import { useDeferredValue, useState } from 'react'
import Button from 'antd/es/button'
import Collapse from 'antd/es/collapse'
import type { Policy } from '@openmaas/api/resources/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ExpertForm } from './ExpertForm.tsx'
import { IntentForm } from './IntentForm.tsx'
import { policiesMessages } from './messages/text.ts'
import { Outlook } from './Outlook.tsx'
import { type PolicyForm, specProblems, toPolicyBody } from './policy-form.ts'
import { SaveDialog } from './SaveDialog.tsx'
import { useSettled } from './use-settled.ts'
import './policies.css'

interface Props {
  /** Null: a new one. */
  readonly policy: Policy | null
  readonly start: PolicyForm
}

export interface FormProps {
  readonly form: PolicyForm
  readonly problems: ReadonlyMap<string, string>
  readonly onChange: (changed: Partial<PolicyForm>) => void
  readonly onSpec: (changed: Partial<PolicySpec>) => void
}

/** The server simulates a year; not for every key that is pressed. */
const SETTLED_AFTER_MS = 600

export function PolicyEditor({ policy, start }: Props) {
  const text = useText(policiesMessages)
  const may = useMay()
  const [form, setForm] = useState(start)
  const [isSaving, setSaving] = useState(false)
  const problems = specProblems(form.spec)
  const settled = useDeferredValue(useSettled(form, SETTLED_AFTER_MS))
  const parts: FormProps = {
    form,
    problems,
    onChange: (changed) => setForm((old) => ({ ...old, ...changed })),
    onSpec: (changed) => setForm((old) => ({ ...old, spec: { ...old.spec, ...changed } })),
  }
  const isReady = form.name.trim() !== '' && problems.size === 0
  const isChanged = policy === null || JSON.stringify(form) !== JSON.stringify(start)
  return (
    <div className="om-editor">
      <section className="om-panel" data-testid="policy-form">
        <fieldset disabled={!may('policy.write')} className="om-form om-fieldset">
          <IntentForm {...parts} />
          <Collapse
            ghost
            items={[{ key: 'expert', label: text('expert'), children: <ExpertForm {...parts} /> }]}
          />
        </fieldset>
        {may('policy.write') && (
          <div className="om-buttons">
            <Button
              type="primary"
              disabled={!isReady || !isChanged}
              onClick={() => setSaving(true)}
              data-testid="save-policy"
            >
              {text(policy === null ? 'create' : 'save')}
            </Button>
            {policy !== null && isChanged && (
              <Button onClick={() => setForm(start)} data-testid="revert-policy">
                {text('revert')}
              </Button>
            )}
          </div>
        )}
      </section>
      {specProblems(settled.spec).size === 0 ? (
        <Outlook wished={toWish(policy, settled)} />
      ) : (
        <p className="om-quiet">{text('outlook.wrong')}</p>
      )}
      {isSaving && (
        <SaveDialog
          policy={policy}
          form={form}
          wished={toWish(policy, form)}
          onClose={() => setSaving(false)}
        />
      )}
    </div>
  )
}

function toWish(policy: Policy | null, form: PolicyForm) {
  const { spec, selector = null } = toPolicyBody(form)
  return { spec, selector, ...(policy !== null && { policyId: policy.id }) }
}
