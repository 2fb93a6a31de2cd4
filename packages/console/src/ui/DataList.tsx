/**
 * A list of the API as a table: pages by cursor, sort, page size and columns in the address, rows
 * by mouse or by j, k and Enter, selection, CSV of what is shown. `useList` asks for it, and
 * columns.tsx has the columns that most lists are made of. See screens/jobs for their use.
 */
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { useNavigate } from '@tanstack/react-router'
import Table, { type ColumnsType, type TableProps } from 'antd/es/table'
import { useText } from '../i18n/text.ts'
import { Empty } from './Empty.tsx'
import { ListFoot } from './ListFoot.tsx'
import { uiMessages } from './messages/text.ts'
import { ProblemView } from './ProblemView.tsx'
import { hasFilters, type ListSearch } from './search-params.ts'

export interface Column<Row> {
  /** In the address when columns are chosen; the name of the sort, where it has one. */
  readonly key: string
  readonly label: string
  readonly cell: (row: Row) => ReactNode
  /** For CSV; without it the column is not exported. */
  readonly value?: (row: Row) => string | number | null
  readonly sortable?: true
  /** Not shown until it is chosen. */
  readonly hidden?: true
}

interface Props<Row> {
  /** Of files and test ids: `jobs`. */
  readonly name: string
  readonly rows: readonly Row[]
  readonly next: string | null
  readonly columns: readonly Column<Row>[]
  readonly search: ListSearch
  readonly rowKey: (row: Row) => string
  /** Address of a row's page. */
  readonly href?: (row: Row) => string
  /** Between the filters and the table, while rows are selected. */
  readonly bulk?: (selected: readonly Row[]) => ReactNode
  readonly filters?: ReactNode
  readonly empty: ReactNode
  readonly isLoading?: boolean
  /** What was shown before stays below it. */
  readonly error?: Error | null
}

export function DataList<Row extends object>(props: Props<Row>) {
  const { name, rows, search, rowKey, href, bulk, filters, columns } = props
  const navigate = useNavigate()
  const [selected, setSelected] = useState<readonly string[]>([])
  const change = (changed: ListSearch): void => {
    void navigate({ to: '.', search: (old: object) => ({ ...old, ...changed }) } as never)
  }
  const shown = chosenColumns(columns, search)
  const open = (row: Row): void => {
    if (href !== undefined) void navigate({ to: href(row) })
  }
  const keys = useRowKeys(rows, open)
  const selectedRows = rows.filter((row) => selected.includes(rowKey(row)))
  const { error = null } = props
  return (
    <div data-testid={`list-${name}`} ref={keys.container}>
      {error !== null && <ProblemView error={error} />}
      {filters !== undefined && <div className="om-filters">{filters}</div>}
      {selectedRows.length > 0 && <div className="om-filters">{bulk?.(selectedRows)}</div>}
      <Table<Row>
        size="small"
        rowKey={rowKey}
        dataSource={rows as Row[]}
        columns={tableColumns(shown, search)}
        pagination={false}
        loading={props.isLoading === true}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <EmptyList search={search} empty={props.empty} /> }}
        onChange={(_pages, _filters, sorter) => change(sortChange(sorter))}
        onRow={(row, index) => ({
          className: index === keys.position ? 'om-row-current' : '',
          onClick: (event) => {
            if (!(event.target as Element).closest('a,button,input,label')) open(row)
          },
          style: href === undefined ? {} : { cursor: 'pointer' },
        })}
        {...(bulk !== undefined && { rowSelection: useSelection(selected, setSelected) })}
      />
      <ListFoot {...props} shown={shown.map(({ key }) => key)} onChange={change} />
    </div>
  )
}

function useSelection<Row>(
  selected: readonly string[],
  setSelected: (keys: readonly string[]) => void,
): NonNullable<TableProps<Row>['rowSelection']> {
  const text = useText(uiMessages)
  return {
    selectedRowKeys: [...selected],
    onChange: (keys) => setSelected(keys.map(String)),
    getTitleCheckboxProps: () => ({ 'aria-label': text('list.selectAll') }),
    getCheckboxProps: () => ({ 'aria-label': text('list.select') }) as object,
  }
}

function chosenColumns<Row>(columns: readonly Column<Row>[], search: ListSearch): Column<Row>[] {
  const chosen = search.columns?.split(',')
  return columns.filter(({ key, hidden }) => {
    return chosen === undefined ? hidden !== true : chosen.includes(key)
  })
}

function tableColumns<Row>(
  columns: readonly Column<Row>[],
  { sort }: ListSearch,
): ColumnsType<Row> {
  return columns.map(({ key, label, cell, sortable }) => ({
    key,
    title: label,
    render: (_value: unknown, row: Row) => cell(row),
    ...(sortable === true && {
      sorter: true,
      sortOrder: sort === key ? 'ascend' : sort === `-${key}` ? 'descend' : null,
    }),
  }))
}

type Sorter<Row> = Parameters<NonNullable<TableProps<Row>['onChange']>>[2]

/** Another order begins at its first page. */
function sortChange<Row>(sorter: Sorter<Row>): ListSearch {
  const { columnKey, order } = Array.isArray(sorter) ? (sorter[0] ?? {}) : sorter
  const name = String(columnKey)
  const sort = order === 'ascend' ? name : order === 'descend' ? `-${name}` : undefined
  return { sort, cursor: undefined, page: undefined }
}

function EmptyList({ search, empty }: { readonly search: object; readonly empty: ReactNode }) {
  const text = useText(uiMessages)
  return hasFilters(search) ? <Empty message={text('list.noMatch')} /> : empty
}

/** j and k move, Enter opens; not while something is typed. */
function useRowKeys<Row>(rows: readonly Row[], open: (row: Row) => void) {
  const [position, setPosition] = useState(-1)
  const container = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if ((event.target as Element).closest('input,textarea,select,button,a,[role=dialog]')) return
      if (event.key === 'j') setPosition(Math.min(position + 1, rows.length - 1))
      else if (event.key === 'k') setPosition(Math.max(position - 1, 0))
      else if (event.key === 'Enter' && rows[position] !== undefined) open(rows[position])
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  })
  // antd measures columns by a hidden copy of their heads, with a checkbox that Tab would reach.
  useEffect(() => {
    container.current?.querySelector('.ant-table-measure-row')?.setAttribute('inert', '')
  })
  useEffect(() => {
    container.current?.querySelector('.om-row-current')?.scrollIntoView({ block: 'nearest' })
  }, [position])
  return { position, container }
}
