/** What would come of it, from the server: runs, sources, what is kept, what would go. */
import { useMemo } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import Skeleton from 'antd/es/skeleton'
import type { AnswerOf, BodyFor } from '@openmaas/api/routes/routes'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { policiesMessages } from './messages/text.ts'
import { previewQuery, simulationQuery } from './queries.ts'

type Preview = AnswerOf<'previewPolicy'>
type Simulated = AnswerOf<'simulatePolicy'>
export type Wished = BodyFor<'previewPolicy'>

export function Outlook({ wished }: { readonly wished: Wished }) {
  const text = useText(policiesMessages)
  const preview = useQuery({ ...previewQuery(wished), placeholderData: keepPreviousData })
  const simulated = useQuery({
    ...simulationQuery(wished.spec),
    placeholderData: keepPreviousData,
  })
  return (
    <div aria-live="polite">
      <section className="om-panel" data-testid="preview" aria-busy={preview.isFetching}>
        <h2>{text('outlook')}</h2>
        {preview.isPending && <Skeleton active />}
        {preview.error !== null && <ProblemView error={preview.error} />}
        {preview.data !== undefined && preview.error === null && (
          <PreviewView preview={preview.data} />
        )}
      </section>
      <section className="om-panel" data-testid="simulation" aria-busy={simulated.isFetching}>
        <h2>{text('simulation')}</h2>
        {simulated.isPending && <Skeleton active />}
        {simulated.error !== null && <ProblemView error={simulated.error} />}
        {simulated.data !== undefined && simulated.error === null && (
          <SimulationView simulated={simulated.data} />
        )}
      </section>
    </div>
  )
}

function PreviewView({ preview }: { readonly preview: Preview }) {
  const text = useText(policiesMessages)
  const format = useFormat()
  return (
    <>
      <Impact preview={preview} />
      <dl className="om-facts">
        <dt>{text('kept')}</dt>
        <dd>
          {text('kept.points', { count: preview.pointsKept })}
          {preview.expectedBytes !== null &&
            ` · ${text('kept.bytes', { size: format.bytes(preview.expectedBytes) })}`}
        </dd>
        <dt>{text('nextRuns')}</dt>
        <dd>
          {preview.cronText !== null && <div>{preview.cronText}</div>}
          {preview.nextRuns.map((run) => (
            <div key={run}>{format.exact(run)}</div>
          ))}
        </dd>
      </dl>
    </>
  )
}

const SOURCES_SHOWN = 10

/** Whom it concerns, and what is lost at once: shown beside the form, and again before saving. */
export function Impact({ preview }: { readonly preview: Preview }) {
  const text = useText(policiesMessages)
  const { sources, sourceCount, expiringCount, warnings } = preview
  const names = sources.slice(0, SOURCES_SHOWN).map(({ name }) => name)
  const more = sourceCount - names.length
  return (
    <div data-testid="impact">
      <p>
        {text('impact.sources', { count: sourceCount })}
        {names.length > 0 && `: ${names.join(', ')}`}
        {more > 0 && ` ${text('impact.more', { count: more })}`}
      </p>
      <p className={expiringCount > 0 ? 'om-state-failed' : 'om-quiet'} data-testid="expiring">
        {expiringCount > 0
          ? text('impact.expiring', { count: expiringCount })
          : text('impact.nothing')}
      </p>
      {warnings.map(({ code, text: words }) => (
        <p key={code} className="om-state-warning">
          {words}
        </p>
      ))}
    </div>
  )
}

function SimulationView({ simulated }: { readonly simulated: Simulated }) {
  const text = useText(policiesMessages)
  const option = useMemo(
    () => ({
      grid: { left: 8, right: 16, top: 28, bottom: 4, containLabel: true },
      legend: { top: 0 },
      tooltip: { trigger: 'axis' },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', minInterval: 1 },
      series: [
        {
          name: text('simulation.kept'),
          type: 'line',
          step: 'end',
          areaStyle: { opacity: 0.2 },
          showSymbol: false,
          data: simulated.days.map(({ date, kept }) => [date, kept]),
        },
        {
          name: text('simulation.expired'),
          type: 'bar',
          data: simulated.days.map(({ date, expired }) => [date, expired]),
        },
      ],
    }),
    [simulated, text],
  )
  const { taken, kept, violations, warnings } = simulated
  return (
    <>
      <p>{text('simulation.sum', { taken, kept })}</p>
      {violations > 0 && (
        <p className="om-state-failed">{text('simulation.violations', { count: violations })}</p>
      )}
      {warnings.map((warning) => (
        <p key={warning.code} className="om-state-warning">
          {warning.text}
        </p>
      ))}
      <Chart option={option} label={text('simulation.label', { kept })} height={240} />
    </>
  )
}
