import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Skeleton from 'antd/es/skeleton'
import type { Point } from '@openmaas/api/resources/point'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import type { ChangeSearch } from './FilesPage.tsx'
import { type FileRow, FileTable } from './FileTable.tsx'
import { foundRows, type FoundRow } from './found.ts'
import { filesMessages } from './messages/text.ts'
import { foundQuery } from './queries.ts'

interface Props {
  readonly point: Point
  readonly pattern: string
  readonly isAcross: boolean
  readonly onChange: ChangeSearch
}

export function FoundTable({ point, pattern, isAcross, onChange }: Props) {
  const text = useText(filesMessages)
  const navigate = useNavigate()
  const place = isAcross ? { sourceId: point.sourceId } : { pointId: point.id }
  const { data, error, isPending, isPlaceholderData, refetch } = useQuery({
    ...foundQuery(pattern, place),
    placeholderData: keepPreviousData,
  })
  if (error !== null) return <ProblemView error={error} onRetry={() => void refetch()} />
  if (isPending) return <Skeleton active paragraph={{ rows: 6 }} />
  const rows = foundRows(data.items, point.sourceId)
  const open = (row: FileRow): void => {
    const search = row.entry.kind === 'directory' ? { path: row.path } : { file: row.path }
    if (row.pointId === point.id) {
      onChange({ ...search, ...(row.entry.kind === 'directory' && { q: undefined }) })
    } else {
      const to = '/points/$pointId/files' as const
      void navigate({ to, params: { pointId: row.pointId }, search })
    }
  }
  const columns = [
    {
      key: 'versions',
      title: text('versions.title'),
      render: (_: unknown, row: FileRow) => (
        <>
          {text('versions', { count: (row as FoundRow).versions })}
          <small className="om-quiet">
            {' '}
            {text('newestVersion')} <Time at={row.takenAt} />
          </small>
        </>
      ),
    },
  ]
  return (
    <>
      <p role="status">{text('search.results', { count: rows.length })}</p>
      <FileTable
        rows={rows}
        empty={<NotFound pattern={pattern} isAcross={isAcross} onChange={onChange} />}
        isLoading={isPlaceholderData}
        onOpen={open}
        {...(isAcross && { columns })}
      />
      {data.more && <p className="om-quiet">{text('search.more')}</p>}
    </>
  )
}

function NotFound({ pattern, isAcross, onChange }: Omit<Props, 'point'>) {
  const text = useText(filesMessages)
  if (isAcross) return <Empty message={text('search.none', { pattern })} />
  return (
    <Empty
      message={text('search.none.here', { pattern })}
      action={
        <Button
          type="primary"
          onClick={() => onChange({ across: true })}
          data-testid="search-everywhere"
        >
          {text('search.everywhere')}
        </Button>
      }
    />
  )
}
