import { useQueries } from '@tanstack/react-query'
import { FileOutlined, FolderFilled } from '@ant-design/icons'
import Skeleton from 'antd/es/skeleton'
import type { Source } from '@openmaas/api/resources/source'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { foundRows, type FoundRow } from '../files/found.ts'
import { searchedSources } from './choice.ts'
import { recoverMessages } from './messages/text.ts'
import { foundInSourceQuery } from './queries.ts'
import type { Answer } from './RecoverPage.tsx'

/** More would not be read. */
const FILES_SHOWN_MAX = 20

interface Props {
  readonly sources: readonly Source[]
  readonly pattern: string
  readonly onAnswer: Answer
}

export function FoundFiles({ sources, pattern, onAnswer }: Props) {
  const text = useText(recoverMessages)
  const searched = searchedSources(sources)
  const results = useQueries({
    queries: searched.map(({ id }) => foundInSourceQuery(id, pattern)),
  })
  const rows = searched
    .flatMap((source, index) =>
      foundRows(results[index]?.data?.items ?? [], source.id).map((row) => ({ row, source })),
    )
    .toSorted((a, b) => b.row.takenAt.localeCompare(a.row.takenAt))
  const isPending = results.some((result) => result.isPending)
  const error = results.find((result) => result.error !== null)?.error ?? null
  const hasMore = rows.length > FILES_SHOWN_MAX || results.some(({ data }) => data?.more === true)
  const fileSources = sources.filter(({ kind }) => kind === 'files')
  return (
    <>
      <h3>{text('what.files')}</h3>
      {error !== null && <ProblemView error={error} />}
      <ul className="om-choices" aria-busy={isPending} data-testid="recover-files">
        {rows.slice(0, FILES_SHOWN_MAX).map(({ row, source }) => (
          <li key={`${source.id} ${row.path}`}>
            <FileChoice row={row} source={source} onAnswer={onAnswer} />
          </li>
        ))}
      </ul>
      {isPending && <Skeleton active paragraph={{ rows: 2 }} title={false} />}
      {!isPending && error === null && rows.length === 0 && (
        <p className="om-quiet">{text('what.noFile')}</p>
      )}
      {hasMore && <p className="om-quiet">{text('what.more')}</p>}
      {searched.length < fileSources.length && (
        <p className="om-quiet">{text('what.searched', { count: searched.length })}</p>
      )}
    </>
  )
}

interface ChoiceProps {
  readonly row: FoundRow
  readonly source: Source
  readonly onAnswer: Answer
}

function FileChoice({ row, source, onAnswer }: ChoiceProps) {
  const text = useText(recoverMessages)
  const format = useFormat()
  const isFolder = row.entry.kind === 'directory'
  return (
    <button
      type="button"
      className="om-choice-row"
      onClick={() => onAnswer({ sourceId: source.id, path: row.path, pointId: undefined })}
      data-testid={`recover-file-${row.path}`}
    >
      {isFolder ? <FolderFilled aria-hidden /> : <FileOutlined aria-hidden />}
      <strong className="om-choice-path">{row.path}</strong>
      <span className="om-quiet">{source.name}</span>
      {!isFolder && <span className="om-quiet">{format.bytes(row.entry.sizeBytes)}</span>}
      <span className="om-quiet om-choice-when">
        {text('what.versions', { count: row.versions })}, {text('what.last')}{' '}
        <Time at={row.takenAt} />
      </span>
    </button>
  )
}
