/** The files of a point: folders, search here and in all points, preview, the restore basket. */
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link, type LinkProps, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Point } from '@openmaas/api/resources/point'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine } from '../../ui/search-params.ts'
import { setBasket, useBasket } from './basket.ts'
import { BasketBar } from './BasketBar.tsx'
import { FilePreview } from './FilePreview.tsx'
import { FileSearchBar } from './FileSearchBar.tsx'
import { FolderTable } from './FolderTable.tsx'
import { FoundTable } from './FoundTable.tsx'
import { filesMessages } from './messages/text.ts'
import { belowRoot, crumbsOf } from './paths.ts'
import { type FilesSearch, pointQuery, sourceQuery } from './queries.ts'
import { RestoreDrawer } from './RestoreDrawer.tsx'
import { filesRoute } from './routes.ts'
import './files.css'

/** Changes what is looked at; what is named undefined leaves the address. */
export type ChangeSearch = (changed: FilesSearch) => void

export function FilesPage() {
  const text = useText(filesMessages)
  const format = useFormat()
  const may = useMay()
  const { pointId } = filesRoute.useParams()
  const search = filesRoute.useSearch()
  const navigate = useNavigate({ from: '/points/$pointId/files' })
  const { data: point } = useSuspenseQuery(pointQuery(pointId))
  const basket = useBasket()
  const change: ChangeSearch = (changed) =>
    void navigate({ search: (old) => ({ ...old, ...changed }), resetScroll: false })
  const source = useQuery({ ...sourceQuery(point.sourceId), enabled: may('source.read') })
  const crumbs = [
    ...(hasScreen('/sources') ? [{ label: text('sources'), to: '/sources' as const }] : []),
    ...(hasScreen('/sources/$sourceId')
      ? [
          {
            label: source.data?.name ?? point.sourceId,
            to: `/sources/${point.sourceId}` as LinkProps['to'] & string,
          },
        ]
      : []),
  ]
  return (
    <Page
      title={text('title', { at: format.exact(point.takenAt) })}
      crumbs={crumbs}
      actions={may('medium.plug') && <MountLink pointId={pointId} />}
      {...equivalents(point, search)}
    >
      {point.kind === 'volume' ? (
        <Empty
          message={[
            text('empty.volume'),
            isDatabaseKind(source.data?.kind ?? '') ? text('empty.database') : '',
          ].join(' ')}
        />
      ) : (
        <Browser point={point} search={search} onChange={change} />
      )}
      {may('point.restore') && basket.length > 0 && (
        <BasketBar basket={basket} onRestore={() => change({ restore: true })} />
      )}
      {search.restore === true && may('point.restore') && (
        <RestoreDrawer
          items={basket}
          isInPlace
          onClose={() => change({ restore: undefined })}
          onStarted={() => setBasket([])}
        />
      )}
    </Page>
  )
}

function MountLink({ pointId }: { readonly pointId: string }) {
  const text = useText(filesMessages)
  if (!hasScreen('/media')) return null
  return (
    <Link to="/media" search={{ mount: pointId }} data-testid="mount-instead">
      <Button tabIndex={-1}>{text('mount')}</Button>
    </Link>
  )
}

function equivalents({ id, sourceId }: Point, search: FilesSearch) {
  const { q, across, path = '/' } = search
  if (q !== undefined) {
    const place = across === true ? { sourceId } : { pointId: id }
    const option = across === true ? `--source ${sourceId}` : `--point ${id}`
    return {
      cli: `openmaas point find '${q}' ${option}`,
      api: apiLine('GET', '/api/v1/points/find', { pattern: q, ...place }),
    }
  }
  return {
    cli: `openmaas point ls ${id} ${belowRoot(path)}`.trimEnd(),
    api: apiLine('GET', `/api/v1/points/${id}/entries`, { path }),
  }
}

interface BrowserProps {
  readonly point: Point
  readonly search: FilesSearch
  readonly onChange: ChangeSearch
}

function Browser({ point, search, onChange }: BrowserProps) {
  const text = useText(filesMessages)
  const { q, path = '/', file } = search
  return (
    <section className="om-panel">
      <FileSearchBar search={search} onChange={onChange} />
      {q === undefined ? (
        <>
          <nav className="om-file-path" aria-label={text('path')}>
            {crumbsOf(path).map(({ name, path: to }) => (
              <Button
                key={to}
                type="text"
                size="small"
                onClick={() => onChange({ path: to === '/' ? undefined : to })}
                data-testid={`crumb-${name}`}
              >
                {name}
              </Button>
            ))}
          </nav>
          <FolderTable point={point} folder={path} onChange={onChange} />
        </>
      ) : (
        <FoundTable
          point={point}
          pattern={q}
          isAcross={search.across === true}
          onChange={onChange}
        />
      )}
      {file !== undefined && <FilePreview point={point} file={file} onChange={onChange} />}
    </section>
  )
}
