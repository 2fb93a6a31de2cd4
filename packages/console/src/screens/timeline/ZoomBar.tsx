/** How much is shown, which part of it, and the box for an exact moment. */
import { useState } from 'react'
import { LeftOutlined, RightOutlined } from '@ant-design/icons'
import { useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import Segmented from 'antd/es/segmented'
import type { Point } from '@openmaas/api/resources/point'
import { apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { timelineMessages } from './messages/text.ts'
import { parseMoment, pointAt } from './moment.ts'
import { type TimelineSearch, type Zoom, ZOOMS } from './search.ts'
import { moveSpan, spanAround } from './span.ts'
import { spanText } from './span-text.ts'

interface Props {
  readonly zoom: Zoom
  readonly at: Date
  readonly now: Date
  readonly points: readonly Point[]
  readonly sourceId: string
  readonly onChange: (changed: TimelineSearch) => void
}

export function ZoomBar({ zoom, at, now, points, sourceId, onChange }: Props) {
  const text = useText(timelineMessages)
  const language = useLanguage()
  const move = (steps: 1 | -1): void => {
    onChange({ at: moveSpan(at, zoom, steps).toISOString(), point: undefined })
  }
  return (
    <div className="om-zoom">
      <Segmented<Zoom>
        value={zoom}
        onChange={(chosen) => onChange({ zoom: chosen })}
        options={ZOOMS.map((name) => ({ value: name, label: text(`zoom.${name}`) }))}
        aria-label={text('zoom')}
        data-testid="zoom"
      />
      <Button
        icon={<LeftOutlined />}
        aria-label={text('earlier')}
        title={text('earlier')}
        onClick={() => move(-1)}
        data-testid="earlier"
      />
      <strong data-testid="span">{spanText(spanAround(at, zoom), zoom, language)}</strong>
      <Button
        icon={<RightOutlined />}
        aria-label={text('later')}
        title={text('later')}
        disabled={spanAround(at, zoom).until > now}
        onClick={() => move(1)}
        data-testid="later"
      />
      <Button onClick={() => onChange({ at: undefined, point: undefined })} data-testid="to-now">
        {text('now')}
      </Button>
      <ExactMoment now={now} points={points} sourceId={sourceId} onChange={onChange} />
    </div>
  )
}

type MomentProps = Pick<Props, 'now' | 'points' | 'sourceId' | 'onChange'>

function ExactMoment({ now, points, sourceId, onChange }: MomentProps) {
  const text = useText(timelineMessages)
  const queryClient = useQueryClient()
  const [typed, setTyped] = useState('')
  const [isMissing, setMissing] = useState(false)
  const moment = parseMoment(typed, now)
  const isWrong = typed.trim() !== '' && moment === null
  const go = async (): Promise<void> => {
    if (moment === null) return
    const here = pointAt(points, moment) ?? (await newestBefore(moment))
    setMissing(here === undefined)
    if (here !== undefined) onChange({ at: here.takenAt, point: here.id })
  }
  /** What is recovered may be older than all that is shown. The API's limit is not included. */
  const newestBefore = async (until: Date): Promise<Point | undefined> => {
    const query = {
      'filter[sourceId]': sourceId,
      'filter[until]': new Date(until.getTime() + 1).toISOString(),
      sort: '-takenAt',
      limit: 1,
    } as const
    const page = await queryClient.fetchQuery(apiQuery('listPoints', { query }))
    return page.items[0]
  }
  return (
    <span className="om-moment">
      <Input.Search
        value={typed}
        status={isWrong ? 'error' : ''}
        placeholder={text('moment.example')}
        aria-label={text('moment')}
        enterButton={text('moment.go')}
        onChange={(event) => {
          setTyped(event.target.value)
          setMissing(false)
        }}
        onSearch={() => void go()}
        data-testid="moment"
      />
      <small role="status" className="om-state-warning">
        {isWrong && text('moment.wrong')}
        {isMissing && text('moment.none')}
      </small>
    </span>
  )
}
