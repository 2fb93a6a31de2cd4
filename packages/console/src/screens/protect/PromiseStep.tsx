/** Under which promise: the policies as cards, and what the chosen one would keep. */
import { CheckCircleFilled } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Skeleton from 'antd/es/skeleton'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { PolicyPromise } from '../policies/PolicyPromise.tsx'
import { policyNamesQuery } from '../sources/queries.ts'
import { NO_POLICY } from './draft.ts'
import { protectMessages } from './messages/text.ts'
import type { StepProps } from './ProtectPage.tsx'
import { outlookQuery } from './queries.ts'

export function PromiseStep({ draft, onChange }: StepProps) {
  const text = useText(protectMessages)
  const may = useMay()
  const { data, error } = useQuery({ ...policyNamesQuery, enabled: may('policy.read') })
  const policies = data?.items.filter(({ enabled }) => enabled) ?? []
  const choose = (policyId: string): void => onChange({ policyId })
  return (
    <>
      <h2>{text('promise.title')}</h2>
      {error !== null && <ProblemView error={error} />}
      {data === undefined && error === null && may('policy.read') && <Skeleton active />}
      <div className="om-choices" role="radiogroup" aria-label={text('promise.title')}>
        {policies.map((policy) => (
          <button
            key={policy.id}
            type="button"
            role="radio"
            aria-checked={policy.id === draft.policyId}
            className="om-choice"
            onClick={() => choose(policy.id)}
            data-testid={`policy-${policy.name}`}
          >
            <strong>
              {policy.name} {policy.id === draft.policyId && <CheckCircleFilled aria-hidden />}
            </strong>
            <PolicyPromise spec={policy.spec} />
          </button>
        ))}
        <button
          type="button"
          role="radio"
          aria-checked={draft.policyId === NO_POLICY}
          className="om-choice"
          onClick={() => choose(NO_POLICY)}
          data-testid="policy-none"
        >
          <strong>
            {text('promise.none')}{' '}
            {draft.policyId === NO_POLICY && <CheckCircleFilled aria-hidden />}
          </strong>
          <small className="om-quiet">{text('promise.none.detail')}</small>
        </button>
      </div>
      <Outlook policy={policies.find(({ id }) => id === draft.policyId)} />
      {may('policy.write') && (
        <p>
          <Link to="/policies/new">{text('promise.custom')}</Link>
        </p>
      )}
    </>
  )
}

function Outlook({ policy }: { readonly policy: Parameters<typeof outlookQuery>[0] | undefined }) {
  const text = useText(protectMessages)
  const format = useFormat()
  const { data, error } = useQuery({
    ...outlookQuery(policy ?? ({} as never)),
    enabled: policy !== undefined,
  })
  if (policy === undefined) return null
  return (
    <div className="om-inset" aria-live="polite" data-testid="outlook">
      {error !== null && <ProblemView error={error} />}
      {data !== undefined && (
        <>
          <p>{text('promise.kept', { count: data.pointsKept })}</p>
          {data.nextRuns[0] !== undefined && (
            <p>{text('promise.next', { at: format.exact(data.nextRuns[0]) })}</p>
          )}
        </>
      )}
    </div>
  )
}
