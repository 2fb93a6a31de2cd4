/** How fast a job was while this page was open: from the events that it tells of itself. */
import { useEffect, useMemo, useState } from 'react'
import type { JobDetail } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { jobsMessages } from './messages/text.ts'

/** Ten minutes at one a second; older ones go. */
const SAMPLES_MAX = 600
/** One is no line. */
const SAMPLES_MIN = 3
const HEIGHT = 160

type Sample = readonly [atMs: number, bytesPerSecond: number]

export function JobRates({ job }: { readonly job: JobDetail }) {
  const text = useText(jobsMessages)
  const format = useFormat()
  const samples = useRates(job)
  const option = useMemo(
    () => ({
      grid: { left: 8, right: 16, top: 16, bottom: 4, containLabel: true },
      tooltip: { trigger: 'axis', valueFormatter: (value: number) => format.rate(value) },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => format.rate(value) } },
      series: [{ type: 'line', showSymbol: false, areaStyle: { opacity: 0.2 }, data: samples }],
    }),
    [samples, format],
  )
  if (samples.length < SAMPLES_MIN) return null
  return (
    <section className="om-panel" data-testid="rates">
      <h2>{text('rates')}</h2>
      <Chart option={option} label={text('rates')} height={HEIGHT} />
      <p className="om-quiet">{text('rates.why')}</p>
    </section>
  )
}

function useRates({ progress }: JobDetail): readonly Sample[] {
  const [samples, setSamples] = useState<readonly Sample[]>([])
  useEffect(() => {
    const rate = progress.rateBytesPerSecond ?? null
    if (rate === null) return
    setSamples((old) => [...old.slice(1 - SAMPLES_MAX), [Date.now(), rate]])
    // Each event brings a progress of its own.
  }, [progress])
  return samples
}
