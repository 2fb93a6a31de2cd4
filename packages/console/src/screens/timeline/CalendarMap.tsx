/** A month of days: how many points, and the worst of each day by colour, word and mark. */
import { LeftOutlined, RightOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import Tooltip from 'antd/es/tooltip'
import type { Point } from '@openmaas/api/resources/point'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { type CalendarDay, calendarOf, dayKey } from './calendar.ts'
import { timelineMessages } from './messages/text.ts'
import { moveSpan } from './span.ts'

interface Props {
  readonly month: Date
  readonly points: readonly Point[]
  readonly failed: readonly Date[]
  readonly current: Date
  readonly onMonth: (month: Date) => void
  readonly onDay: (day: Date) => void
}

/** January 1st, 2024 was a Monday. */
const WEEKDAYS = Array.from({ length: 7 }, (_, index) => new Date(2024, 0, 1 + index))

export function CalendarMap({ month, points, failed, current, onMonth, onDay }: Props) {
  const text = useText(timelineMessages)
  const language = useLanguage()
  const weeks = calendarOf(month, points, failed)
  return (
    <div className="om-calendar" data-testid="calendar">
      <div className="om-calendar-head">
        <Button
          type="text"
          size="small"
          icon={<LeftOutlined />}
          aria-label={text('month.earlier')}
          onClick={() => onMonth(moveSpan(month, 'month', -1))}
          data-testid="month-earlier"
        />
        <strong>{month.toLocaleDateString(language, { year: 'numeric', month: 'long' })}</strong>
        <Button
          type="text"
          size="small"
          icon={<RightOutlined />}
          aria-label={text('month.later')}
          onClick={() => onMonth(moveSpan(month, 'month', 1))}
          data-testid="month-later"
        />
      </div>
      <div className="om-calendar-days">
        {WEEKDAYS.map((day) => (
          <small key={day.getDay()} className="om-quiet">
            {day.toLocaleDateString(language, { weekday: 'narrow' })}
          </small>
        ))}
        {weeks
          .flat()
          .map((day, index) =>
            day === null ? (
              <span key={`none-${index}`} />
            ) : (
              <Day key={day.date.getDate()} day={day} current={current} onDay={onDay} />
            ),
          )}
      </div>
      <Legend />
    </div>
  )
}

interface DayProps extends Pick<Props, 'current' | 'onDay'> {
  readonly day: CalendarDay
}

function Day({ day, current, onDay }: DayProps) {
  const text = useText(timelineMessages)
  const language = useLanguage()
  const { date, points, failedCount, condition } = day
  const said = [
    date.toLocaleDateString(language, { dateStyle: 'medium' }),
    text('day.points', { count: points.length }),
    ...(failedCount > 0 ? [text('day.failed', { count: failedCount })] : []),
    ...(condition === null ? [] : [text(`condition.${condition}`)]),
  ].join(' · ')
  return (
    <Tooltip title={said}>
      <button
        type="button"
        className={`om-day om-day-${condition ?? 'none'}`}
        aria-pressed={dayKey(date) === dayKey(current)}
        onClick={() => onDay(date)}
        data-testid={`day-${date.getDate()}`}
        data-condition={condition ?? 'none'}
      >
        <span className="om-heard">{said}</span>
        <span aria-hidden>{date.getDate()}</span>
        <small aria-hidden>{points.length > 0 ? points.length : failedCount > 0 ? '!' : ''}</small>
      </button>
    </Tooltip>
  )
}

const LEGEND = ['verified', 'plain', 'warning', 'failed'] as const

function Legend() {
  const text = useText(timelineMessages)
  return (
    <ul className="om-legend">
      {LEGEND.map((condition) => (
        <li key={condition}>
          <span className={`om-swatch om-day-${condition}`} aria-hidden />
          {text(`condition.${condition}`)}
        </li>
      ))}
    </ul>
  )
}
