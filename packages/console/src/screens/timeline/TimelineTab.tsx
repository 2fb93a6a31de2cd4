/** What can be had back, and from when: a calendar, a line, and what is done with a point. */
import { useMemo } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Skeleton from 'antd/es/skeleton'
import type { Point } from '@openmaas/api/resources/point'
import { isDatabaseKind, type Source } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { useNow } from '../../ui/Time.tsx'
import { sourceRoute } from '../sources/routes.ts'
import { CalendarMap } from './CalendarMap.tsx'
import { GapList } from './GapList.tsx'
import { gapsOf } from './marks.ts'
import { timelineMessages } from './messages/text.ts'
import { PointPanel } from './PointPanel.tsx'
import { failedRunsQuery, pointQuery, pointsBetweenQuery, POINTS_MAX } from './queries.ts'
import { recoverRangeQuery } from './queries.ts'
import { type TimelineSearch, type Zoom, ZOOM_DEFAULT } from './search.ts'
import { spanAround } from './span.ts'
import { TimeAxis } from './TimeAxis.tsx'
import { ZoomBar } from './ZoomBar.tsx'
import './timeline.css'

const NOW_EVERY_MS = 60_000

export function TimelineTab({ source }: { readonly source: Source }) {
  const text = useText(timelineMessages)
  const may = useMay()
  const search = sourceRoute.useSearch()
  const navigate = useNavigate({ from: '/sources/$sourceId' })
  const now = useNow(NOW_EVERY_MS)
  const zoom: Zoom = search.zoom ?? ZOOM_DEFAULT
  const at = useMemo(() => (search.at === undefined ? now : new Date(search.at)), [search.at, now])
  const change = (changed: TimelineSearch): void =>
    void navigate({
      search: (old) => ({ ...old, ...changed }),
      replace: true,
      resetScroll: false,
    })
  const { span, month, shown, ofMonth, runs, ranges } = useTimeline(source, at, zoom)
  const since = new Date(source.createdAt)
  const gaps = gapsOf(shown.data ?? [], runs.data?.items ?? [], { span, since, now })
  const selected = useSelected(search.point, shown.data ?? [])
  const select = (point: Point): void => change({ point: point.id })
  const error = shown.error ?? ofMonth.error
  return (
    <div className="om-timeline" data-testid="timeline">
      <section className="om-panel">
        <CalendarMap
          month={month.from}
          points={ofMonth.data ?? []}
          failed={(runs.data?.items ?? []).map((run) => new Date(run.endedAt ?? run.queuedAt))}
          current={at}
          onMonth={(date) => change({ at: date.toISOString() })}
          onDay={(date) => change({ at: date.toISOString(), zoom: 'day', point: undefined })}
        />
      </section>
      <section className="om-panel om-timeline-line">
        <ZoomBar
          zoom={zoom}
          at={at}
          now={now}
          points={shown.data ?? []}
          onChange={change}
          sourceId={source.id}
        />
        {error !== null && <ProblemView error={error} />}
        {shown.isPending ? (
          <Skeleton active paragraph={{ rows: 2 }} />
        ) : (
          <TimeAxis
            points={shown.data ?? []}
            gaps={gaps}
            ranges={ranges.data?.ranges ?? []}
            span={span}
            zoom={zoom}
            now={now}
            selectedId={selected?.id}
            onSelect={select}
          />
        )}
        {(shown.data?.length ?? 0) >= POINTS_MAX && (
          <p className="om-quiet">{text('tooMany', { count: POINTS_MAX })}</p>
        )}
        {may('job.read') && <GapList gaps={gaps} />}
      </section>
      {selected !== undefined && <PointPanel point={selected} />}
    </div>
  )
}

function useTimeline(source: Source, at: Date, zoom: Zoom) {
  const may = useMay()
  const span = useMemo(() => spanAround(at, zoom), [at.getTime(), zoom])
  const month = useMemo(() => spanAround(at, 'month'), [at.getTime()])
  const wide = zoom === 'year' ? span : month
  const shown = useQuery({
    ...pointsBetweenQuery(source.id, span),
    placeholderData: keepPreviousData,
  })
  const ofMonth = useQuery({
    ...pointsBetweenQuery(source.id, month),
    placeholderData: keepPreviousData,
  })
  const runs = useQuery({
    ...failedRunsQuery(source.id, wide),
    enabled: may('job.read'),
    placeholderData: keepPreviousData,
  })
  const ranges = useQuery({
    ...recoverRangeQuery(source.id),
    enabled: isDatabaseKind(source.kind),
  })
  return { span, month, shown, ofMonth, runs, ranges }
}

/** The one of the address, wherever it lies; else the newest that is shown. */
function useSelected(pointId: string | undefined, shown: readonly Point[]): Point | undefined {
  const here = shown.find(({ id }) => id === pointId)
  const elsewhere = useQuery({
    ...pointQuery(pointId ?? ''),
    enabled: pointId !== undefined && here === undefined,
  })
  return here ?? (pointId === undefined ? shown[0] : elsewhere.data)
}
