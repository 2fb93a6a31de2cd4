/** Rows of files, of a folder or of a search: into the basket, into a folder, into a preview. */
import { FileOutlined, FileUnknownOutlined, FolderFilled, LinkOutlined } from '@ant-design/icons'
import type { ComponentType, ReactNode } from 'react'
import Checkbox from 'antd/es/checkbox'
import Table, { type ColumnsType } from 'antd/es/table'
import type { Entry } from '@openmaas/api/resources/host'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Time } from '../../ui/Time.tsx'
import { BASKET_COUNT_MAX, isInBasket, setBasket, toggled, useBasket } from './basket.ts'
import { filesMessages } from './messages/text.ts'

export interface FileRow {
  readonly key: string
  readonly pointId: string
  readonly takenAt: string
  readonly sourceId: string
  /** From the root of the point. */
  readonly path: string
  /** What is shown of the path. */
  readonly label: string
  readonly entry: Entry
}

interface Props {
  readonly rows: readonly FileRow[]
  readonly empty: ReactNode
  readonly isLoading: boolean
  readonly onOpen: (row: FileRow) => void
  /** Columns between the name and the size. */
  readonly columns?: ColumnsType<FileRow>
}

const ICONS: Readonly<Record<Entry['kind'], ComponentType>> = {
  file: FileOutlined,
  directory: FolderFilled,
  symlink: LinkOutlined,
  other: FileUnknownOutlined,
}

export function FileTable({ rows, empty, isLoading, onOpen, columns = [] }: Props) {
  const text = useText(filesMessages)
  const format = useFormat()
  const may = useMay()
  const shown: ColumnsType<FileRow> = [
    ...(may('point.restore')
      ? [{ key: 'basket', width: 40, render: (_: unknown, row: FileRow) => <Choose row={row} /> }]
      : []),
    {
      key: 'name',
      title: text('name'),
      render: (_, row) => <FileName row={row} onOpen={onOpen} />,
    },
    ...columns,
    {
      key: 'size',
      title: text('size'),
      align: 'right',
      render: (_, { entry }) => (entry.kind === 'file' ? format.bytes(entry.sizeBytes) : ''),
    },
    {
      key: 'modified',
      title: text('modified'),
      render: (_, { entry }) => <Time at={entry.modifiedAt} />,
    },
    { key: 'owner', title: text('owner'), render: (_, { entry }) => entry.owner },
  ]
  return (
    <Table<FileRow>
      size="small"
      rowKey="key"
      dataSource={[...rows]}
      columns={shown}
      pagination={false}
      loading={isLoading}
      scroll={{ x: 'max-content' }}
      locale={{ emptyText: empty }}
      data-testid="files"
    />
  )
}

function Choose({ row }: { readonly row: FileRow }) {
  const text = useText(filesMessages)
  const basket = useBasket()
  const { pointId, takenAt, sourceId, path, entry } = row
  const isChosen = isInBasket(basket, pointId, path)
  const isFull = !isChosen && basket.length >= BASKET_COUNT_MAX
  const { kind, sizeBytes } = entry
  return (
    <Checkbox
      checked={isChosen}
      disabled={isFull}
      aria-label={text('add', { name: row.label })}
      title={isFull ? text('basket.full') : text('add', { name: row.label })}
      onChange={() =>
        setBasket(toggled(basket, { pointId, takenAt, sourceId, path, kind, sizeBytes }))
      }
      data-testid={`choose-${row.label}`}
    />
  )
}

interface NameProps {
  readonly row: FileRow
  readonly onOpen: (row: FileRow) => void
}

function FileName({ row, onOpen }: NameProps) {
  const text = useText(filesMessages)
  const { kind, target } = row.entry
  const Icon = ICONS[kind]
  const canOpen = kind === 'directory' || kind === 'file'
  const label = (
    <>
      <Icon aria-hidden /> {row.label}
      {target !== undefined && <small className="om-quiet"> → {target}</small>}
    </>
  )
  if (!canOpen) return <span title={text(`kind.${kind}`)}>{label}</span>
  return (
    <button
      type="button"
      className="om-file-name"
      title={text(`kind.${kind}`)}
      onClick={() => onOpen(row)}
      data-testid={`open-${row.label}`}
    >
      {label}
    </button>
  )
}
