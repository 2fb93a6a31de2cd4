import { useMemo } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Drawer from 'antd/es/drawer'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import Tag from 'antd/es/tag'
import type { Host } from '@openmaas/api/resources/host'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { labelTexts } from '../../ui/label-text.ts'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { JoinLine } from './JoinLine.tsx'
import { hostsMessages } from './messages/text.ts'
import { hostsQuery, type HostsSearch } from './queries.ts'
import { hostsRoute } from './routes.ts'

export function HostsPage() {
  const text = useText(hostsMessages)
  const may = useMay()
  const { join, ...search } = hostsRoute.useSearch()
  const { data, error, isPlaceholderData } = useQuery({
    ...hostsQuery(search),
    placeholderData: keepPreviousData,
  })
  const columns = useColumns()
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  const add = may('host.enrol') && <AddButton />
  return (
    <Page
      title={text('title')}
      actions={add}
      cli={`openmaas host list${state}`}
      api={apiLine('GET', '/api/v1/hosts', toListQuery(search))}
    >
      {error !== null && <ProblemView error={error} />}
      <DataList<Host>
        name="hosts"
        rows={data?.items ?? []}
        next={data?.next ?? null}
        columns={columns}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/hosts/${id}`}
        filters={<Filters search={search} />}
        empty={<Empty message={text('empty')} action={add} />}
        isLoading={isPlaceholderData}
      />
      {join !== undefined && may('host.enrol') && <JoinDrawer kind={join} />}
    </Page>
  )
}

function AddButton() {
  const text = useText(hostsMessages)
  const navigate = useNavigate({ from: '/hosts' })
  return (
    <Button
      type="primary"
      onClick={() => void navigate({ search: (old) => ({ ...old, join: 'agent' as const }) })}
      data-testid="add-host"
    >
      {text('add')}
    </Button>
  )
}

const DRAWER_WIDTH = 'min(560px, 100vw)'

function JoinDrawer({ kind }: { readonly kind: 'agent' | 'node' }) {
  const text = useText(hostsMessages)
  const navigate = useNavigate({ from: '/hosts' })
  const show = (join: 'agent' | 'node' | undefined): void =>
    void navigate({ search: (old) => ({ ...old, join }), replace: true })
  return (
    <Drawer
      open
      title={text('add')}
      size={DRAWER_WIDTH}
      onClose={() => show(undefined)}
      data-testid="join-drawer"
    >
      <Segmented<'agent' | 'node'>
        value={kind}
        onChange={show}
        options={[
          { value: 'agent', label: text('kind.agent') },
          { value: 'node', label: text('kind.node') },
        ]}
        style={{ marginBottom: 16 }}
        data-testid="join-kind"
      />
      <JoinLine key={kind} kind={kind} />
    </Drawer>
  )
}

const KINDS = ['agent', 'node'] as const
const STATES = ['online', 'offline', 'pending', 'removed'] as const

function Filters({ search }: { readonly search: HostsSearch }) {
  const text = useText(hostsMessages)
  const navigate = useNavigate({ from: '/hosts' })
  const change = (changed: HostsSearch): void =>
    void navigate({ search: (old) => ({ ...old, ...changed, cursor: undefined, page: undefined }) })
  return (
    <>
      <Select
        aria-label={text('filter.kind')}
        data-testid="filter-kind"
        value={search.kind ?? ''}
        style={{ minWidth: 160 }}
        options={[
          { value: '', label: text('filter.anyKind') },
          ...KINDS.map((kind) => ({ value: kind, label: text(`kind.${kind}`) })),
        ]}
        onChange={(kind: '' | 'agent' | 'node') => change({ kind: kind === '' ? undefined : kind })}
      />
      <Select
        aria-label={text('filter.state')}
        data-testid="filter-state"
        value={search.state ?? ''}
        style={{ minWidth: 160 }}
        options={[
          { value: '', label: text('filter.anyState') },
          ...STATES.map((state) => ({ value: state, label: <StateTag state={state} /> })),
        ]}
        onChange={(state: '' | (typeof STATES)[number]) =>
          change({ state: state === '' ? undefined : state })
        }
      />
    </>
  )
}

function useColumns(): Column<Host>[] {
  const text = useText(hostsMessages)
  return useMemo(
    () => [
      {
        key: 'name',
        label: text('name'),
        sortable: true,
        cell: ({ id, name }) => (
          <Link to="/hosts/$hostId" params={{ hostId: id }} data-testid={`host-${id}`}>
            {name}
          </Link>
        ),
        value: ({ name }) => name,
      },
      {
        key: 'state',
        label: text('state'),
        cell: ({ state, drained }) => (
          <>
            <StateTag state={state} /> {drained && <Tag variant="outlined">{text('drained')}</Tag>}
          </>
        ),
        value: ({ state }) => state,
      },
      {
        key: 'kind',
        label: text('kind'),
        cell: ({ kind }) => text(`kind.${kind}`),
        value: ({ kind }) => kind,
      },
      {
        key: 'lastSeenAt',
        label: text('lastSeenAt'),
        sortable: true,
        cell: ({ lastSeenAt }) => <Time at={lastSeenAt} />,
        value: ({ lastSeenAt }) => lastSeenAt,
      },
      {
        key: 'softwareVersion',
        label: text('softwareVersion'),
        cell: ({ softwareVersion }) => softwareVersion,
        value: ({ softwareVersion }) => softwareVersion,
      },
      {
        key: 'labels',
        label: text('labels'),
        cell: ({ labels }) => <Labels labels={labels} />,
        value: ({ labels }) => labelTexts(labels).join(' '),
      },
      {
        key: 'createdAt',
        label: text('createdAt'),
        sortable: true,
        hidden: true,
        cell: ({ createdAt }) => <Time at={createdAt} />,
        value: ({ createdAt }) => createdAt,
      },
      {
        key: 'certificateNotAfter',
        label: text('certificate'),
        hidden: true,
        cell: ({ certificateNotAfter }) => <Time at={certificateNotAfter} />,
        value: ({ certificateNotAfter }) => certificateNotAfter,
      },
    ],
    [text],
  )
}
