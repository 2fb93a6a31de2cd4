/**
 * The line: marks for points, bars for what can be recovered to the second, hatched gaps where
 * runs gave nothing. Left and right go from point to point.
 */
import type { KeyboardEvent } from 'react'
import Tooltip from 'antd/es/tooltip'
import type { Point } from '@openmaas/api/resources/point'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { type Gap, type Mark, marksOf } from './marks.ts'
import { timelineMessages } from './messages/text.ts'
import { PointTooltip } from './PointTooltip.tsx'
import type { Zoom } from './search.ts'
import { positionIn, type Span, ticksOf } from './span.ts'
import { tickText } from './span-text.ts'

interface Props {
  /** Newest first. */
  readonly points: readonly Point[]
  readonly gaps: readonly Gap[]
  readonly ranges: readonly { readonly from: string; readonly until: string }[]
  readonly span: Span
  readonly zoom: Zoom
  readonly now: Date
  readonly selectedId: string | undefined
  readonly onSelect: (point: Point) => void
}

const percent = (share: number): string => `${(Math.min(1, Math.max(0, share)) * 100).toFixed(3)}%`

export function TimeAxis(props: Props) {
  const { points, gaps, ranges, span, zoom, now, selectedId, onSelect } = props
  const text = useText(timelineMessages)
  const language = useLanguage()
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowLeft' ? 1 : event.key === 'ArrowRight' ? -1 : 0
    const position = points.findIndex(({ id }) => id === selectedId)
    const next = points[position === -1 ? 0 : position + step]
    if (step === 0 || next === undefined) return
    event.preventDefault()
    onSelect(next)
  }
  return (
    <div
      className="om-axis"
      role="group"
      aria-label={text('axis')}
      tabIndex={0}
      onKeyDown={onKeyDown}
      data-testid="axis"
    >
      <div className="om-track">
        {ranges.map(({ from, until }) => (
          <Range key={from} from={new Date(from)} until={new Date(until)} span={span} />
        ))}
        {gaps.map((gap) => (
          <GapBar key={gap.from.getTime()} gap={gap} span={span} />
        ))}
        {now > span.from && now < span.until && (
          <span
            className="om-now"
            style={{ insetInlineStart: percent(positionIn(span, now)) }}
            title={text('now')}
          />
        )}
        {marksOf(points, span).map((mark) => (
          <MarkButton
            key={mark.points[0]!.id}
            mark={mark}
            isSelected={mark.points.some(({ id }) => id === selectedId)}
            onSelect={onSelect}
          />
        ))}
      </div>
      <div className="om-ticks" aria-hidden>
        {ticksOf(span, zoom).map(({ at, position }) => (
          <small key={at.getTime()} style={{ insetInlineStart: percent(position) }}>
            {tickText(at, zoom, language)}
          </small>
        ))}
      </div>
      {points.length === 0 && <p className="om-quiet">{text('nothing')}</p>}
    </div>
  )
}

interface MarkProps {
  readonly mark: Mark
  readonly isSelected: boolean
  readonly onSelect: (point: Point) => void
}

function MarkButton({ mark, isSelected, onSelect }: MarkProps) {
  const text = useText(timelineMessages)
  const format = useFormat()
  const [newest] = mark.points
  const said = [
    format.exact(newest!.takenAt),
    text(`condition.${mark.condition}`),
    ...(mark.points.length > 1 ? [text('mark.points', { count: mark.points.length })] : []),
  ].join(' · ')
  return (
    <Tooltip title={<PointTooltip point={newest!} count={mark.points.length} />}>
      <button
        type="button"
        className={`om-mark om-mark-${mark.condition}`}
        style={{ insetInlineStart: percent(mark.position) }}
        aria-label={said}
        aria-pressed={isSelected}
        onClick={() => onSelect(newest!)}
        data-testid="mark"
      >
        {mark.points.length > 1 ? mark.points.length : ''}
      </button>
    </Tooltip>
  )
}

interface BarProps {
  readonly from: Date
  readonly until: Date
  readonly span: Span
}

function barStyle({ from, until, span }: BarProps) {
  const start = Math.max(0, positionIn(span, from))
  const end = Math.min(1, positionIn(span, until))
  return { insetInlineStart: percent(start), width: percent(end - start) }
}

/** Any second of it can be recovered. */
function Range(props: BarProps) {
  const text = useText(timelineMessages)
  if (props.until < props.span.from || props.from > props.span.until) return null
  return <span className="om-range" style={barStyle(props)} title={text('range')} />
}

function GapBar({ gap, span }: { readonly gap: Gap; readonly span: Span }) {
  const text = useText(timelineMessages)
  const codes = [...new Set(gap.runs.map(({ problem, state }) => problem?.code ?? state))]
  const said = `${text('gap', { count: gap.runs.length })}: ${codes.join(', ')}`
  return (
    <Tooltip title={said}>
      <span
        className="om-gap"
        style={barStyle({ from: gap.from, until: gap.until, span })}
        data-testid="gap"
      />
    </Tooltip>
  )
}
