/** The dry run: data, time, space, and whether a point is taken first. */
import { type ReactNode, useEffect, useState } from 'react'
import { keepPreviousData, skipToken, useQuery } from '@tanstack/react-query'
import Skeleton from 'antd/es/skeleton'
import { useFormat } from '../../../format/use-format.ts'
import { useText } from '../../../i18n/text.ts'
import { ProblemView } from '../../../ui/ProblemView.tsx'
import { newDatabaseMessages } from './messages/text.ts'
import type { DatabasePlan } from './queries.ts'

/** While somebody types, nothing is planned. */
const SETTLED_AFTER_MS = 400
const NONE: ReadonlySet<string> = new Set()

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

interface Props<Body> {
  /** Null while something is missing. */
  readonly body: Body | null
  readonly ask: (body: Body, signal: AbortSignal) => Promise<DatabasePlan>
  /** Warnings that the page says itself, in the reader's language. */
  readonly said?: ReadonlySet<string>
  /** What it means for production. */
  readonly onProduction: (plan: DatabasePlan) => ReactNode
}

export function PlanPanel<Body>({ body, ask, said = NONE, onProduction }: Props<Body>) {
  const text = useText(newDatabaseMessages)
  const settled = useSettled(body)
  const { data, error, isFetching } = useQuery({
    queryKey: ['virtual-databases', 'plan', settled] as const,
    queryFn: settled === null ? skipToken : ({ signal }) => ask(settled, signal),
    retry: false,
    staleTime: 0,
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
      {settled !== null && error === null && data !== undefined && (
        <>
          <Facts plan={data} said={said} />
          {onProduction(data)}
        </>
      )}
    </section>
  )
}

interface FactsProps {
  readonly plan: DatabasePlan
  readonly said: ReadonlySet<string>
}

function Facts({ plan, said }: FactsProps) {
  const text = useText(newDatabaseMessages)
  const format = useFormat()
  const { dataAt, takesPointFirst, pointId, sizeBytes, expectedMs, usesBytes } = plan
  const warnings = plan.warnings.filter((warning) => !said.has(warning))
  return (
    <>
      {warnings.map((warning) => (
        <p key={warning} className="om-state-warning" lang="en">
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
    </>
  )
}
