import { useMemo } from 'react'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Job } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { codeColumn, stateColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { useList } from '../../ui/use-list.ts'
import { JOB_KINDS, useJobKind } from './job-kind.ts'
import { JobProgressBar } from './JobProgressBar.tsx'
import { jobsMessages } from './messages/text.ts'
import { jobsQuery, type JobsSearch } from './queries.ts'
import { jobsRoute } from './routes.ts'
import { Waiting } from './Waiting.tsx'

/** States that are looked at together, as the API filters them. */
const STATES = [
  { name: 'running', value: 'running' },
  { name: 'queued', value: 'queued,paused' },
  { name: 'ended', value: 'succeeded,warning,failed,cancelled' },
  { name: 'failed', value: 'failed' },
] as const

export function JobsPage() {
  const text = useText(jobsMessages)
  const search = jobsRoute.useSearch()
  const list = useList(jobsQuery(search))
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  return (
    <Page
      title={text('title')}
      actions={
        <Link to="/jobs/calendar" data-testid="to-calendar">
          <Button tabIndex={-1}>{text('calendar')}</Button>
        </Link>
      }
      cli={`openmaas job list${state}`}
      api={apiLine('GET', '/api/v1/jobs', toListQuery(search))}
    >
      <DataList<Job>
        {...list}
        name="jobs"
        columns={useColumns()}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/jobs/${id}`}
        filters={<Filters search={search} />}
        empty={<Empty message={text('empty')} />}
      />
    </Page>
  )
}

function Filters({ search }: { readonly search: JobsSearch }) {
  const text = useText(jobsMessages)
  const kindText = useJobKind()
  return (
    <>
      <FilterSelect
        name="state"
        label={text('filter.state')}
        any={text('tab.all')}
        value={search.state}
        options={STATES.map(({ name, value }) => ({ value, label: text(`tab.${name}`) }))}
      />
      <FilterSelect
        name="kind"
        label={text('filter.kind')}
        any={text('filter.anyKind')}
        value={search.kind}
        options={JOB_KINDS.map((kind) => ({ value: kind, label: kindText(kind) }))}
      />
    </>
  )
}

function useColumns(): Column<Job>[] {
  const text = useText(jobsMessages)
  const kindText = useJobKind()
  const format = useFormat()
  return useMemo(() => {
    const time = (key: 'queuedAt' | 'startedAt' | 'endedAt'): Column<Job> =>
      timeColumn(key, text(key), (job) => job[key], { sortable: true })
    return [
      stateColumn(text('state')),
      {
        key: 'kind',
        label: text('kind'),
        cell: ({ id, kind }) => (
          <Link to="/jobs/$jobId" params={{ jobId: id }} data-testid={`job-${id}`}>
            {kindText(kind)}
          </Link>
        ),
        value: ({ kind }) => kind,
      },
      { key: 'progress', label: text('progress'), cell: (job) => <Progress job={job} /> },
      time('queuedAt'),
      time('startedAt'),
      time('endedAt'),
      {
        key: 'duration',
        label: text('duration'),
        cell: (job) => {
          const durationMs = durationOf(job)
          return durationMs === null ? '' : format.duration(durationMs)
        },
        value: durationOf,
      },
      wordColumn('actor', text('actor'), ({ actor }) => actor),
      codeColumn('id', text('id'), ({ id }) => id, { hidden: true }),
    ]
  }, [text, kindText, format])
}

function Progress({ job }: { readonly job: Job }) {
  return job.state === 'running' ? <JobProgressBar job={job} /> : <Waiting job={job} />
}

/** In milliseconds; null until it has ended. */
function durationOf({ startedAt, endedAt }: Job): number | null {
  if (startedAt === null || endedAt === null) return null
  return new Date(endedAt).getTime() - new Date(startedAt).getTime()
}
