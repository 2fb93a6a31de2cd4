/** Where work clashes: 24 hours by host, what ran and what will run. */
import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { JobCalendar } from '@openmaas/api/resources/job'
import { useFormat } from '../../../format/use-format.ts'
import { useText } from '../../../i18n/text.ts'
import { Empty } from '../../../ui/Empty.tsx'
import { Page } from '../../../ui/Page.tsx'
import { apiLine } from '../../../ui/search-params.ts'
import { useNow } from '../../../ui/Time.tsx'
import { jobsMessages } from '../messages/text.ts'
import { jobCalendarQuery } from '../queries.ts'
import { jobCalendarRoute } from '../routes.ts'
import { busiestHour, dateText, dayOf, levelOf, shiftDay } from './day.ts'
import './calendar.css'

const HOUR_MS = 3_600_000
const NOW_EVERY_MS = 60_000

export function JobCalendarPage() {
  const text = useText(jobsMessages)
  const now = useNow(NOW_EVERY_MS)
  const navigate = useNavigate({ from: '/jobs/calendar' })
  const search = jobCalendarRoute.useSearch()
  const day = dayOf(search, now)
  const query = { from: day.from.toISOString(), until: day.until.toISOString() }
  const { data } = useSuspenseQuery(jobCalendarQuery(day))
  const show = (date: string | undefined): void =>
    void navigate({ search: date === undefined ? {} : { day: date } })
  return (
    <Page
      title={text('calendar')}
      crumbs={[{ label: text('title'), to: '/jobs' }]}
      cli={`openmaas job calendar --from '${dateText(day.from)} 00:00'`}
      api={apiLine('GET', '/api/v1/job-calendar', query)}
    >
      <div className="om-filters" style={{ alignItems: 'center' }}>
        <Button onClick={() => show(shiftDay(day, -1))} data-testid="day-before">
          {text('calendar.before')}
        </Button>
        <strong data-testid="day">{dateText(day.from)}</strong>
        <Button onClick={() => show(shiftDay(day, 1))} data-testid="day-after">
          {text('calendar.after')}
        </Button>
        {search.day !== undefined && (
          <Button onClick={() => show(undefined)} data-testid="today">
            {text('calendar.today')}
          </Button>
        )}
      </div>
      {data.hosts.length === 0 ? (
        <div className="om-panel">
          <Empty message={text('calendar.empty')} />
        </div>
      ) : (
        <Hours calendar={data} from={day.from} now={now} />
      )}
    </Page>
  )
}

interface HoursProps {
  readonly calendar: JobCalendar
  readonly from: Date
  readonly now: Date
}

function Hours({ calendar, from, now }: HoursProps) {
  const text = useText(jobsMessages)
  const { hosts, omitted } = calendar
  const hours = hosts[0]!.ran.map((_, hour) => new Date(from.getTime() + hour * HOUR_MS))
  const most = Math.max(...hosts.flatMap(({ ran, planned }) => ran.map((n, i) => n + planned[i]!)))
  const busiest = busiestHour(hosts)
  const current = Math.floor((now.getTime() - from.getTime()) / HOUR_MS)
  return (
    <section className="om-panel">
      {busiest !== null && (
        <p data-testid="busiest">
          {text('calendar.busiest', { count: busiest.count, time: clock(hours[busiest.hour]!) })}
        </p>
      )}
      {/* Scrolled by keyboard too. */}
      <div className="om-hours" tabIndex={0} role="region" aria-label={text('calendar')}>
        <table data-testid="job-calendar">
          <thead>
            <tr>
              <th scope="col">{text('calendar.host')}</th>
              {hours.map((at, hour) => (
                <th key={hour} scope="col" data-now={hour === current}>
                  {String(at.getHours()).padStart(2, '0')}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {hosts.map((host) => (
              <tr key={host.hostId ?? ''}>
                <th scope="row">
                  {host.hostId === null ? text('calendar.server') : host.hostName}
                </th>
                {hours.map((at, hour) => (
                  <Cell key={hour} host={host} hour={hour} at={at} most={most} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {omitted > 0 && <p className="om-quiet">{text('calendar.omitted', { count: omitted })}</p>}
      <Legend />
    </section>
  )
}

interface CellProps {
  readonly host: JobCalendar['hosts'][number]
  readonly hour: number
  readonly at: Date
  readonly most: number
}

function Cell({ host, hour, at, most }: CellProps) {
  const text = useText(jobsMessages)
  const format = useFormat()
  const [ran, failed, planned] = [host.ran[hour]!, host.failed[hour]!, host.planned[hour]!]
  const count = ran + planned
  if (count === 0) return <td />
  const until = new Date(at.getTime() + HOUR_MS)
  const parts = [
    `${clock(at)}–${clock(until)}`,
    ...(ran > 0 ? [text('calendar.ran', { count: ran })] : []),
    ...(failed > 0 ? [text('calendar.failed', { count: failed })] : []),
    ...(planned > 0 ? [text('calendar.planned', { count: planned })] : []),
  ]
  const title = parts.join(' · ')
  const classes = [
    `om-hour om-hour-${levelOf(count, most)}`,
    ran === 0 ? 'om-hour-planned' : '',
    failed > 0 ? 'om-hour-failed' : '',
  ]
  const shown = { className: classes.join(' '), title, 'aria-label': title }
  if (ran === 0 || host.hostId === null) {
    return (
      <td>
        <span {...shown} role="img">
          {format.count(count)}
        </span>
      </td>
    )
  }
  return (
    <td>
      <Link
        {...shown}
        to="/jobs"
        search={{ hostId: host.hostId, from: at.toISOString(), until: until.toISOString() }}
        data-testid={`hour-${hour}`}
      >
        {format.count(count)}
      </Link>
    </td>
  )
}

function Legend() {
  const text = useText(jobsMessages)
  return (
    <p className="om-hours-legend om-quiet">
      <span className="om-hour om-hour-2" aria-hidden /> {text('calendar.legend.ran')}
      <span className="om-hour om-hour-2 om-hour-planned" aria-hidden />{' '}
      {text('calendar.legend.planned')}
      <span className="om-hour om-hour-2 om-hour-failed" aria-hidden />{' '}
      {text('calendar.legend.failed')}
    </p>
  )
}

function clock(at: Date): string {
  return `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`
}
