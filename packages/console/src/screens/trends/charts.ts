/** Options of echarts for days: bars of bytes, a line of shares. Pure. */
type Day = readonly [at: string, value: number]

const GRID = { left: 8, right: 16, top: 16, bottom: 4, containLabel: true }
/** One label a day at most, and none over another. */
const DAYS = { type: 'time', minInterval: 86_400_000, axisLabel: { hideOverlap: true } }
const BAR_WIDTH_MAX = 24

interface Series {
  readonly name: string
  readonly data: readonly Day[]
  /** Of days that are unlike the others. */
  readonly marks?: readonly string[]
}

/** @param format  `1.5 GiB` */
export function byteBars(series: readonly Series[], format: (value: number) => string) {
  const isMany = series.length > 1
  return {
    grid: isMany ? { ...GRID, top: 32 } : GRID,
    ...(isMany && { legend: { top: 0 } }),
    tooltip: { trigger: 'axis', valueFormatter: format },
    xAxis: DAYS,
    yAxis: { type: 'value', axisLabel: { formatter: format } },
    series: series.map(({ name, data, marks = [] }) => ({
      type: 'bar',
      name,
      barMaxWidth: BAR_WIDTH_MAX,
      data: data.map(([at, value]) => ({
        value: [at, value],
        // By a pattern of its own, not by colour alone.
        ...(marks.includes(at) && { itemStyle: { borderColor: '#b3202a', borderWidth: 3 } }),
      })),
    })),
  }
}

/** @param format  `98.6%` */
export function shareLine(days: readonly Day[], format: (value: number) => string) {
  return {
    grid: GRID,
    tooltip: { trigger: 'axis', valueFormatter: format },
    xAxis: DAYS,
    yAxis: { type: 'value', min: 0, max: 1, axisLabel: { formatter: format } },
    series: [{ type: 'line', areaStyle: { opacity: 0.2 }, data: days }],
  }
}
