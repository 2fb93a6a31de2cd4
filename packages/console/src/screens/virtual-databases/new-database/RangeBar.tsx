/**
 * All seconds that can be had, as bars; points as ticks. A click, or the arrow keys, choose the
 * moment; the box below it says it to the second.
 */
import { useState } from 'react'
import Segmented from 'antd/es/segmented'
import type { RecoverRange } from '@openmaas/api/resources/database'
import type { Point } from '@openmaas/api/resources/point'
import { useFormat } from '../../../format/use-format.ts'
import { useText } from '../../../i18n/text.ts'
import { newDatabaseMessages } from './messages/text.ts'
import { type RangeZoom, shareIn, usefulZooms, type View, viewOf } from './range-view.ts'

interface Props {
  readonly range: RecoverRange
  readonly points: readonly Point[]
  /** What is chosen; null: nothing that can be read. */
  readonly at: Date | null
  readonly onChoose: (at: Date) => void
}

const SECOND_MS = 1000
const percent = (share: number): string => `${(share * 100).toFixed(3)}%`

export function RangeBar({ range, points, at, onChoose }: Props) {
  const text = useText(newDatabaseMessages)
  const format = useFormat()
  const [zoom, setZoom] = useState<RangeZoom>('all')
  if (range.from === null || range.until === null) return null
  const all: View = { fromMs: Date.parse(range.from), untilMs: Date.parse(range.until) }
  const zooms = usefulZooms(all)
  const shown = zooms.includes(zoom) ? zoom : 'all'
  const view = viewOf(all, shown, at?.getTime() ?? all.untilMs)
  const from = new Date(view.fromMs).toISOString()
  const until = new Date(view.untilMs).toISOString()
  return (
    <div className="om-moment-bar">
      <div className="om-moment-head">
        <span className="om-quiet">{text('range')}</span>
        {zooms.length > 1 && (
          <Segmented<RangeZoom>
            size="small"
            aria-label={text('range.zoom')}
            value={shown}
            options={zooms.map((value) => ({ value, label: text(`range.${value}`) }))}
            onChange={setZoom}
            data-testid="range-zoom"
          />
        )}
      </div>
      <div className="om-moment-track">
        {range.ranges.map((one) => (
          <Bar key={one.from} view={view} from={one.from} until={one.until} />
        ))}
        {points.map(({ id, takenAt }) => (
          <Tick key={id} view={view} at={takenAt} />
        ))}
        {at !== null && (
          <span
            className="om-moment-at"
            style={{ insetInlineStart: percent(shareIn(view, at.getTime())) }}
          />
        )}
        <input
          type="range"
          min={view.fromMs}
          max={view.untilMs}
          step={SECOND_MS}
          value={Math.min(view.untilMs, Math.max(view.fromMs, at?.getTime() ?? view.untilMs))}
          aria-label={text('range.slider', {
            from: format.exact(from),
            until: format.exact(until),
          })}
          aria-valuetext={at === null ? '' : format.exact(at.toISOString())}
          onChange={(event) => onChoose(new Date(Number(event.target.value)))}
          data-testid="range"
        />
      </div>
      <div className="om-moment-ends" aria-hidden>
        <small>{format.exact(from)}</small>
        <small>{format.exact(until)}</small>
      </div>
    </div>
  )
}

interface BarProps {
  readonly view: View
  readonly from: string
  readonly until: string
}

function Bar({ view, from, until }: BarProps) {
  const [start, end] = [shareIn(view, Date.parse(from)), shareIn(view, Date.parse(until))]
  if (Date.parse(until) < view.fromMs || Date.parse(from) > view.untilMs) return null
  return (
    <span
      className="om-moment-range"
      style={{ insetInlineStart: percent(start), width: percent(end - start) }}
    />
  )
}

function Tick({ view, at }: { readonly view: View; readonly at: string }) {
  const ms = Date.parse(at)
  if (ms < view.fromMs || ms > view.untilMs) return null
  return (
    <span className="om-moment-tick" style={{ insetInlineStart: percent(shareIn(view, ms)) }} />
  )
}
