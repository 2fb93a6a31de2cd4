/** Which moment of production: the newest point, now, any second, a point, a transaction. */
import { useQuery } from '@tanstack/react-query'
import Input from 'antd/es/input'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import type { RecoverRange } from '@openmaas/api/resources/database'
import type { Point } from '@openmaas/api/resources/point'
import { useFormat } from '../../../format/use-format.ts'
import { useText } from '../../../i18n/text.ts'
import { ProblemView } from '../../../ui/ProblemView.tsx'
import { recoverRangeQuery } from '../../timeline/queries.ts'
import { newDatabaseMessages } from './messages/text.ts'
import {
  isTransaction,
  judgeTime,
  MOMENT_KINDS,
  type MomentForm,
  type MomentKind,
  momentText,
} from './moment.ts'
import { pointsQuery } from './queries.ts'
import { RangeBar } from './RangeBar.tsx'

interface Props {
  readonly sourceId: string
  readonly engine: string
  readonly value: MomentForm
  readonly now: Date
  /** A new one can follow production. */
  readonly canFollow?: true
  /** Production is gone: there is no moment of now, and this is what the newest one is. */
  readonly newest?: string
  readonly onChange: (changed: Partial<MomentForm>) => void
}

export function MomentField(props: Props) {
  const { sourceId, value, canFollow = false, newest, onChange } = props
  const kinds = MOMENT_KINDS.filter(
    (kind) => (kind !== 'live' || canFollow) && (kind !== 'now' || newest === undefined),
  )
  const text = useText(newDatabaseMessages)
  const range = useQuery(recoverRangeQuery(sourceId))
  const points = useQuery(pointsQuery(sourceId))
  const error = range.error ?? points.error
  return (
    <div className="om-form">
      <Segmented<MomentKind>
        className="om-moment-kinds"
        aria-label={text('moment.kind')}
        value={value.kind}
        options={kinds.map((kind) => ({ value: kind, label: text(`moment.${kind}`) }))}
        onChange={(kind) => onChange({ kind })}
        data-testid="moment-kind"
      />
      {error !== null && <ProblemView error={error} />}
      <Details {...props} range={range.data} points={points.data?.items ?? []} />
    </div>
  )
}

interface DetailProps extends Props {
  readonly range: RecoverRange | undefined
  /** Newest first. */
  readonly points: readonly Point[]
}

function Details(props: DetailProps) {
  const { value, range, points, newest } = props
  const text = useText(newDatabaseMessages)
  const format = useFormat()
  switch (value.kind) {
    case 'newest': {
      const takenAt = points[0]?.takenAt
      return (
        <p data-testid="moment-newest">
          {takenAt === undefined
            ? text('moment.newest.none')
            : (newest ?? text('moment.newest.text', { at: format.exact(takenAt) }))}
        </p>
      )
    }
    case 'now':
      return range?.live === false ? (
        <p className="om-state-warning">{text('moment.now.away')}</p>
      ) : (
        <p>{text('moment.now.text')}</p>
      )
    case 'live':
      return <p>{text('moment.live.text')}</p>
    case 'time':
      return <ExactTime {...props} />
    case 'point':
      return <PointChoice {...props} />
    case 'transaction':
      return <Transaction {...props} />
  }
}

function ExactTime({ value, now, range, points, onChange }: DetailProps) {
  const text = useText(newDatabaseMessages)
  const format = useFormat()
  const verdict = judgeTime(value.time, now, range)
  const at = 'at' in verdict ? verdict.at : null
  const isWrong = verdict.is !== 'inside' && verdict.is !== 'empty'
  return (
    <>
      {range !== undefined && (
        <RangeBar
          range={range}
          points={points}
          at={at}
          onChoose={(chosen) => onChange({ time: momentText(chosen) })}
        />
      )}
      <label>
        {text('moment.time.label')}
        <Input
          value={value.time}
          status={isWrong ? 'error' : ''}
          placeholder={text('moment.time.example')}
          onChange={(event) => onChange({ time: event.target.value })}
          data-testid="moment-time"
        />
      </label>
      <p role="status" className={isWrong ? 'om-state-warning' : ''} data-testid="moment-verdict">
        {verdict.is === 'unreadable' && text('moment.unreadable')}
        {at !== null &&
          text(verdict.is === 'inside' ? 'moment.is' : `moment.${verdict.is as 'gap'}`, {
            at: format.exact(at.toISOString()),
          })}
      </p>
    </>
  )
}

function PointChoice({ value, points, onChange }: DetailProps) {
  const text = useText(newDatabaseMessages)
  const format = useFormat()
  return (
    <div className="om-field">
      <span>{text('moment.point.label')}</span>
      <Select
        aria-label={text('moment.point.label')}
        placeholder={text('moment.point.choose')}
        value={value.pointId}
        options={points.map(({ id, takenAt, sizeBytes }) => ({
          value: id,
          label: `${format.exact(takenAt)} · ${format.bytes(sizeBytes)}`,
        }))}
        onChange={(pointId) => onChange({ pointId })}
        data-testid="moment-point"
      />
    </div>
  )
}

function Transaction({ value, engine, onChange }: DetailProps) {
  const text = useText(newDatabaseMessages)
  const isWrong = value.transaction.trim() !== '' && !isTransaction(value.transaction)
  return (
    <label>
      {text(engine === 'postgres' ? 'moment.transaction.postgres' : 'moment.transaction.mysql')}
      <Input
        value={value.transaction}
        status={isWrong ? 'error' : ''}
        onChange={(event) => onChange({ transaction: event.target.value })}
        data-testid="moment-transaction"
      />
      {isWrong && <small className="om-state-warning">{text('moment.transaction.wrong')}</small>}
    </label>
  )
}
