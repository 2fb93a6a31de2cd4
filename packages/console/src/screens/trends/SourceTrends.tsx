/** How a source changed day by day, what was unusual about it, and how its promise was kept. */
import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import type { SourceTrend } from '@openmaas/api/resources/trend'
import { apiQuery } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { byteBars, shareLine } from './charts.ts'
import { trendsMessages } from './messages/text.ts'

export function SourceTrends({ sourceId }: { readonly sourceId: string }) {
  const text = useText(trendsMessages)
  const { data, error } = useQuery(apiQuery('getSourceTrend', { params: { sourceId } }))
  if (error !== null) return <ProblemView error={error} />
  if (data === undefined) return null
  return (
    <>
      <section className="om-panel" data-testid="change">
        <h2>{text('change')}</h2>
        {data.days.length === 0 ? <Empty message={text('none')} /> : <Change days={data.days} />}
      </section>
      {data.kept.length > 0 && <Kept kept={data.kept} />}
    </>
  )
}

function Change({ days }: Pick<SourceTrend, 'days'>) {
  const text = useText(trendsMessages)
  const format = useFormat()
  const unusual = days.filter(({ anomalies }) => anomalies.length > 0)
  const option = useMemo(() => {
    const marks = days.flatMap(({ at, anomalies }) => (anomalies.length > 0 ? [at] : []))
    return byteBars(
      [
        { name: text('read'), data: days.map(({ at, readBytes }) => [at, readBytes]) },
        { name: text('added'), data: days.map(({ at, addedBytes }) => [at, addedBytes]), marks },
      ],
      format.bytes,
    )
  }, [days, text, format])
  return (
    <>
      <Chart option={option} label={text('change.chart')} />
      {unusual.length > 0 && (
        <ul className="om-steps" data-testid="unusual">
          {unusual.map(({ at, anomalies }) => (
            <li key={at}>
              <span className="om-state-warning">{text('unusual')}</span>
              <time dateTime={at}>{at.slice(0, 'yyyy-mm-dd'.length)}</time>
              <span>{anomalies.map((signal) => text(`anomaly.${signal}`)).join('; ')}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Kept({ kept }: Pick<SourceTrend, 'kept'>) {
  const text = useText(trendsMessages)
  const format = useFormat()
  const option = useMemo(
    () =>
      shareLine(
        kept.map(({ at, share }) => [at, share]),
        format.share,
      ),
    [kept, format],
  )
  return (
    <section className="om-panel" data-testid="source-kept">
      <h2>{text('kept')}</h2>
      <Chart option={option} label={text('kept.source.chart')} />
    </section>
  )
}
