/** Four cards: how long each takes, and what it overwrites. */
import {
  DatabaseOutlined,
  DownloadOutlined,
  HddOutlined,
  RollbackOutlined,
  SwapOutlined,
} from '@ant-design/icons'
import { lazy, Suspense, type ComponentType } from 'react'
import { useNavigate } from '@tanstack/react-router'
import type { Point } from '@openmaas/api/resources/point'
import type { Source } from '@openmaas/api/resources/source'
import type { Permission } from '@openmaas/api/permissions'
import { useQuery } from '@tanstack/react-query'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { nameOf, parentOf } from '../files/paths.ts'
import { downloadHref, versionsQuery } from '../files/queries.ts'
import { type Way, waysOf } from './choice.ts'
import { recoverMessages } from './messages/text.ts'
import type { RecoverSearch } from './queries.ts'
import type { Answer } from './RecoverPage.tsx'

const MountDrawer = lazy(async () => ({
  default: (await import('../media/MountDrawer.tsx')).MountDrawer,
}))
const RestoreDrawer = lazy(async () => ({
  default: (await import('../files/RestoreDrawer.tsx')).RestoreDrawer,
}))

interface Props {
  readonly source: Source
  readonly point: Point
  readonly search: RecoverSearch
  readonly onAnswer: Answer
}

const NEEDS: Readonly<Record<Way, Permission>> = {
  database: 'virtual-database.create',
  mount: 'medium.plug',
  restore: 'point.restore',
  elsewhere: 'point.restore',
  download: 'point.restore',
}
const ICONS: Readonly<Record<Way, ComponentType>> = {
  database: DatabaseOutlined,
  mount: HddOutlined,
  restore: RollbackOutlined,
  elsewhere: SwapOutlined,
  download: DownloadOutlined,
}

export function HowStep({ source, point, search, onAnswer }: Props) {
  const text = useText(recoverMessages)
  const may = useMay()
  const { how, path } = search
  const fileBytes = useFileBytes(source.id, point.id, path)
  const ways = waysOf(point, source.kind).filter((way) => may(NEEDS[way]))
  const close = (): void => onAnswer({ how: undefined })
  const item = {
    pointId: point.id,
    takenAt: point.takenAt,
    sourceId: source.id,
    path: path ?? '/',
    kind: path === undefined ? ('directory' as const) : ('file' as const),
    sizeBytes: fileBytes ?? point.sizeBytes,
  }
  if (ways.length === 0) return <p>{text('how.forbidden')}</p>
  return (
    <>
      <div className="om-ways">
        {ways.map((way) => (
          <WayCard
            key={way}
            way={way}
            source={source}
            point={point}
            path={path}
            fileBytes={fileBytes}
            onAnswer={onAnswer}
          />
        ))}
      </div>
      <Suspense>
        {how === 'mount' && may('medium.plug') && (
          <MountDrawer pointId={point.id} onClose={close} />
        )}
        {(how === 'restore' || how === 'elsewhere') && may('point.restore') && (
          <RestoreDrawer items={[item]} isInPlace={how === 'restore'} onClose={close} />
        )}
      </Suspense>
    </>
  )
}

/** Of the file that was lost; null for a folder, or when nothing was named. */
function useFileBytes(sourceId: string, pointId: string, path: string | undefined): number | null {
  const may = useMay()
  const versions = useQuery({
    ...versionsQuery(sourceId, path ?? ''),
    enabled: path !== undefined && may('point.browse'),
  })
  const version = versions.data?.find((one) => one.pointId === pointId)
  return version === undefined || !version.isFile ? null : version.sizeBytes
}

interface CardProps {
  readonly way: Way
  readonly source: Source
  readonly point: Point
  readonly path: string | undefined
  readonly fileBytes: number | null
  readonly onAnswer: Answer
}

function WayCard({ way, source, point, path, fileBytes, onAnswer }: CardProps) {
  const text = useText(recoverMessages)
  const format = useFormat()
  const navigate = useNavigate()
  const Icon = ICONS[way]
  const isFile = fileBytes !== null && path !== undefined
  const size = format.bytes(fileBytes ?? point.sizeBytes)
  const texts: Readonly<Record<Way, readonly [time: string, what: string]>> = {
    database: [text('how.database.time'), text('how.database.text')],
    mount: [text('how.mount.time'), text('how.mount.text')],
    restore: [
      text('how.restore.time', { size }),
      text('how.restore.text', { path: `${source.path}${path ?? ''}` }),
    ],
    elsewhere: [text('how.restore.time', { size }), text('how.elsewhere.text')],
    download: [
      text('how.download.time'),
      isFile ? text('how.download.file', { name: nameOf(path) }) : text('how.download.browse'),
    ],
  }
  const [time, what] = texts[way]
  const card = (
    <>
      <span className="om-way-head">
        <Icon aria-hidden />
        <strong>{text(way === 'download' && !isFile ? 'how.browse' : `how.${way}`)}</strong>
      </span>
      <span className="om-way-time">{time}</span>
      <span>{what}</span>
      <small className="om-quiet">{text(`how.${way}.over`)}</small>
    </>
  )
  if (way === 'download' && isFile) {
    return (
      <a
        className="om-way"
        href={downloadHref(point.id, path)}
        download={nameOf(path)}
        data-testid="way-download"
      >
        {card}
      </a>
    )
  }
  const choose = (): void => {
    if (way === 'database') {
      const asked = { sourceId: source.id, pointId: point.id }
      return void navigate({ to: '/virtual-databases/new', search: asked })
    }
    if (way !== 'download') return onAnswer({ how: way, pointId: point.id })
    const folder = path === undefined ? {} : { path: parentOf(path) }
    const to = '/points/$pointId/files' as const
    void navigate({ to, params: { pointId: point.id }, search: folder })
  }
  return (
    <button type="button" className="om-way" onClick={choose} data-testid={`way-${way}`}>
      {card}
    </button>
  )
}
