import { useMemo } from 'react'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Drawer from 'antd/es/drawer'
import Segmented from 'antd/es/segmented'
import Tag from 'antd/es/tag'
import type { Host } from '@openmaas/api/resources/host'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { nameColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { labelTexts } from '../../ui/label-text.ts'
import { uiMessages } from '../../ui/messages/text.ts'
import { Page } from '../../ui/Page.tsx'
import { useList } from '../../ui/use-list.ts'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { JoinLine } from './JoinLine.tsx'
import { hostsMessages } from './messages/text.ts'
import { hostsQuery, type HostsSearch } from './queries.ts'
import { hostsRoute } from './routes.ts'

export function HostsPage() {
  const text = useText(hostsMessages)
  const may = useMay()
  const { join, ...search } = hostsRoute.useSearch()
  const list = useList(hostsQuery(search))
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  const add = may('host.enrol') && <AddButton />
  return (
    <Page
      title={text('title')}
      actions={add}
      cli={`openmaas host list${state}`}
      api={apiLine('GET', '/api/v1/hosts', toListQuery(search))}
    >
      <DataList<Host>
        {...list}
        name="hosts"
        columns={useColumns()}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/hosts/${id}`}
        filters={<Filters search={search} />}
        empty={<Empty message={text('empty')} action={add} />}
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
  const words = useText(uiMessages)
  return (
    <>
      <FilterSelect
        name="kind"
        label={text('filter.kind')}
        any={text('filter.anyKind')}
        value={search.kind}
        options={KINDS.map((value) => ({ value, label: text(`kind.${value}`) }))}
      />
      <FilterSelect
        name="state"
        label={text('filter.state')}
        any={text('filter.anyState')}
        value={search.state}
        options={STATES.map((value) => ({ value, label: words(`state.${value}`) }))}
      />
    </>
  )
}

function useColumns(): Column<Host>[] {
  const text = useText(hostsMessages)
  return useMemo(
    () => [
      nameColumn(text('name'), ({ id, name }) => (
        <Link to="/hosts/$hostId" params={{ hostId: id }} data-testid={`host-${id}`}>
          {name}
        </Link>
      )),
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
      timeColumn('lastSeenAt', text('lastSeenAt'), ({ lastSeenAt }) => lastSeenAt, {
        sortable: true,
      }),
      wordColumn('softwareVersion', text('softwareVersion'), (host) => host.softwareVersion),
      {
        key: 'labels',
        label: text('labels'),
        cell: ({ labels }) => <Labels labels={labels} />,
        value: ({ labels }) => labelTexts(labels).join(' '),
      },
      timeColumn('createdAt', text('createdAt'), ({ createdAt }) => createdAt, {
        sortable: true,
        hidden: true,
      }),
      timeColumn('certificateNotAfter', text('certificate'), (host) => host.certificateNotAfter, {
        hidden: true,
      }),
    ],
    [text],
  )
}
