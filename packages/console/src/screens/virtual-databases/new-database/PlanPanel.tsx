/** The dry run: data, time, space, and whether a point is taken first. */
import { useEffect, useState } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import Skeleton from 'antd/es/skeleton'
import { useFormat } from '../../../format/use-format.ts'
import { useText } from '../../../i18n/text.ts'
import { ProblemView } from '../../../ui/ProblemView.tsx'
import { newDatabaseMessages } from './messages/text.ts'
import { type CreateBody, type DatabasePlan, planQuery } from './queries.ts'

/** While somebody types, nothing is planned. */
const SETTLED_AFTER_MS = 400

/** The value once it has stayed the same for a while. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value)
  const key = JSON.stringify(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLED_AFTER_MS)
    return () => clearTimeout(timer)
    // By what it says, not by which object it is.
  }, [key])
  return settled
}

export function PlanPanel({ body }: { readonly body: CreateBody | null }) {
  const text = useText(newDatabaseMessages)
  const settled = useSettled(body)
  const { data, error, isFetching } = useQuery({
    ...planQuery(settled ?? ({} as CreateBody)),
    enabled: settled !== null,
    // The button below must not move while somebody is about to press it.
    placeholderData: keepPreviousData,
  })
  return (
    <section data-testid="database-plan" aria-live="polite" aria-busy={isFetching}>
      <h2>{text('plan')}</h2>
      {settled === null && <p className="om-quiet">{text('plan.waiting')}</p>}
      {settled !== null && error !== null && <ProblemView error={error} />}
      {settled !== null && error === null && data === undefined && (
        <Skeleton active paragraph={{ rows: 3 }} />
      )}
      {settled !== null && error === null && data !== undefined && <Facts plan={data} />}
    </section>
  )
}

function Facts({ plan }: { readonly plan: DatabasePlan }) {
  const text = useText(newDatabaseMessages)
  const format = useFormat()
  const { dataAt, takesPointFirst, pointId, sizeBytes, expectedMs, usesBytes, warnings } = plan
  return (
    <>
      {warnings.map((warning) => (
        <p key={warning} className="om-state-warning">
          {warning}
        </p>
      ))}
      <dl className="om-facts" data-testid="plan-facts">
        {dataAt !== null && (
          <>
            <dt>{text('plan.dataAt')}</dt>
            <dd>{format.exact(dataAt)}</dd>
          </>
        )}
        <dt>{text('plan.point')}</dt>
        <dd>
          {takesPointFirst ? (
            <strong>{text('plan.pointFirst')}</strong>
          ) : (
            <code className="om-code">{pointId}</code>
          )}
        </dd>
        <dt>{text('plan.size')}</dt>
        <dd>{format.bytes(sizeBytes)}</dd>
        <dt>{text('plan.time')}</dt>
        <dd>{expectedMs === null ? text('plan.time.unknown') : format.duration(expectedMs)}</dd>
        <dt>{text('plan.uses')}</dt>
        <dd>{text('plan.uses.later', { size: format.bytes(usesBytes) })}</dd>
      </dl>
      <p className="om-quiet">
        {text(takesPointFirst ? 'plan.production.first' : 'plan.production')}
      </p>
    </>
  )
}
