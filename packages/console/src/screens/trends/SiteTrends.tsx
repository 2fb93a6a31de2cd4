/** The month behind: how much was stored, and how many promises were kept. */
import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import { apiQuery } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { byteBars, shareLine } from './charts.ts'
import { trendsMessages } from './messages/text.ts'

const NONE = { stored: [], kept: [] } as const

export function SiteTrends() {
  const text = useText(trendsMessages)
  const format = useFormat()
  const { data, error } = useQuery(apiQuery('getTrends'))
  const { stored, kept } = data ?? NONE
  const bars = useMemo(
    () =>
      byteBars(
        [{ name: text('added'), data: stored.map(({ at, addedBytes }) => [at, addedBytes]) }],
        format.bytes,
      ),
    [stored, text, format],
  )
  const line = useMemo(
    () =>
      shareLine(
        kept.map(({ at, share }) => [at, share]),
        format.share,
      ),
    [kept, format],
  )
  if (error !== null) return <ProblemView error={error} />
  if (data === undefined) return null
  return (
    <div className="om-columns" data-testid="trends">
      <section className="om-panel" data-testid="stored">
        <h2>{text('stored')}</h2>
        {stored.length === 0 ? (
          <Empty message={text('none')} />
        ) : (
          <Chart option={bars} label={text('stored.chart')} />
        )}
      </section>
      <section className="om-panel" data-testid="kept">
        <h2>{text('kept')}</h2>
        {kept.length === 0 ? (
          <Empty message={text('none')} />
        ) : (
          <Chart option={line} label={text('kept.chart')} />
        )}
      </section>
    </div>
  )
}
