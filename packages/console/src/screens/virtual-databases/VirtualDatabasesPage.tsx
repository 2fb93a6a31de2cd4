/** Who has a virtual database of what, as of when, where, until when. */
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import Button from 'antd/es/button'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useIsLimited, useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { DataList } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect, FilterText } from '../../ui/filters.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine } from '../../ui/search-params.ts'
import { useList } from '../../ui/use-list.ts'
import { useColumns } from './columns.tsx'
import { databasesMessages } from './messages/text.ts'
import { Requests } from './Requests.tsx'
import { sourcesQuery } from './new-database/queries.ts'
import { toDatabasesQuery, virtualDatabasesQuery } from './queries.ts'
import type { VirtualDatabasesSearch } from './queries.ts'
import { virtualDatabasesRoute } from './routes.ts'
import { SelfService } from './SelfService.tsx'
import './virtual-databases.css'

const SHOWN = ['running', 'ended', 'all'] as const

export function VirtualDatabasesPage() {
  const text = useText(databasesMessages)
  const may = useMay()
  const isLimited = useIsLimited()
  const search = virtualDatabasesRoute.useSearch()
  const list = useList(virtualDatabasesQuery(search))
  const columns = useColumns(isLimited)
  const { show, ...others } = search
  const asked = toDatabasesQuery({ ...others, ...(show !== undefined && { show }) })
  const canCreate = may('virtual-database.create')
  return (
    <Page
      title={text('title')}
      actions={canCreate && <CreateLink />}
      cli={`openmaas vdb list${search.show === 'running' ? ' --state running' : ''}`}
      api={apiLine('GET', '/api/v1/virtual-databases', asked)}
    >
      {isLimited && <SelfService />}
      {isLimited && may('approval.read') && <Requests />}
      <DataList<VirtualDatabase>
        {...list}
        name="virtual-databases"
        columns={columns}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/virtual-databases/${id}`}
        filters={<Filters search={search} />}
        empty={<Nothing canCreate={canCreate} />}
      />
    </Page>
  )
}

function CreateLink() {
  const text = useText(databasesMessages)
  return (
    <Link to="/virtual-databases/new" data-testid="create-database">
      <Button type="primary" tabIndex={-1}>
        {text('create')}
      </Button>
    </Link>
  )
}

function Filters({ search }: { readonly search: VirtualDatabasesSearch }) {
  const text = useText(databasesMessages)
  const may = useMay()
  const { data } = useQuery({ ...sourcesQuery, enabled: may('source.read') })
  const sources = (data?.items ?? []).filter(({ kind }) => isDatabaseKind(kind))
  return (
    <>
      <FilterSelect
        name="show"
        label={text('show.label')}
        any={text('show.current')}
        value={search.show}
        options={SHOWN.map((value) => ({ value, label: text(`show.${value}`) }))}
      />
      {sources.length > 0 && (
        <FilterSelect
          name="sourceId"
          label={text('filter.source')}
          any={text('filter.anySource')}
          value={search.sourceId}
          options={sources.map(({ id, name }) => ({ value: id, label: name }))}
        />
      )}
      <FilterText name="name" label={text('filter.name')} value={search.name} />
    </>
  )
}

/** The next step is a virtual database where there is something to make it of. */
function Nothing({ canCreate }: { readonly canCreate: boolean }) {
  const text = useText(databasesMessages)
  const may = useMay()
  const { data } = useQuery({ ...sourcesQuery, enabled: may('source.read') })
  const hasSource = data?.items.some(({ kind }) => isDatabaseKind(kind)) ?? true
  if (hasSource) return <Empty message={text('empty')} action={canCreate && <CreateLink />} />
  const canProtect = may('source.write') && hasScreen('/protect')
  return (
    <Empty
      message={text('empty.source')}
      action={
        canProtect && (
          <Link to={'/protect' as LinkProps['to'] & string} data-testid="protect-database">
            <Button tabIndex={-1}>{text('empty.protect')}</Button>
          </Link>
        )
      }
    />
  )
}
