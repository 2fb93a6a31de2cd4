/** From nothing to the first recovery point in four steps, each with a sane default. */
import { useState } from 'react'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Steps from 'antd/es/steps'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import type { Database } from './database.ts'
import { isComplete, reachableStep, toCommand } from './draft.ts'
import { protectMessages } from './messages/text.ts'
import { PromiseStep } from './PromiseStep.tsx'
import { ReviewStep } from './ReviewStep.tsx'
import { protectRoute } from './routes.ts'
import { type Draft, type Step, STEPS } from './search.ts'
import { useWizardNames } from './use-wizard-names.ts'
import { WhatStep } from './WhatStep.tsx'
import { WhereStep } from './WhereStep.tsx'
import './protect.css'

export interface StepProps {
  readonly draft: Draft
  readonly onChange: (changed: Draft) => void
}

export interface DatabaseProps {
  /** Of a database, how it is reached. */
  readonly database: Database | undefined
  readonly onDatabase: (database: Database | undefined) => void
}

export function ProtectPage() {
  const text = useText(protectMessages)
  const draft = protectRoute.useSearch()
  const navigate = useNavigate({ from: '/protect' })
  const [database, setDatabase] = useState<Database>()
  const step = reachableStep(draft.step ?? 'what', draft, database)
  const names = useWizardNames(draft)
  const change = (changed: Draft): void =>
    void navigate({
      search: (old) => ({ ...old, ...changed }),
      // Steps are gone back through; what is chosen within one is not.
      replace: changed.step === undefined,
      resetScroll: changed.step !== undefined,
    })
  const go = (to: Step): void => change({ step: to })
  return (
    <Page
      title={text('title')}
      crumbs={[{ label: text('sources'), to: '/sources' }]}
      cli={toCommand(draft, names, database)}
      api="POST /api/v1/sources"
    >
      <Steps
        className="om-wizard-steps"
        size="small"
        current={STEPS.indexOf(step)}
        onChange={(index) => go(STEPS[index]!)}
        items={STEPS.map((name) => ({
          title: text(`step.${name}`),
          disabled: reachableStep(name, draft, database) !== name,
        }))}
      />
      <section className="om-panel" data-testid={`step-${step}`}>
        {step === 'what' && (
          <WhatStep draft={draft} onChange={change} database={database} onDatabase={setDatabase} />
        )}
        {step === 'promise' && <PromiseStep draft={draft} onChange={change} />}
        {step === 'where' && <WhereStep draft={draft} onChange={change} />}
        {step === 'review' && <ReviewStep draft={draft} database={database} />}
      </section>
      <WizardFoot step={step} draft={draft} database={database} onGo={go} />
    </Page>
  )
}

interface FootProps {
  readonly step: Step
  readonly draft: Draft
  readonly database: Database | undefined
  readonly onGo: (step: Step) => void
}

function WizardFoot({ step, draft, database, onGo }: FootProps) {
  const text = useText(protectMessages)
  const position = STEPS.indexOf(step)
  const before = STEPS[position - 1]
  const after = STEPS[position + 1]
  const canSkip = after !== undefined && after !== 'review' && isComplete('review', draft, database)
  return (
    <div className="om-wizard-foot">
      {before !== undefined && (
        <Button onClick={() => onGo(before)} data-testid="back">
          {text('back')}
        </Button>
      )}
      <span className="om-space" />
      {canSkip && (
        <Button onClick={() => onGo('review')} data-testid="skip">
          {text('skip')}
        </Button>
      )}
      {after !== undefined && (
        <Button
          type="primary"
          disabled={!isComplete(step, draft, database)}
          onClick={() => onGo(after)}
          data-testid="next"
        >
          {text('next')}
        </Button>
      )}
    </div>
  )
}
