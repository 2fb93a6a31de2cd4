/** The timeline of what was lost, with the newest verified point chosen already. */
import { useMemo } from 'react'
import { Link, type LinkProps } from '@tanstack/react-router'
import Skeleton from 'antd/es/skeleton'
import type { Point } from '@openmaas/api/resources/point'
import type { Source } from '@openmaas/api/resources/source'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time, useNow } from '../../ui/Time.tsx'
import { type TimelineSearch, ZOOM_DEFAULT } from '../timeline/search.ts'
import { spanAround } from '../timeline/span.ts'
import { TimeAxis } from '../timeline/TimeAxis.tsx'
import { ZoomBar } from '../timeline/ZoomBar.tsx'
import { recoverMessages } from './messages/text.ts'
import type { RecoverSearch } from './queries.ts'
import type { Answer } from './RecoverPage.tsx'
import type { Points } from './use-points.ts'
import '../timeline/timeline.css'

const NOW_EVERY_MS = 60_000

interface Props extends Points {
  readonly source: Source
  readonly search: RecoverSearch
  readonly onAnswer: Answer
}

export function WhenStep(props: Props) {
  const { source, search, points, chosen, isUnusable, isPending, error, onAnswer } = props
  const text = useText(recoverMessages)
  const now = useNow(NOW_EVERY_MS)
  const zoom = search.zoom ?? ZOOM_DEFAULT
  const middle = search.at ?? chosen?.takenAt
  const at = useMemo(() => (middle === undefined ? now : new Date(middle)), [middle, now])
  const span = useMemo(() => spanAround(at, zoom), [at, zoom])
  if (error !== null) return <ProblemView error={error} />
  if (isPending) return <Skeleton active paragraph={{ rows: 3 }} />
  if (points.length === 0 && chosen === undefined) {
    return (
      <p data-testid="no-point">
        {text(search.path === undefined ? 'when.none' : 'when.none.file')}{' '}
        {hasScreen('/sources/$sourceId') && (
          <Link to={`/sources/${source.id}` as LinkProps['to'] & string}>
            {text('when.source')}
          </Link>
        )}
      </p>
    )
  }
  const change = ({ point, ...view }: TimelineSearch): void =>
    onAnswer({ ...view, ...(point !== undefined && { pointId: point }) })
  const shown = points.filter(({ takenAt }) => {
    const taken = new Date(takenAt)
    return taken >= span.from && taken < span.until
  })
  return (
    <div data-testid="when">
      <ZoomBar
        zoom={zoom}
        at={at}
        now={now}
        points={points}
        sourceId={source.id}
        onChange={change}
      />
      <TimeAxis
        points={shown}
        gaps={[]}
        ranges={[]}
        span={span}
        zoom={zoom}
        now={now}
        selectedId={chosen?.id}
        onSelect={({ id }) => onAnswer({ pointId: id })}
      />
      {isUnusable && <p className="om-state-warning">{text('when.unusable')}</p>}
      {chosen !== undefined && (
        <ChosenPoint point={chosen} isProposed={search.pointId === undefined} />
      )}
    </div>
  )
}

function ChosenPoint({
  point,
  isProposed,
}: {
  readonly point: Point
  readonly isProposed: boolean
}) {
  const text = useText(recoverMessages)
  const format = useFormat()
  const { takenAt, verifiedAt, sizeBytes, itemCount } = point
  const isVerified = verifiedAt !== null
  return (
    <div className="om-chosen" aria-live="polite" data-testid="chosen-point" data-point={point.id}>
      <span>{text('when.chosen')}</span>
      <strong>{format.exact(takenAt)}</strong>
      <Time at={takenAt} />
      <span className={isVerified ? 'om-state-ok' : 'om-quiet'}>
        {text(isVerified ? 'when.isVerified' : 'when.notVerified')}
      </span>
      <span className="om-quiet">
        {text('when.contains', { size: format.bytes(sizeBytes), count: itemCount })}
      </span>
      {isProposed && (
        <span className="om-quiet">{text(isVerified ? 'when.verified' : 'when.newest')}</span>
      )}
    </div>
  )
}
