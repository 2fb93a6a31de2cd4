import { useMemo } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Select from 'antd/es/select'
import type { Job } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { JOB_KINDS, useJobKind } from './job-kind.ts'
import { JobProgressBar } from './JobProgressBar.tsx'
import { jobsMessages } from './messages/text.ts'
import { jobsQuery, type JobsSearch } from './queries.ts'
import { jobsRoute } from './routes.ts'

/** Names of the tabs → the filter that they are. */
const STATES = {
  all: undefined,
  running: 'running',
  queued: 'queued,paused',
  ended: 'succeeded,warning,failed,cancelled',
  failed: 'failed',
} as const

export function JobsPage() {
  const text = useText(jobsMessages)
  const search = jobsRoute.useSearch()
  // The last page stays while the next one is fetched.
  const { data, isPlaceholderData } = useQuery({
    ...jobsQuery(search),
    placeholderData: keepPreviousData,
  })
  const columns = useColumns()
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  return (
    <Page
      title={text('title')}
      cli={`openmaas job list${state}`}
      api={apiLine('GET', '/api/v1/jobs', toListQuery(search))}
    >
      <DataList<Job>
        name="jobs"
        rows={data?.items ?? []}
        next={data?.next ?? null}
        columns={columns}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/jobs/${id}`}
        filters={<Filters search={search} />}
        empty={<Empty message={text('empty')} />}
        isLoading={isPlaceholderData}
      />
    </Page>
  )
}

function Filters({ search }: { readonly search: JobsSearch }) {
  const text = useText(jobsMessages)
  const kindText = useJobKind()
  const navigate = useNavigate({ from: '/jobs' })
  // Another filter begins at its first page.
  const change = (changed: JobsSearch): void =>
    void navigate({
      search: (old) => ({ ...old, ...changed, cursor: undefined, page: undefined }),
    })
  const tabs = Object.keys(STATES) as (keyof typeof STATES)[]
  const tab = tabs.find((name) => STATES[name] === search.state) ?? 'all'
  return (
    <>
      <Select
        aria-label={text('filter.state')}
        data-testid="filter-state"
        value={tab}
        style={{ minWidth: 140 }}
        options={tabs.map((name) => ({ value: name, label: text(`tab.${name}`) }))}
        onChange={(name) => change({ state: STATES[name] })}
      />
      <Select
        aria-label={text('filter.kind')}
        data-testid="filter-kind"
        value={search.kind ?? ''}
        style={{ minWidth: 160 }}
        options={[
          { value: '', label: text('filter.anyKind') },
          ...JOB_KINDS.map((kind) => ({ value: kind as string, label: kindText(kind) })),
        ]}
        onChange={(kind) => change({ kind: kind === '' ? undefined : kind })}
      />
    </>
  )
}

function useColumns(): Column<Job>[] {
  const text = useText(jobsMessages)
  const kindText = useJobKind()
  const format = useFormat()
  return useMemo(() => {
    const time = (key: 'queuedAt' | 'startedAt' | 'endedAt'): Column<Job> => ({
      key,
      label: text(key),
      sortable: true,
      cell: (job) => <Time at={job[key]} />,
      value: (job) => job[key],
    })
    return [
      {
        key: 'state',
        label: text('state'),
        cell: ({ state }) => <StateTag state={state} />,
        value: ({ state }) => state,
      },
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
      { key: 'progress', label: text('progress'), cell: (job) => <JobProgressBar job={job} /> },
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
      {
        key: 'actor',
        label: text('actor'),
        cell: ({ actor }) => actor,
        value: ({ actor }) => actor,
      },
      {
        key: 'id',
        label: text('id'),
        hidden: true,
        cell: ({ id }) => <code className="om-code">{id}</code>,
        value: ({ id }) => id,
      },
    ]
  }, [text, kindText, format])
}

/** In milliseconds; null until it has ended. */
function durationOf({ startedAt, endedAt }: Job): number | null {
  if (startedAt === null || endedAt === null) return null
  return new Date(endedAt).getTime() - new Date(startedAt).getTime()
}
