import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import type { Pool } from '@openmaas/api/resources/pool'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { lineAhead, type PoolForecast } from './capacity.ts'
import { poolsMessages } from './messages/text.ts'
import { forecastQuery } from './queries.ts'

const SAMPLE_COUNT_MIN = 2

/** How it grew, where that leads, and how sure that is. */
export function Growth({ pool }: { readonly pool: Pool }) {
  const text = useText(poolsMessages)
  const { data, error } = useQuery(forecastQuery)
  const forecast = data?.pools.find(({ poolId }) => poolId === pool.id)
  return (
    <section className="om-panel" data-testid="growth">
      <h2>{text('growth')}</h2>
      {error !== null && <ProblemView error={error} />}
      <Outlook forecast={forecast} />
      {forecast !== undefined && forecast.samples.length >= SAMPLE_COUNT_MIN && (
        <GrowthChart name={pool.name} forecast={forecast} />
      )}
    </section>
  )
}

function Outlook({ forecast }: { readonly forecast: PoolForecast | undefined }) {
  const text = useText(poolsMessages)
  const format = useFormat()
  if (forecast === undefined) return <p>{text('growth.not-enough-data')}</p>
  const { state, growthBytesPerDay, daysToFull, daysToFullRange: range, fullAt } = forecast
  if (state !== 'growing')
    return <p>{text(state === 'steady' ? 'growth.steady' : 'growth.not-enough-data')}</p>
  return (
    <p>
      {text('growth.growing', { rate: format.bytes(growthBytesPerDay) })}{' '}
      {daysToFull !== null && fullAt !== null && (
        <strong>
          {text('growth.full', { days: Math.round(daysToFull), at: format.exact(fullAt) })}
        </strong>
      )}
      {range !== null && (
        <span className="om-quiet">
          {' ('}
          {text('days.range', {
            earliest: Math.round(range.earliest),
            latest: Math.round(range.latest),
          })}
          {')'}
        </span>
      )}
    </p>
  )
}

interface ChartProps {
  readonly name: string
  readonly forecast: PoolForecast
}

function GrowthChart({ name, forecast }: ChartProps) {
  const text = useText(poolsMessages)
  const format = useFormat()
  const option = useMemo(() => {
    const bytes = (value: number): string => format.bytes(value)
    const line = { type: 'line', showSymbol: false }
    return {
      grid: { left: 8, right: 16, top: 32, bottom: 4, containLabel: true },
      legend: { top: 0 },
      tooltip: { trigger: 'axis', valueFormatter: bytes },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', axisLabel: { formatter: bytes } },
      series: [
        {
          ...line,
          name: text('growth.used'),
          areaStyle: { opacity: 0.2 },
          data: forecast.samples.map(({ at, usedBytes }) => [at, usedBytes]),
        },
        {
          ...line,
          name: text('growth.ahead'),
          lineStyle: { type: 'dashed' },
          data: lineAhead(forecast),
        },
      ],
    }
  }, [forecast, format, text])
  return <Chart option={option} label={text('growth.chart', { name })} />
}
