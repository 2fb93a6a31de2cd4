import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Source } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { DataList } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { sourcesMessages } from './messages/text.ts'
import type { SourcesSearch } from './queries.ts'
import { sourcesRoute } from './routes.ts'
import { SourceBulk } from './SourceBulk.tsx'
import { SourceFacets } from './SourceFacets.tsx'
import { useSourceColumns } from './source-columns.tsx'
import { useSourceRows } from './use-source-rows.ts'
import './sources.css'

export function SourcesPage() {
  const text = useText(sourcesMessages)
  const may = useMay()
  const search = sourcesRoute.useSearch()
  const { compliance, ...list } = useSourceRows(search)
  const columns = useSourceColumns(compliance)
  const add = may('source.write') && hasScreen('/protect') && (
    <Link to="/protect">
      <Button type="primary" tabIndex={-1} data-testid="protect-something">
        {text('protect')}
      </Button>
    </Link>
  )
  return (
    <Page title={text('title')} actions={add} cli={cliLine(search)} api={apiOf(search)}>
      <div className="om-with-facets">
        <SourceFacets search={search} />
        <div className="om-with-facets-list">
          <DataList<Source>
            {...list}
            name="sources"
            columns={columns}
            search={search}
            rowKey={({ id }) => id}
            href={({ id }) => `/sources/${id}`}
            bulk={(selected) => <SourceBulk selected={selected} />}
            empty={<Empty message={text('empty')} action={add} />}
          />
        </div>
      </div>
    </Page>
  )
}

function cliLine({ hostId, policyId, kind }: SourcesSearch): string {
  const parts = [
    hostId === undefined ? '' : ` --host ${hostId}`,
    policyId === undefined ? '' : ` --policy ${policyId}`,
    kind === undefined ? '' : ` --kind ${kind}`,
  ]
  return `openmaas source list${parts.join('')}`
}

function apiOf({ state, ...search }: SourcesSearch): string {
  if (state === undefined) return apiLine('GET', '/api/v1/sources', toListQuery(search))
  return apiLine('GET', '/api/v1/compliance', { 'filter[state]': state })
}
