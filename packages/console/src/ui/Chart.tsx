/** A picture by echarts, which is fetched when the first one is shown; a table says the same. */
import { lazy, Suspense } from 'react'
import Skeleton from 'antd/es/skeleton'
import type { ChartProps } from './EChart.tsx'

const EChart = lazy(async () => ({ default: (await import('./EChart.tsx')).EChart }))

export function Chart(props: ChartProps) {
  return (
    <Suspense fallback={<Skeleton active />}>
      <EChart {...props} />
    </Suspense>
  )
}
