import { useInfiniteQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Skeleton from 'antd/es/skeleton'
import type { Point } from '@openmaas/api/resources/point'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import type { ChangeSearch } from './FilesPage.tsx'
import { FileTable } from './FileTable.tsx'
import { filesMessages } from './messages/text.ts'
import { childOf } from './paths.ts'
import { entriesQuery } from './queries.ts'

interface Props {
  readonly point: Point
  readonly folder: string
  readonly onChange: ChangeSearch
}

/** One folder; a large one in pieces. */
export function FolderTable({ point, folder, onChange }: Props) {
  const text = useText(filesMessages)
  const pages = useInfiniteQuery(entriesQuery(point.id, folder))
  const { data, error, isPending, hasNextPage, isFetchingNextPage } = pages
  if (error !== null) return <ProblemView error={error} onRetry={() => void pages.refetch()} />
  if (isPending) return <Skeleton active paragraph={{ rows: 6 }} />
  const rows = data.pages.flatMap(({ items }) =>
    items.map((entry) => ({
      key: entry.name,
      pointId: point.id,
      takenAt: point.takenAt,
      sourceId: point.sourceId,
      path: childOf(folder, entry.name),
      label: entry.name,
      entry,
    })),
  )
  return (
    <>
      <FileTable
        rows={rows}
        empty={<Empty message={text('empty.folder')} />}
        isLoading={false}
        onOpen={({ path, entry }) =>
          onChange(entry.kind === 'directory' ? { path } : { file: path })
        }
      />
      {hasNextPage && (
        <div className="om-center">
          <Button
            loading={isFetchingNextPage}
            onClick={() => void pages.fetchNextPage()}
            data-testid="more-entries"
          >
            {text('more')}
          </Button>
        </div>
      )}
    </>
  )
}
