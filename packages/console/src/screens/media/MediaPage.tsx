/** What is mounted where, until when. */
import { useMemo } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, type LinkProps, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Select from 'antd/es/select'
import type { Medium } from '@openmaas/api/resources/medium'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { ExpiresIn } from './ExpiresIn.tsx'
import { mediaMessages } from './messages/text.ts'
import { MountDrawer } from './MountDrawer.tsx'
import { mediaQuery, type MediaSearch } from './queries.ts'
import { mediaRoute } from './routes.ts'
import { useMediumNames } from './use-medium-names.ts'
import './media.css'

/** Names of the tabs → the filter that they are. */
const STATES = {
  all: undefined,
  current: 'plugging,plugged,ejecting,lost',
  plugged: 'plugged',
  ended: 'ejected,failed',
} as const

const RENEW_EVERY_MS = 30_000

export function MediaPage() {
  const text = useText(mediaMessages)
  const may = useMay()
  const search = mediaRoute.useSearch()
  const navigate = useNavigate({ from: '/media' })
  const { mount, ...listed } = search
  const { data, isPlaceholderData } = useQuery({
    ...mediaQuery(search),
    placeholderData: keepPreviousData,
  })
  const columns = useColumns()
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  return (
    <Page
      title={text('title')}
      actions={may('medium.plug') && <MountLink isPrimary />}
      cli={`openmaas media list${state}`}
      api={apiLine('GET', '/api/v1/media', toListQuery(listed))}
    >
      <DataList<Medium>
        name="media"
        rows={data?.items ?? []}
        next={data?.next ?? null}
        columns={columns}
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
        isLoading={isPlaceholderData}
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
  const navigate = useNavigate({ from: '/media' })
  const tabs = Object.keys(STATES) as (keyof typeof STATES)[]
  const tab = tabs.find((name) => STATES[name] === search.state) ?? 'all'
  return (
    <Select
      aria-label={text('filter.state')}
      data-testid="filter-state"
      value={tab}
      style={{ minWidth: 140 }}
      options={tabs.map((name) => ({ value: name, label: text(`filter.${name}`) }))}
      onChange={(name) =>
        void navigate({
          search: (old) => ({ ...old, state: STATES[name], cursor: undefined, page: undefined }),
        })
      }
    />
  )
}

const placeOf = ({ mountPath, device }: Medium): string => mountPath ?? device ?? ''

function useColumns(): Column<Medium>[] {
  const text = useText(mediaMessages)
  const names = useMediumNames()
  return useMemo(() => {
    const word = (
      key: 'source' | 'host' | 'place' | 'protocol' | 'owner',
      value: (medium: Medium) => string,
    ): Column<Medium> => ({ key, label: text(key), cell: (medium) => value(medium), value })
    return [
      {
        key: 'state',
        label: text('state'),
        cell: ({ state }) => <StateTag state={state} />,
        value: ({ state }) => state,
      },
      {
        key: 'name',
        label: text('name'),
        sortable: true,
        cell: ({ id, name }) => (
          <Link to="/media/$mediumId" params={{ mediumId: id }} data-testid={`medium-${id}`}>
            {name}
          </Link>
        ),
        value: ({ name }) => name,
      },
      word('source', ({ sourceId }) => names.source(sourceId)),
      word('host', ({ hostId }) => names.host(hostId)),
      {
        key: 'place',
        label: text('place'),
        cell: (medium) => <code className="om-code">{placeOf(medium)}</code>,
        value: placeOf,
      },
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
      {
        key: 'createdAt',
        label: text('created'),
        sortable: true,
        cell: ({ createdAt }) => <Time at={createdAt} />,
        value: ({ createdAt }) => createdAt,
      },
      { ...word('protocol', ({ protocol }) => protocol), hidden: true },
      { ...word('owner', ({ createdBy }) => createdBy), hidden: true },
    ]
  }, [text, names])
}
