/** A file beside its folder: what is in it, its versions in other points, download, basket. */
import { useEffect, useMemo, useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Drawer from 'antd/es/drawer'
import Skeleton from 'antd/es/skeleton'
import type { Point } from '@openmaas/api/resources/point'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import type { ChangeSearch } from './FilesPage.tsx'
import { filesMessages } from './messages/text.ts'
import { nameOf } from './paths.ts'
import { previewOf } from './preview.ts'
import { downloadHref, PREVIEW_BYTES_MAX, previewQuery, versionsQuery } from './queries.ts'

interface Props {
  readonly point: Point
  readonly file: string
  readonly onChange: ChangeSearch
}

export function FilePreview({ point, file, onChange }: Props) {
  const may = useMay()
  const text = useText(filesMessages)
  const name = nameOf(file)
  return (
    <Drawer
      open
      title={name}
      size={620}
      onClose={() => onChange({ file: undefined })}
      extra={
        may('point.restore') && (
          <a href={downloadHref(point.id, file)} download={name} data-testid="download">
            <Button tabIndex={-1}>{text('download')}</Button>
          </a>
        )
      }
    >
      <div data-testid="preview">
        <p className="om-code">{file}</p>
        {may('point.restore') && <Content point={point} file={file} />}
        <h3>{text('versions.title')}</h3>
        <Versions point={point} file={file} />
      </div>
    </Drawer>
  )
}

type PartProps = Pick<Props, 'point' | 'file'>

function Content({ point, file }: PartProps) {
  const text = useText(filesMessages)
  const format = useFormat()
  const { data: bytes, error, isPending } = useQuery(previewQuery(point.id, file))
  if (error !== null) return <ProblemView error={error} />
  if (isPending) return <Skeleton active paragraph={{ rows: 6 }} />
  const isCut = bytes.length === PREVIEW_BYTES_MAX
  const preview = previewOf(file, bytes, isCut)
  switch (preview.kind) {
    case 'empty':
      return <p className="om-quiet">{text('preview.empty')}</p>
    case 'binary':
      return <p className="om-quiet">{text('preview.binary')}</p>
    case 'image':
      return <Picture bytes={bytes} type={preview.type} name={nameOf(file)} />
    case 'text':
      return (
        <>
          <pre
            className="om-preview"
            tabIndex={0}
            aria-label={text('preview.of', { name: nameOf(file) })}
            data-testid="preview-text"
          >
            {preview.text}
          </pre>
          {isCut && (
            <p className="om-quiet">
              {text('preview.large', { size: format.bytes(PREVIEW_BYTES_MAX) })}
            </p>
          )}
        </>
      )
  }
}

interface PictureProps {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly name: string
}

function Picture({ bytes, type, name }: PictureProps) {
  const text = useText(filesMessages)
  const [url, setUrl] = useState<string>()
  const blob = useMemo(() => new Blob([bytes], { type }), [bytes, type])
  useEffect(() => {
    const made = URL.createObjectURL(blob)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [blob])
  if (url === undefined) return null
  return (
    <img
      className="om-preview-image"
      src={url}
      alt={text('preview.image', { name })}
      data-testid="preview-image"
    />
  )
}

function Versions({ point, file }: PartProps) {
  const text = useText(filesMessages)
  const format = useFormat()
  const navigate = useNavigate()
  const { data, error, isPending } = useQuery(versionsQuery(point.sourceId, file))
  if (error !== null) return <ProblemView error={error} />
  if (isPending) return <Skeleton active paragraph={{ rows: 2 }} />
  const open = (pointId: string): void => {
    const to = '/points/$pointId/files' as const
    void navigate({ to, params: { pointId }, search: (old) => old as object })
  }
  return (
    <>
      {data.length === 1 && <p className="om-quiet">{text('versions.only')}</p>}
      <ul className="om-versions" data-testid="versions">
        {data.map(({ pointId, takenAt, sizeBytes }) => (
          <li key={pointId}>
            <span>{format.exact(takenAt)}</span>
            <span className="om-quiet">{format.bytes(sizeBytes)}</span>
            {pointId === point.id ? (
              <span className="om-quiet">{text('versions.current')}</span>
            ) : (
              <Button size="small" onClick={() => open(pointId)} data-testid="open-version">
                {text('versions.open')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </>
  )
}
