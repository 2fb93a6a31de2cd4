/** A card for each pool: how full, how well it packs, and when it will be full. */
import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import Progress from 'antd/es/progress'
import type { Pool } from '@openmaas/api/resources/pool'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { dashboardMessages } from './messages/text.ts'

type Samples = AnswerOf<'getForecast'>['pools'][number]['samples']

/** Where the server warns: CONSOLE.md, section 10. */
const FULL_SHARE_WARNING = 0.8
const SAMPLE_COUNT_MIN = 2

export function Pools() {
  const text = useText(dashboardMessages)
  const pools = useQuery(apiQuery('listPools'))
  const forecast = useQuery(apiQuery('getForecast'))
  if (pools.isError) return <ProblemView error={pools.error} />
  return (
    <section data-testid="pools">
      {pools.data?.items.length === 0 && <Empty message={text('pools.empty')} />}
      <div className="om-columns">
        {pools.data?.items.map((pool) => (
          <PoolCard
            key={pool.id}
            pool={pool}
            samples={forecast.data?.pools.find(({ poolId }) => poolId === pool.id)?.samples ?? []}
          />
        ))}
      </div>
    </section>
  )
}

interface CardProps {
  readonly pool: Pool
  readonly samples: Samples
}

function PoolCard({ pool, samples }: CardProps) {
  const text = useText(dashboardMessages)
  const format = useFormat()
  const { sizeBytes, freeBytes, logicalBytes, physicalBytes, badBlocks } = pool.stats
  const usedBytes = sizeBytes - freeBytes
  const share = sizeBytes === 0 ? 0 : usedBytes / sizeBytes
  const ratio = physicalBytes === 0 ? '–' : (logicalBytes / physicalBytes).toFixed(1)
  const days = pool.daysToFull
  return (
    <div className="om-panel" data-testid={`pool-${pool.id}`}>
      <h2>
        {pool.name} <StateTag state={pool.state} />
      </h2>
      <Progress
        percent={Math.round(share * 100)}
        status={share > FULL_SHARE_WARNING ? 'exception' : 'normal'}
        aria-label={text('pools')}
      />
      <p>{text('pool.used', { used: format.bytes(usedBytes), size: format.bytes(sizeBytes) })}</p>
      <p>
        {text('pool.ratio', {
          logical: format.bytes(logicalBytes),
          physical: format.bytes(physicalBytes),
          ratio,
        })}
      </p>
      <p>
        {days === null ? text('pool.steady') : text('pool.daysToFull', { count: Math.round(days) })}
      </p>
      {badBlocks > 0 && (
        <p className="om-state-failed">{text('pool.badBlocks', { count: badBlocks })}</p>
      )}
      {samples.length >= SAMPLE_COUNT_MIN && <Growth name={pool.name} samples={samples} />}
    </div>
  )
}

function Growth({ name, samples }: { readonly name: string; readonly samples: Samples }) {
  const text = useText(dashboardMessages)
  const format = useFormat()
  const option = useMemo(
    () => ({
      grid: { left: 8, right: 16, top: 16, bottom: 4, containLabel: true },
      tooltip: { trigger: 'axis', valueFormatter: (value: number) => format.bytes(value) },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => format.bytes(value) } },
      series: [
        {
          type: 'line',
          areaStyle: { opacity: 0.2 },
          showSymbol: false,
          data: samples.map(({ at, usedBytes }) => [at, usedBytes]),
        },
      ],
    }),
    [samples, format],
  )
  return <Chart option={option} label={text('pool.chart', { name })} />
}
