/** Only what is registered here is in the bundle. */
import { useEffect, useRef } from 'react'
import { BarChart, HeatmapChart, LineChart, PieChart } from 'echarts/charts'
import {
  CalendarComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components'
import { init, use, type ECharts, type EChartsCoreOption } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { useIsDark } from '../app/theme.ts'

use([
  BarChart,
  HeatmapChart,
  LineChart,
  PieChart,
  CalendarComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  VisualMapComponent,
  SVGRenderer,
])

export interface ChartProps {
  /** Of echarts; colours of text and ground come from the theme. */
  readonly option: EChartsCoreOption
  /** What it shows, in a sentence: for those who do not see it. */
  readonly label: string
  readonly height?: number
}

export function EChart({ option, label, height = 220 }: ChartProps) {
  const isDark = useIsDark()
  const element = useRef<HTMLDivElement>(null)
  const chart = useRef<ECharts | undefined>(undefined)
  useEffect(() => {
    const made = init(element.current, isDark ? 'dark' : null)
    chart.current = made
    const observer = new ResizeObserver(() => made.resize())
    observer.observe(made.getDom())
    return () => {
      observer.disconnect()
      made.dispose()
      chart.current = undefined
    }
  }, [isDark])
  useEffect(() => {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches
    chart.current?.setOption({ backgroundColor: 'transparent', animation: !still, ...option })
  }, [option, isDark])
  return <div ref={element} role="img" aria-label={label} style={{ height }} data-testid="chart" />
}
