/** What is mounted where, until when. */
import { useMemo } from 'react'
import { Link, type LinkProps, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Medium } from '@openmaas/api/resources/medium'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { codeColumn, nameColumn, stateColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { Page } from '../../ui/Page.tsx'
import { useList } from '../../ui/use-list.ts'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { ExpiresIn } from './ExpiresIn.tsx'
import { mediaMessages } from './messages/text.ts'
import { MountDrawer } from './MountDrawer.tsx'
import { mediaQuery, type MediaSearch } from './queries.ts'
import { mediaRoute } from './routes.ts'
import { useMediumNames } from './use-medium-names.ts'
import './media.css'

/** States that are looked at together, as the API filters them. */
const STATES = [
  { name: 'current', value: 'plugging,plugged,ejecting,lost' },
  { name: 'plugged', value: 'plugged' },
  { name: 'ended', value: 'ejected,failed' },
] as const

const RENEW_EVERY_MS = 30_000

export function MediaPage() {
  const text = useText(mediaMessages)
  const may = useMay()
  const search = mediaRoute.useSearch()
  const navigate = useNavigate({ from: '/media' })
  const { mount, ...listed } = search
  const list = useList(mediaQuery(search))
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  return (
    <Page
      title={text('title')}
      actions={may('medium.plug') && <MountLink isPrimary />}
      cli={`openmaas media list${state}`}
      api={apiLine('GET', '/api/v1/media', toListQuery(listed))}
    >
      <DataList<Medium>
        {...list}
        name="media"
        columns={useColumns()}
        search={listed}
        rowKey={({ id }) => id}
        href={({ id }) => `/media/${id}`}
        filters={<Filters search={search} />}
        empty={
          <Empty
            message={text('empty')}
            action={may('medium.plug') && <MountLink isPrimary={false} />}
          />
        }
      />
      {mount !== undefined && may('medium.plug') && (
        <MountDrawer
          pointId={mount}
          onClose={() => void navigate({ search: (old) => ({ ...old, mount: undefined }) })}
        />
      )}
    </Page>
  )
}

/** What is mounted is chosen where everything is that can be had back. */
function MountLink({ isPrimary }: { readonly isPrimary: boolean }) {
  const text = useText(mediaMessages)
  if (!hasScreen('/recover')) return null
  return (
    <Link to={'/recover' as LinkProps['to'] & string} data-testid="mount-something">
      <Button type={isPrimary ? 'primary' : 'default'} tabIndex={-1}>
        {isPrimary ? text('mount.title') : text('empty.recover')}
      </Button>
    </Link>
  )
}

function Filters({ search }: { readonly search: MediaSearch }) {
  const text = useText(mediaMessages)
  return (
    <FilterSelect
      name="state"
      label={text('filter.state')}
      any={text('filter.all')}
      value={search.state}
      options={STATES.map(({ name, value }) => ({ value, label: text(`filter.${name}`) }))}
    />
  )
}

const placeOf = ({ mountPath, device }: Medium): string => mountPath ?? device ?? ''

function useColumns(): Column<Medium>[] {
  const text = useText(mediaMessages)
  const names = useMediumNames()
  return useMemo(
    () => [
      stateColumn(text('state')),
      nameColumn(text('name'), ({ id, name }) => (
        <Link to="/media/$mediumId" params={{ mediumId: id }} data-testid={`medium-${id}`}>
          {name}
        </Link>
      )),
      wordColumn('source', text('source'), ({ sourceId }) => names.source(sourceId)),
      wordColumn('host', text('host'), ({ hostId }) => names.host(hostId)),
      codeColumn('place', text('place'), placeOf),
      {
        key: 'leaseUntil',
        label: text('expires'),
        sortable: true,
        cell: ({ leaseUntil, endedAt }) =>
          endedAt === null ? (
            <ExpiresIn leaseUntil={leaseUntil} everyMs={RENEW_EVERY_MS} />
          ) : (
            <span className="om-quiet">–</span>
          ),
        value: ({ leaseUntil }) => leaseUntil,
      },
      timeColumn('createdAt', text('created'), ({ createdAt }) => createdAt, { sortable: true }),
      wordColumn('protocol', text('protocol'), ({ protocol }) => protocol, { hidden: true }),
      wordColumn('owner', text('owner'), ({ createdBy }) => createdBy, { hidden: true }),
    ],
    [text, names],
  )
}
